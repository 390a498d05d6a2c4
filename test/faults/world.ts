import { Approver } from '../../libs/decision-point/approver.js';
import { Authorizer } from '../../libs/decision-point/authorizer.js';
import type { Caller } from '../../libs/control/caller.js';
import { ControlPlane } from '../../libs/control/control-plane.js';
import { ControlView } from '../../libs/control/control-view.js';
import { DecisionEngines } from '../../libs/decision-point/engines.js';
import { LogTime, newestEventMs } from '../../libs/control/log-time.js';
import { RefusalRecorder } from '../../libs/decision-point/refusal-recorder.js';
import { Responder } from '../../libs/decision-point/responder.js';
import { TaskLanes } from '../../libs/decision-point/task-lanes.js';
import { Tasks } from '../../libs/decision-point/tasks.js';
import { MemoryLog } from '../../libs/event-log/memory/memory-log.js';
import { OutcomeUnknown, type Batch, type EventLog } from '../../libs/event-log/port.js';
import { settledLog, type SettledLog, type SettledOutcome } from '../../libs/event-log/settled.js';
import { digestOf } from '../../libs/kernel/digest.js';
import type { Clock } from '../../libs/kernel/time.js';
import type { Keyring } from '../../libs/payloads/keyring.js';
import { memoryKeyring } from '../../libs/payloads/memory-keyring.js';
import type { Handling } from '../../libs/vocabulary/quarantine.js';
import type { Chance } from '../support/chance.js';
import { inlineDesk, RESPONSE_LIMITS } from '../support/responses.js';
import { HOSTS, type Ground } from './ground.js';
import { heldLog, type HeldLog } from './held-log.js';
import type { Breach } from './oracle.js';
import { Scheduler, type Fate, type Gate, type Life } from './scheduler.js';

/** A faulty part that replaces a sound one. Only the tests of the simulation have one. */
export interface Defect {
  readonly name: string;
  /** The only promise that is checked: a defect may break others on the way. */
  readonly breaks: Breach['promise'];
  readonly log?: (log: EventLog, world: World) => EventLog;
  readonly settled?: (log: SettledLog) => SettledLog;
  readonly engines?: (engines: DecisionEngines) => DecisionEngines;
  readonly clock?: (clock: Clock) => Clock;
  /** Runs once at some step, in addition to the history. */
  readonly act?: (world: World) => Promise<void>;
}

/** An event whose append was answered with a failure. */
interface FailedEvent {
  readonly step: number;
  readonly standing: boolean;
  /** The answer said that it may have been written. */
  readonly isUnknown: boolean;
  /** A copy was under way to the store when it was answered. */
  readonly isLate: boolean;
}

/** One life of the service core, without HTTP. */
export interface Service {
  readonly life: Life;
  readonly held: HeldLog;
  readonly view: ControlView;
  readonly plane: ControlPlane;
  readonly tasks: Tasks;
  readonly authorizer: Authorizer;
  readonly responder: Responder;
  readonly approver: Approver;
}

/** How severe the faults of a history are. */
export interface Weather {
  readonly leaseMs: number;
  /** Share of appends that meet a fault. */
  readonly faults: number;
  /** Appends reach the store in the order in which they were sent. */
  readonly inOrder: boolean;
  /** Unknown appends may be written long after they were given up. */
  readonly late: boolean;
  /** Appends of a process that has died may reach the store while the next one runs. No embedded store allows that. */
  readonly stragglers: boolean;
  /** Share of reads that wait, and that fail. */
  readonly heldReads: number;
  readonly failedReads: number;
  /** Policies and schemas are loaded again after each restart. */
  readonly coldEngines: boolean;
  /** Calls have content that is filtered, quarantined or approved. Only some histories have it, chosen apart. */
  readonly content: { readonly quarantine: Handling } | undefined;
}

export const weatherOf = (chance: Chance, content: Chance, stragglers = false): Weather => ({
  leaseMs: chance.of([300, 5_000]),
  faults: chance.of([0, 0.05, 0.3]),
  inOrder: chance.happens(0.8),
  late: chance.happens(0.2),
  stragglers,
  heldReads: chance.of([0, 0.2]),
  failedReads: chance.of([0, 0, 0.02]),
  coldEngines: chance.happens(0.005),
  content: content.happens(0.5) ? { quarantine: content.of(['quote', 'hold', 'refuse']) } : undefined,
});

/** The durable things (log, keys), the clock, and the service that lives on them. */
export class World {
  readonly inner = new MemoryLog();
  readonly keys: Keyring = memoryKeyring();
  readonly scheduler: Scheduler;
  /** When each event was first sent, on the monotonic clock. */
  readonly sentAtMs = new Map<string, number>();
  /** Events whose append was answered with a failure, by their ids, with the step of the answer. */
  readonly failed = new Map<string, FailedEvent>();
  /** How many appends of an event have no answer yet, by its id. The same command at the same time is the same fact. */
  private readonly underWay = new Map<string, number>();
  private readonly contested = new Set<string>();
  private readonly late = new WeakSet<Batch>();
  step = 0;
  /** Tokens of the hosts as they themselves know them; the last is the newest. */
  readonly tokens = new Map<string, string[]>(HOSTS.map((host) => [host, [digestOf(host)]]));
  service!: Service;
  restarts = 0;

