import type { CallIndex } from '../audit/index/call-index.js';
import type { Caller } from '../control/caller.js';
import type { ControlPlane } from '../control/control-plane.js';
import type { Shredder } from '../decision-point/shredder.js';
import { OutcomeUnknown, type EventLog } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { KeyringUnavailable, type Keyring } from '../payloads/keyring.js';
import { isPseudonym, type Pseudonym } from '../payloads/pseudonym.js';
import { families } from '../streams/catalogue.js';
import { erasureWrite } from './facts.js';
import { SYSTEM } from './system.js';

/** Tasks whose keys are destroyed by one write. */
const BATCH = 64;
const STREAM = families.erasures.stream();
/** The time in which an append that began before the key was destroyed may still open a task, in milliseconds. */
const LATE_MS = 600_000;

export interface Erased {
  /** At or after everything that was recorded. */
  readonly position: bigint;
  readonly shreddedTasks: number;
}

/** Erases users: the key of the pseudonym, which is all that leads to the person, and the content of all their tasks. */
export class Eraser {
  /** The last revision of `erasures` that was read. */
  private seen = 0;
  /** Pseudonyms whose tasks are looked for, and since when, on the monotonic clock. */
  private readonly unfinished = new Map<string, number>();

  constructor(
    private readonly log: Pick<EventLog, 'read' | 'head' | 'end'>,
    private readonly plane: ControlPlane,
    private readonly keys: Keyring,
    private readonly index: Pick<CallIndex, 'asOf' | 'countUnshredded' | 'unshredded'>,
    private readonly shredder: Shredder,
    private readonly time: { monotonicMs(): number },
  ) {}

  /**
   * Records `UserErased`, destroys the key of the pseudonym, then shreds the tasks; open ones are closed by that. The same
   * request again continues after a failure. Nothing is recorded if nothing is known about the user. Throws what the log
   * and the index throw, and `OutcomeUnknown` if a part of it is still to be done.
   */
  async erase(userId: string, caller: Caller, reason: string): Promise<Result<Erased, Refusal>> {
    const known = await this.nameInEvents(userId);
    // The key may be destroyed already, by an erasure that failed after it.
    const completed = known === undefined ? await this.complete() : 0;
    const names = known === undefined || known === userId ? [userId] : [userId, known];
    await this.index.asOf();
    // Events of before pseudonyms hold the id itself.
    const tasks = await this.index.countUnshredded(names);
    if (known === undefined && tasks === 0) return ok({ position: await this.log.end(), shreddedTasks: completed });
    const pseudonym = known ?? (await this.keys.pseudonymOf(userId));
    const data = { pseudonym, shreddedTasks: tasks, reason };
    const recorded = await this.plane.run(
      caller,
      (time, head: number) => ok({ writes: [erasureWrite(head, data, { actor: caller.name, time })] }),
      () => this.log.head(STREAM),
    );
    if (!recorded.ok) return recorded;
    await this.destroyKey(pseudonym);
    const shreddedTasks = completed + (await this.shredAll(names, caller));
    return ok({ position: await this.log.end(), shreddedTasks });
  }

  /**
   * Completes what a crash, or a store that failed, left undone, and answers how many tasks were shredded. Call it again
   * from time to time: an append may be slow, and open a task after its user was erased.
   */
  async complete(): Promise<number> {
    const beganMs = this.time.monotonicMs();
    for (const { revision, json } of await this.log.read(STREAM, this.seen)) {
      this.unfinished.set(families.erasures.read(json).data.pseudonym, beganMs);
      this.seen = Math.max(this.seen, revision);
    }
    const erased = [...this.unfinished.keys()];
    if (erased.length === 0) return 0;
    for (const pseudonym of erased) {
      if (!this.keys.holdsUser(pseudonym)) continue;
      await this.destroyKey(pseudonym);
      this.unfinished.set(pseudonym, this.time.monotonicMs());
    }
    const shredded = await this.shredAll(erased, SYSTEM);
    for (const [pseudonym, sinceMs] of this.unfinished)
      if (beganMs - sinceMs >= LATE_MS) this.unfinished.delete(pseudonym);
    return shredded;
  }

  /** The pseudonym of a user. An admin may also give the pseudonym itself, as events show it. */
  private async nameInEvents(userId: string): Promise<Pseudonym | undefined> {
    const known = await this.keys.knownPseudonym(userId);
    return known ?? (isPseudonym(userId) && this.keys.holdsUser(userId) ? userId : undefined);
  }

  private async destroyKey(pseudonym: string): Promise<void> {
    try {
      await this.keys.eraseUser(pseudonym);
    } catch (error) {
      if (!(error instanceof KeyringUnavailable)) throw error;
      throw new OutcomeUnknown('the erasure is recorded, and the key could not be destroyed yet');
    }
  }

  /** Once the key is gone no append begins that opens a task under the pseudonym, so this ends. */
  private async shredAll(users: readonly string[], caller: Caller): Promise<number> {
    for (let shredded = 0; ;) {
      await this.index.asOf();
      const taskIds = await this.index.unshredded({ users }, BATCH);
      if (taskIds.length === 0) return shredded;
      const run = await this.shredder.shred(taskIds, caller, { cause: 'user' });
      if (!run.ok) throw new OutcomeUnknown('the erasure is recorded, and some tasks are not shredded yet');
      shredded += taskIds.length;
    }
  }
}
