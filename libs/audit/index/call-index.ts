import { setTimeout as pause } from 'node:timers/promises';
import { justBefore } from '../../event-log/position.js';
import {
  isDamaged,
  LogUnavailable,
  type EventLog,
  type RecordedEvent,
  type Subscription,
} from '../../event-log/port.js';
import { verifySealed } from '../../event-log/verify.js';
import { Backoff } from '../../kernel/backoff.js';
import { toMs, type Instant } from '../../kernel/time.js';
import type { Cell, IndexRequest, Mark, TaskFilter, UnshreddedFilter } from './messages.js';
import { IndexUnavailable, readingBy, type IndexReading, type IndexStamp } from './reading.js';
import { IndexThread } from './thread.js';
import { PositionGate } from '../../control/position-gate.js';
import { categoriesWith } from '../../streams/catalogue.js';
import { EVIDENCE_ROLES } from '../../streams/family.js';

/** All events of which auditors can ask. */
export const INDEX_CATEGORIES = EVIDENCE_ROLES.flatMap(categoriesWith);
/** Under load, the index takes the events of this period in one batch, unless a query waits: rows cost less in bulk. */
const INTERVAL_MS = 100;
/** The time in which the index must catch up with the log for a request. */
const CATCH_UP_MS = 2_000;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

/**
 * Finds the places in the log of the calls that a query asks for. It is a projection in its own file and thread,
 * slightly behind the log. It holds ids and codes, never content. An unfit file (damaged, of another schema version, or
 * made from another log) is rebuilt from the log.
 */
export class CallIndex implements IndexReading {
  private readonly thread: IndexThread;
  private readonly gate = new PositionGate();
  private subscription: Subscription | undefined;
  /** The position that the file has reached: the next events follow on it. */
  private stored = 0n;
  /** How often the file has been opened, or found unfit. */
  private generation = 0;
  private opening: Promise<void> | undefined;
  private unreadable: LogUnavailable | undefined;
  private readonly closing = new AbortController();

  private readonly queries = readingBy((name, asked) => this.ask({ kind: 'query', name, asked }));
  readonly calls = this.queries.calls;
  readonly attempts = this.queries.attempts;
  readonly refusals = this.queries.refusals;
  readonly draw = this.queries.draw;
  readonly drifted = this.queries.drifted;
  readonly ends = this.queries.ends;
  readonly tasks = this.queries.tasks;
  readonly approvals = this.queries.approvals;
  readonly taints = this.queries.taints;
  readonly blocks = this.queries.blocks;

  private constructor(
    private readonly log: EventLog,
    file: string,
  ) {
    this.thread = new IndexThread(file, () => this.startOver());
  }