  /** `chance` is the chance of the current step. */
  constructor(
    readonly ground: Ground,
    readonly weather: Weather,
    public chance: Chance,
    readonly defect?: Defect,
  ) {
    this.scheduler = new Scheduler(() => this.chance);
  }

  /** Lays the ground and starts the service. */
  async start(): Promise<void> {
    for (const batch of this.ground.batches) await this.scheduler.finish(this.inner.append(batch));
    await this.boot();
  }

  /** The process dies with everything it holds in memory, and another one starts on what is durable. */
  async restart(): Promise<void> {
    const { life, held } = this.service;
    this.restarts += 1;
    this.scheduler.bury(life, () => this.chance.happens(0.5));
    held.bury();
    // Everything that survives the death has arrived before another process can begin.
    if (!this.weather.stragglers) {
      for (const gate of this.scheduler.gates.slice()) this.scheduler.letGo(gate);
    }
    await this.scheduler.drain();
    await this.boot();
  }

  /** A host as a caller, with its newest token or, if `stale`, with its first one. */
  callerOf(host: string, stale = false): Caller {
    const tokens = this.tokens.get(host) ?? [];
    const tokenDigest = stale ? tokens[0] : tokens.at(-1);
    return tokenDigest === undefined
      ? { name: host }
      : { name: host, identity: { type: 'token', digest: tokenDigest } };
  }

  /** A gate that may be released now, by chance. */
  anyGate(): Gate | undefined {
    const { gates } = this.scheduler;
    const first = gates.find(({ kind, life }) => kind === 'arrival' && !life.dead);
    const free = this.weather.inOrder
      ? gates.filter((gate) => gate.kind !== 'arrival' || gate.life.dead || gate === first)
      : gates;
    return free.length === 0 ? undefined : this.chance.of(free);
  }

  fate(): Fate {
    if (!this.chance.happens(this.weather.faults)) return 'none';
    return this.chance.of(['failed', 'persisted', 'overloaded', 'refused', this.weather.late ? 'late' : 'failed']);
  }

  private async boot(): Promise<void> {
    const life: Life = { number: this.restarts, dead: false };
    const { weather, scheduler, defect } = this;
    const held = heldLog(this.inner, scheduler, life, {
      onSent: (batch) => this.noteSent(batch),
      onLate: (batch) => this.late.add(batch),
      isHeld: () => this.chance.happens(weather.heldReads),
      isUnreadable: () => started && this.chance.happens(weather.failedReads),
    });
    let started = false;
    const clock = defect?.clock?.(scheduler.clock) ?? scheduler.clock;
    const settled = settledLog(defect?.log?.(held, this) ?? held, { clock: scheduler.clock });
    const log = this.watched(defect?.settled?.(settled) ?? settled);
    // Only one capability is awake: the others rest and are woken all the time.
    const view = new ControlView(log, 1);
    const latestMs = await scheduler.until(
      life,
      view.start().then(() => newestEventMs(log)),
    );
    started = true;
    const time = new LogTime(clock, view, latestMs);
    const plane = new ControlPlane(log, view, time);
    const sound = weather.coldEngines ? new DecisionEngines(log) : this.ground.engines;
    const engines = defect?.engines?.(sound) ?? sound;
    const lanes = new TaskLanes(log, this.keys, view);
    const desk = inlineDesk(engines);
    const flow = { mode: 'detect', contextLevel: 'confidential' } as const;
    const approvals = { goodForMs: 600_000, skewMs: 500 };
    const point = { log, view, lanes, engines, time, approvals, desk, flow };
    const refusals = new RefusalRecorder(point, weather.leaseMs);
    this.service = {
      life,
      held,
      view,
      plane,
      tasks: new Tasks(log, plane, lanes, this.keys),
      authorizer: new Authorizer(point, refusals, weather.leaseMs),
      responder: new Responder(point, desk, { ...RESPONSE_LIMITS, ...weather.content }),
      approver: new Approver(point),
    };
  }

  /**
   * Wraps a log. Remembers the events that it answered with a failure, unless the same fact is on its way from
   * elsewhere.
   */
  private watched(log: SettledLog): SettledLog {
    const append = async (batch: Batch): Promise<SettledOutcome> => {
      const ids = batch.writes.flatMap(({ events }) => events.map(({ id }) => id));
      const earlier = new Map(ids.map((id) => [id, this.failed.get(id)]));
      // The same fact may be asked for again, and be recorded then.
      for (const id of ids) {
        this.failed.delete(id);
        this.underWay.set(id, (this.underWay.get(id) ?? 0) + 1);
      }
      try {
        return await log.append(batch);
      } catch (error) {
        for (const id of ids) {
          const before = earlier.get(id);
          const isUnknown = error instanceof OutcomeUnknown || before?.isUnknown === true;
          const isLate = this.late.has(batch) || before?.isLate === true;
          const failed = { step: this.step, standing: batch.standing === true, isUnknown, isLate };
          // Of two concurrent appends, neither answer tells the fate of the other.
          if (this.underWay.get(id) !== 1) this.contested.add(id);
          if (!this.contested.has(id)) this.failed.set(id, failed);
        }
        throw error;
      } finally {
        for (const id of ids) this.underWay.set(id, (this.underWay.get(id) ?? 0) - 1);
      }
    };
    return { ...log, append };
  }

  private noteSent({ writes }: Batch): void {
    for (const { events } of writes) {
      for (const { id } of events) if (!this.sentAtMs.has(id)) this.sentAtMs.set(id, this.scheduler.nowMs);
    }
  }
}
