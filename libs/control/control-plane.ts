import type { Batch, Blob, StreamCheck, StreamWrite } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import { defined } from '../kernel/defined.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import type { Instant } from '../kernel/time.js';
import { callerPrecondition, type Caller } from './caller.js';
import type { ControlView } from './control-view.js';
import type { LogTime } from './log-time.js';
import { isStop, isUrgent } from './stops.js';

/** The appends of a command: none if all of it is recorded already. */
export interface Plan {
  readonly writes: readonly StreamWrite[];
  readonly checks?: readonly StreamCheck[];
  readonly blobs?: readonly Blob[];
}

/** More than the commands that may race for one stream. One of them wins each round, and an emergency stop must not lose. */
const MAX_TRIES = 64;

/** Runs commands of the control plane: decides on the view, appends the facts, and folds them into the view. */
export class ControlPlane {
  constructor(
    private readonly log: SettledLog,
    readonly view: ControlView,
    readonly time: LogTime,
  ) {}

  /**
   * Plans and appends. If another append was first, it plans again on the newer state, up to `MAX_TRIES` times; then it
   * answers 409. Each append checks the caller's own stream, so removing a principal also stops its commands in flight.
   * `position` is at or after everything that the command recorded, now or at its first attempt. Throws what the log
   * throws: `OutcomeUnknown` if the command may have been carried out. After that error only a stop may still take effect.
   * `prepare` reads what the plan needs from the log, before each try. The plan reads live states and must not wait.
   */
  async run<Prepared = undefined>(
    caller: Caller,
    plan: (now: Instant, prepared: Prepared) => Result<Plan, Refusal>,
    prepare?: () => Promise<Prepared>,
  ): Promise<Result<{ position: bigint }, Refusal>> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const prepared = (await prepare?.()) as Prepared;
      const planned = inOneTurn(() => this.batchOf(caller, (now) => plan(now, prepared)));
      if (!planned.ok) return planned;
      const batch = planned.value;
      if (batch.writes.length === 0) return ok({ position: await this.log.end() });
      const outcome = await this.log.append(batch);
      if (outcome.kind === 'committed') {
        this.view.applyCommitted(batch.writes, outcome.position);
        return ok({ position: outcome.position });
      }
      await this.view.refresh(outcome.violations.map((violation) => violation.stream));
    }
    return err(refusal('revision_conflict', 'others changed the same thing meanwhile; try again'));
  }

  /** Plans, and adds to the checks of the plan that the caller may act. A batch without writes has nothing to append. */
  private batchOf(caller: Caller, plan: (now: Instant) => Result<Plan, Refusal>): Result<Batch, Refusal> {
    const precondition = callerPrecondition(this.view, caller);
    if (!precondition.ok) return precondition;
    const planned = plan(this.time.now());
    if (!planned.ok) return planned;
    const { checks = [], blobs = [] } = planned.value;
    const writes = planned.value.writes.filter((write) => write.events.length > 0);
    // A write has its own precondition: a caller may be the very principal that the command is about.
    const written = new Set(writes.map(({ stream }) => stream));
    const own = precondition.value.filter(({ stream }) => checks.every((check) => check.stream !== stream));
    const unwritten = [...own, ...checks].filter(({ stream }) => !written.has(stream));
    const urgent = isUrgent({ writes, blobs });
    const kind = defined({ standing: isStop(writes), urgent: urgent ? true : undefined });
    return ok({ writes, checks: unwritten, blobs, ...kind });
  }
}
