import type { CallIndex } from '../audit/index/call-index.js';
import type { Caller } from '../control/caller.js';
import type { ControlPlane } from '../control/control-plane.js';
import type { Shredder } from '../decision-point/shredder.js';
import { OutcomeUnknown, type EventLog } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { KeyringUnavailable, type Keyring } from '../payloads/keyring.js';
import { families } from '../streams/catalogue.js';
import { erasureWrite } from './facts.js';
import { SYSTEM } from './system.js';

/** Tasks whose keys are destroyed by one write. */
const BATCH = 64;
const STREAM = families.erasures.stream();

export interface Erased {
  /** At or after everything that was recorded. */
  readonly position: bigint;
  readonly shreddedTasks: number;
}

/** Erases users: the key of the pseudonym, which is all that leads to the person, and the content of all their tasks. */
export class Eraser {
  constructor(
    private readonly log: Pick<EventLog, 'read' | 'head' | 'end'>,
    private readonly plane: ControlPlane,
    private readonly keys: Keyring,
    private readonly index: Pick<CallIndex, 'asOf' | 'countUnshredded' | 'unshredded'>,
    private readonly shredder: Shredder,
  ) {}

  /**
   * Records `UserErased`, destroys the key of the pseudonym, then shreds the tasks; open ones are closed by that. The same
   * request again continues after a failure. Nothing is recorded if nothing is known about the user. Throws what the log
   * and the index throw, and `OutcomeUnknown` if a part of it is still to be done.
   */
  async erase(userId: string, caller: Caller, reason: string): Promise<Result<Erased, Refusal>> {
    const known = await this.keys.knownPseudonym(userId);
    const names = known === undefined ? [userId] : [userId, known];
    await this.index.asOf();
    // Events of before pseudonyms hold the id itself.
    const tasks = await this.index.countUnshredded(names);
    if (known === undefined && tasks === 0) return ok({ position: await this.log.end(), shreddedTasks: 0 });
    const pseudonym = known ?? (await this.keys.pseudonymOf(userId));
    const data = { pseudonym, shreddedTasks: tasks, reason };
    const recorded = await this.plane.run(
      caller,
      (time, head: number) => ok({ writes: [erasureWrite(head, data, { actor: caller.name, time })] }),
      () => this.log.head(STREAM),
    );
    if (!recorded.ok) return recorded;
    await this.destroyKey(pseudonym);
    const shreddedTasks = await this.shredAll(names, caller);
    return ok({ position: await this.log.end(), shreddedTasks });
  }

  /** Completes what a crash, or a store that failed, left undone. */
  async complete(): Promise<void> {
    const erased = (await this.log.read(STREAM)).map(({ json }) => families.erasures.read(json).data.pseudonym);
    for (const pseudonym of erased) if (this.keys.holdsUser(pseudonym)) await this.keys.eraseUser(pseudonym);
    if (erased.length > 0) await this.shredAll(erased, SYSTEM);
  }

  private async destroyKey(pseudonym: string): Promise<void> {
    try {
      await this.keys.eraseUser(pseudonym);
    } catch (error) {
      if (!(error instanceof KeyringUnavailable)) throw error;
      throw new OutcomeUnknown('the erasure is recorded, and the key could not be destroyed yet');
    }
  }

  /** Once the key is gone no task is opened under the pseudonym, so this ends. */
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