  /** Opens the index and follows the log, without waiting until it has caught up. Throws `IndexUnavailable`. */
  static async open(log: EventLog, file: string): Promise<CallIndex> {
    const index = new CallIndex(log, file);
    try {
      await index.follow();
      return index;
    } catch (error) {
      await index.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.opening;
    await this.subscription?.close();
    await this.thread.close();
  }

  /** The index holds everything up to this position. Negative while the index is being opened. */
  get position(): bigint {
    return this.gate.position;
  }

  /** Whether the index reaches a position within `timeoutMs` milliseconds. */
  waitFor(position: bigint, timeoutMs: number): Promise<boolean> {
    this.subscription?.hurry();
    return this.gate.waitFor(position, timeoutMs);
  }

  /** The end of the log, once the index has caught up with it. Throws `LogUnavailable`, `IndexUnavailable`. */
  async asOf(): Promise<bigint> {
    const end = await this.log.end();
    // It has usually caught up already: then nothing is hurried.
    if (this.position < end && !(await this.waitFor(end, CATCH_UP_MS)))
      throw this.unreadable ?? new IndexUnavailable('the index is behind the log');
    return end;
  }

  /** For a reader of the same file. Throws as `asOf` does. */
  async stamp(): Promise<IndexStamp> {
    const end = await this.asOf();
    return { end, stored: this.stored, generation: this.generation };
  }

  /**
   * Whether a host has a task that pins this version and is open at an instant, as far as the index knows. Call
   * `waitFor` first if a task that was just opened must count. Throws `IndexUnavailable`.
   */
  async hostPinsVersion(host: string, capability: string, version: string, at: Instant): Promise<boolean> {
    return (await this.ask({ kind: 'pinned', host, capability, version, atMs: toMs(at) })) === true;
  }

  /** How many such tasks are open at an instant, as far as the index knows. Throws `IndexUnavailable`. */
  async openTasks(filter: TaskFilter, at: Instant): Promise<number> {
    return Number(await this.ask({ kind: 'open_tasks', ...filter, atMs: toMs(at) }));
  }

  /**
   * The ids of tasks that were not shredded, as far as the index knows. Call `asOf` first if all of them must be there.
   * Throws `IndexUnavailable`.
   */
  async unshredded(wanted: UnshreddedFilter['wanted'], limit: number): Promise<readonly string[]> {
    return (await this.ask({ kind: 'unshredded', wanted, limit })) as readonly string[];
  }

  /** The number of such tasks of these users. Throws `IndexUnavailable`. */
  async countUnshredded(users: readonly string[]): Promise<number> {
    return Number(await this.ask({ kind: 'count_unshredded', users }));
  }

  private async ask(request: IndexRequest): Promise<unknown> {
    const reply = await this.thread.ask(request);
    if (reply.kind === 'done') return reply.value;
    if (reply.kind === 'start_over') this.startOver();
    throw new IndexUnavailable(
      reply.kind === 'failed' ? `the index failed: ${reply.code}` : 'the index is being rebuilt',
    );
  }

  private async follow(): Promise<void> {
    if (!this.thread.running) await this.thread.start();
    const mark = (await this.ask({ kind: 'mark' })) as Mark | undefined;
    const fits = mark !== undefined && (await this.isMadeFromThisLog(mark));
    if (mark !== undefined && !fits) await this.ask({ kind: 'reset' });
    this.stored = fits ? mark.position : 0n;
    this.generation += 1;
    if (this.closing.signal.aborted) return;
    this.subscription = this.log.subscribe(
      { after: this.stored, categories: INDEX_CATEGORIES, intervalMs: INTERVAL_MS, damaged: 'shown' },
      {
        onEvents: (events) => this.take(events),
        onCaughtUp: (position) => {
          this.unreadable = undefined;
          this.gate.advance(position);
        },
        onError: (error) => this.note(error),
      },
    );
  }

  /** A log that was restored from a backup is shorter or continues differently. */
  private async isMadeFromThisLog({ position, stream, revision, id }: Mark): Promise<boolean> {
    if ((await this.log.end()) < position) return false;
    const events = await this.log.readAll({
      after: justBefore(position),
      categories: INDEX_CATEGORIES,
      limit: 1,
      damaged: 'shown',
    });
    const last = events.find((event) => event.stream === stream && event.revision === revision);
    if (last?.position !== position) return false;
    // Damage does not make it another log. An index that is made again does not know the call of the damaged event.
    return id === '' || isDamaged(last) || verifySealed(last.json)?.id === id;
  }

  private note(error: unknown): void {
    if (error instanceof LogUnavailable) this.unreadable = error;
  }

  /** The next events arrive only after these are in the file. */
  private async take(events: readonly RecordedEvent[]): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) return;
    const cells: Cell[] = [];
    for (const { position, stream, revision, type, json } of events) cells.push(position, stream, revision, type, json);
    const { position, stream, revision } = last;
    const mark = { position, stream, revision, id: verifySealed(last.json)?.id ?? '' };
    await this.ask({ kind: 'ingest', from: this.stored, mark, cells });
    this.stored = position;
    this.gate.advance(position);
  }

  /** Follows the log again from the position of the file, at once and then with growing pauses. */
  private startOver(): void {
    if (this.closing.signal.aborted || this.opening !== undefined) return;
    this.gate.restart();
    this.generation += 1;
    // Not awaited: this may be called from its own handler.
    void this.subscription?.close();
    this.opening = this.reopen().finally(() => (this.opening = undefined));
  }

  private async reopen(): Promise<void> {
    const { signal } = this.closing;
    const backoff = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS);
    while (!signal.aborted) {
      try {
        return await this.follow();
      } catch (error) {
        this.note(error);
        await pause(backoff.nextMs(), undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }
}
