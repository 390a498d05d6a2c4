import type { Transferable } from 'node:worker_threads';
import { JobThread, type Finished, type ThreadLimits } from './job-thread.js';

export interface PoolOptions extends ThreadLimits {
  /** The module that calls `serveJobs`. */
  readonly script: URL;
  /** At least two: large jobs never have all threads. */
  readonly threads: number;
  /** Jobs that may wait, and bytes of all jobs; one owner gets half of each. */
  readonly maxWaiting: number;
  readonly maxBytes: number;
}

/** There is no room for another job; nothing of it was done. */
export class PoolOverloaded extends Error {
  override readonly name = 'PoolOverloaded';
}

/** The pool has been closed: unfinished jobs will not be done. */
export class PoolClosed extends Error {
  override readonly name = 'PoolClosed';
}

export interface Job {
  /** The owner of the job: owners take turns. */
  readonly owner: string;
  /** About how many bytes it holds while it waits and runs. */
  readonly bytes: number;
  readonly input: unknown;
  readonly transfer?: readonly Transferable[];
  /**
   * Callers of any owner wait for it: it goes before all jobs that wait, is never refused, and takes no turn of its
   * owner. The caller makes sure that there are few of them.
   */
  readonly urgent?: boolean;
}

interface Waiting extends Job {
  readonly isLarge: boolean;
  readonly settle: (finished: Finished) => void;
  readonly fail: (error: Error) => void;
}

/** A job that holds more than this may take seconds. */
export const LARGE_BYTES = 262_144;

interface Owner {
  readonly name: string;
  readonly waiting: Waiting[];
  /** Large jobs are counted apart. */
  running: number;
  runningLarge: number;
  bytes: number;
}

/**
 * Runs work in threads of its own that would block the deciding thread: bounded, fair between owners, and within a time
 * limit. One thread never does a large job, so that small ones of any owner do not wait for large ones.
 */
export class JobPool {
  private readonly idle: JobThread[];
  private readonly threads: readonly JobThread[];
  private readonly running = new Set<Waiting>();
  /** In the order of their turns. */
  private readonly owners = new Map<string, Owner>();
  private readonly urgent: Waiting[] = [];
  private waiting = 0;
  /** Large jobs that are worked on. */
  private large = 0;
  private bytes = 0;
  private refusals = 0;
  private closed = false;

  constructor(private readonly options: PoolOptions) {
    this.threads = Array.from({ length: options.threads }, () => new JobThread(options.script, options));
    this.idle = [...this.threads];
  }

  /** Jobs that wait or are worked on. */
  get inHand(): number {
    return this.waiting + this.running.size;
  }

  get heldBytes(): number {
    return this.bytes;
  }

  /** How often it has refused so far. */
  get refused(): number {
    return this.refusals;
  }

  /** Does a job. Throws `PoolOverloaded` if there is no room, `PoolClosed` if the pool is closed before it is done. */
  async run(job: Job): Promise<Finished> {
    if (this.closed) throw new PoolClosed();
    if (job.urgent === true) return this.runFirst(job);
    const owner = this.owners.get(job.owner) ?? newOwner(job.owner);
    this.refuseIfFull(owner, job.bytes);
    this.owners.set(owner.name, owner);
    this.waiting += 1;
    this.bytes += job.bytes;
    owner.bytes += job.bytes;
    try {
      return await new Promise<Finished>((settle, fail) => {
        owner.waiting.push({ ...job, isLarge: job.bytes > LARGE_BYTES, settle, fail });
        this.pump();
      });
    } finally {
      this.bytes -= job.bytes;
      owner.bytes -= job.bytes;
      if (owner.waiting.length === 0 && owner.running + owner.runningLarge === 0) this.owners.delete(owner.name);
    }
  }

  private runFirst(job: Job): Promise<Finished> {
    return new Promise((settle, fail) => {
      this.waiting += 1;
      this.urgent.push({ ...job, isLarge: false, settle, fail });
      this.pump();
    });
  }

  /** Ends running jobs; to be called when nobody waits for them. */
  async close(): Promise<void> {
    this.closed = true;
    const left = [
      ...this.running,
      ...this.urgent.splice(0),
      ...[...this.owners.values()].flatMap(({ waiting }) => waiting.splice(0)),
    ];
    for (const { fail } of left) fail(new PoolClosed('the pool is closed'));
    await Promise.all(this.threads.map((thread) => thread.close()));
  }

  private refuseIfFull(owner: Owner, bytes: number): void {
    const { maxWaiting, maxBytes } = this.options;
    // An empty pool takes any job, so that no job is too large for it.
    const tooManyBytes =
      bytes > 0 && this.bytes > 0 && (owner.bytes + bytes > maxBytes / 2 || this.bytes + bytes > maxBytes);
    if (this.waiting < maxWaiting && owner.waiting.length < maxWaiting / 2 && !tooManyBytes) return;
    this.refusals += 1;
    throw new PoolOverloaded('too much content is being worked on');
  }

  /** Gives idle threads their next jobs. */
  private pump(): void {
    while (this.idle.length > 0 && !this.closed) {
      const next = this.next();
      const thread = next === undefined ? undefined : this.idle.pop();
      if (next === undefined || thread === undefined) return;
      this.waiting -= 1;
      void this.work(next.job, thread, next.owner);
    }
  }

  /**
   * Takes the next job. An owner has at most half of the threads for its large jobs, and as many for all others, so that
   * another owner finds a free one soon.
   */
  private next(): { readonly job: Waiting; readonly owner?: Owner } | undefined {
    const first = this.urgent.shift();
    if (first !== undefined) return { job: first };
    const { threads } = this.options;
    const most = Math.max(1, Math.floor(threads / 2));
    const mayBeLarge = this.large < threads - 1;
    for (const owner of this.owners.values()) {
      const index = owner.waiting.findIndex(({ isLarge }) =>
        isLarge ? mayBeLarge && owner.runningLarge < most : owner.running < most,
      );
      const [job] = index < 0 ? [] : owner.waiting.splice(index, 1);
      if (job === undefined) continue;
      // After its turn an owner goes behind all others.
      this.owners.delete(owner.name);
      this.owners.set(owner.name, owner);
      return { job, owner };
    }
    return undefined;
  }

  private async work(job: Waiting, thread: JobThread, owner?: Owner): Promise<void> {
    this.count(job, owner, 1);
    this.running.add(job);
    const finished = await thread.run(job.input, job.transfer ?? []);
    this.running.delete(job);
    this.count(job, owner, -1);
    this.idle.push(thread);
    job.settle(finished);
    this.pump();
  }

  private count({ isLarge }: Waiting, owner: Owner | undefined, more: 1 | -1): void {
    if (isLarge) this.large += more;
    if (owner === undefined) return;
    if (isLarge) owner.runningLarge += more;
    else owner.running += more;
  }
}

const newOwner = (name: string): Owner => ({ name, waiting: [], running: 0, runningLarge: 0, bytes: 0 });
