import { everyEvent } from '../event-log/every-event.js';
import { DamagedEvidence, isDamaged, LogOverloaded, type RecordedEvent } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import { instanceDecider, type InstanceCommand, type InstanceEvent } from '../instance/decider.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { ControlView } from '../control/control-view.js';
import { families } from '../streams/catalogue.js';
import { writeOf } from '../streams/facts.js';

const MAX_WAITING = 4096;
const MAX_TOGETHER = 256;
const MAX_TRIES = 16;

export type DeskAnswer = Result<{ position: bigint }, Refusal>;

interface Asked {
  readonly caller: Caller;
  readonly command: InstanceCommand;
  /** Whether the command is still needed when its turn comes. */
  readonly isStill: () => boolean;
  readonly answer: PromiseWithResolvers<DeskAnswer>;
}

/**
 * The only writer of `instances-<host>` in this process. Commands that arrive during an append share the next one, because
 * all instances acknowledge a directive at about the same time.
 */
export class InstanceStreamWriter {
  state = instanceDecider.initialState();
  private revision = 0;
  private position = 0n;
  private waiting: Asked[] = [];
  private running = false;
  /** The state may hold facts that were not recorded. */
  isAhead = false;
  /** An event of the stream is damaged. */
  private hasHole = false;

  constructor(
    private readonly log: SettledLog,
    private readonly view: ControlView,
    private readonly stream: string,
    /** Called with each fact once it is durable. */
    private readonly onFact: (event: InstanceEvent) => void,
  ) {}

  get isBusy(): boolean {
    return this.running;
  }

  /** Reads the state again if it may hold unrecorded facts; does nothing while busy. Throws `LogUnavailable`. */
  async settle(): Promise<void> {
    if (!this.isAhead || this.running) return;
    this.running = true;
    try {
      await this.readAgain();
    } finally {
      this.running = false;
      if (this.waiting.length > 0) void this.run();
    }
  }

  /**
   * Folds in an event that was read from the log. A damaged one may have been the first about an instance, so later events
   * may be about an instance that nobody has seen.
   */
  apply(recorded: RecordedEvent): void {
    const { revision, position } = recorded;
    if (revision <= this.revision) return;
    this.revision = revision;
    this.position = position;
    if (isDamaged(recorded)) this.hasHole = true;
    else {
      const event = families.instances.read(recorded.json);
      this.fold(event);
      this.onFact(event);
    }
  }

  private fold(event: InstanceEvent): void {
    const { instanceId } = event.data;
    if (this.hasHole && !this.state.has(instanceId)) {
      const { actor, time } = event;
      this.state = instanceDecider.evolve(this.state, { type: 'InstanceSeen', data: { instanceId }, actor, time });
    }
    this.state = instanceDecider.evolve(this.state, event);
  }

  /** Decides and appends. `position` is at or after all facts of the host. Throws `LogUnavailable`, `LogOverloaded`. */
  ask(caller: Caller, command: InstanceCommand, isStill = (): boolean => true): Promise<DeskAnswer> {
    if (this.waiting.length >= MAX_WAITING)
      return Promise.reject(new LogOverloaded('too many instances acknowledge at once'));
    const answer = Promise.withResolvers<DeskAnswer>();
    this.waiting.push({ caller, command, isStill, answer });
    if (!this.running) void this.run();
    return answer.promise;
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const together = this.waiting.splice(0, MAX_TOGETHER);
      try {
        await this.record(together);
      } catch (error) {
        for (const { answer } of together) answer.reject(error);
      }
    }
    this.running = false;
  }

  private async record(together: readonly Asked[]): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      if (this.isAhead) await this.readAgain();
      const { facts, settle, checks } = this.decide(together);
      if (facts.length === 0) return settle(this.position);
      this.isAhead = true;
      const write = writeOf(this.stream, this.revision, facts);
      const outcome = await this.log.append({ writes: [write], checks });
      if (outcome.kind === 'committed') {
        this.isAhead = false;
        this.revision += facts.length;
        this.position = outcome.position;
        for (const fact of facts) this.onFact(fact);
        return settle(outcome.position);
      }
      await this.view.refresh(outcome.violations.map(({ stream }) => stream));
    }
    for (const { answer } of together) answer.resolve(err(refusal('revision_conflict', 'try again')));
  }

  /** Decides each command in turn. The checks are the callers' preconditions, all of one principal: the host. */
  private decide(together: readonly Asked[]) {
    const facts: InstanceEvent[] = [];
    const checks = new Map<string, number>();
    const refused = new Map<Asked, Refusal>();
    for (const asked of together) {
      if (!asked.isStill()) continue;
      const standing = callerPrecondition(this.view, asked.caller);
      const decided = standing.ok ? instanceDecider.decide(asked.command, this.state) : standing;
      if (!standing.ok || !decided.ok) {
        if (!decided.ok) refused.set(asked, decided.error);
        continue;
      }
      for (const { stream, expected } of standing.value) checks.set(stream, expected);
      for (const event of decided.value) {
        this.state = instanceDecider.evolve(this.state, event);
        facts.push(event);
      }
    }
    const settle = (position: bigint): void => {
      for (const asked of together) {
        const refusal = refused.get(asked);
        asked.answer.resolve(refusal === undefined ? ok({ position }) : err(refusal));
      }
    };
    return { facts, settle, checks: [...checks].map(([stream, expected]) => ({ stream, expected })) };
  }

  private async readAgain(): Promise<void> {
    const events = await this.wholeOrShown();
    const seen = this.revision;
    this.state = instanceDecider.initialState();
    for (const recorded of events) {
      if (recorded.revision > seen) this.apply(recorded);
      else if (isDamaged(recorded)) this.hasHole = true;
      else this.fold(families.instances.read(recorded.json));
    }
    this.isAhead = false;
  }

  /** The events of the stream. If one of them is damaged, it is shown in its place. */
  private async wholeOrShown(): Promise<readonly RecordedEvent[]> {
    try {
      return await this.log.read(this.stream);
    } catch (error) {
      if (!(error instanceof DamagedEvidence)) throw error;
      const events: RecordedEvent[] = [];
      const categories = [families.instances.category];
      for await (const event of everyEvent(this.log, { after: 0n, categories, damaged: 'shown' }))
        if (event.stream === this.stream) events.push(event);
      return events;
    }
  }
}
