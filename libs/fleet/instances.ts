import { rootAt } from '../directive/decider.js';
import { everyEvent } from '../event-log/every-event.js';
import { DamagedEvidence, isDamaged, LogOverloaded, type RecordedEvent } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import type { InstanceCommand } from '../instance/decider.js';
import { Rollouts, type Propagation } from './rollouts.js';
import type { Digest } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import type { Caller } from '../control/caller.js';
import type { ControlView } from '../control/control-view.js';
import { families, type EventsOf } from '../streams/catalogue.js';
import { InstanceStreamWriter } from './instance-stream-writer.js';
import type { LogTime } from '../control/log-time.js';
import { ProofCheck } from './proof-check.js';

export interface Acknowledgement {
  readonly instanceId: string;
  readonly epoch: number;
  readonly stateRoot: Digest;
  readonly appliedAt: Instant;
  /** Of a beat of that epoch, and the proof that the instance made with it. */
  readonly nonce?: string | undefined;
  readonly proof?: Digest | undefined;
}

export interface InstancesOptions {
  readonly leaseMs: number;
  readonly skewMs: number;
  /** Whether an acknowledgement without a proof is refused. */
  readonly ackProof: 'optional' | 'required';
  /** Whether a beat of an epoch had this nonce lately. */
  readonly isCurrent: (nonce: string, epoch: number) => boolean;
  /** Called when an instance acknowledges a directive, with the time since the commit in milliseconds. */
  readonly onAcknowledged?: (latencyMs: number) => void;
}

const LOOK_MS = 250;
const EVERY = {
  after: 0n,
  categories: [families.directives.category, families.instances.category],
  damaged: 'shown',
} as const;
const LEASE_ACTOR = { name: 'system:lease' };
/** Rollouts that are computed from the log at once. Each reads all events of directives and instances. */
const MAX_READ_BACK = 2;

/** The last sign of life of an instance, by the monotonic clock. */
interface Sign {
  /** The time of the last beat to it, or of its last request. */
  lastMs: number;
  /** The time of its last acknowledgement without news. Undefined if it acknowledges only news. */
  ackMs?: number | undefined;
}

/**
 * The instances of hosts: their leases, the epochs that they applied, and with these the rollout of each directive. An
 * instance is stale after a silence of the lease plus the allowed skew of clocks.
 */
export class Instances {
  private readonly writers = new Map<string, InstanceStreamWriter>();
  private readonly signs = new Map<string, Sign>();
  private readonly rollouts = new Rollouts();
  private readonly graceMs: number;
  private timer: NodeJS.Timeout | undefined;
  private stopListening: (() => void) | undefined;
  private readingBack = 0;
  private readonly proofs = new ProofCheck();
  /** Called for an instance that used to acknowledge without news, as a sign of life, and stopped doing so. */
  onSilent: (host: string, instanceId: string) => void = () => undefined;

  constructor(
    private readonly log: SettledLog,
    private readonly view: ControlView,
    private readonly time: LogTime,
    private readonly options: InstancesOptions,
  ) {
    this.graceMs = options.leaseMs + options.skewMs;
  }

  /**
   * Reads all events of instances. An instance with a lease counts as heard of now. A damaged event of an instance is
   * passed over: nothing is allowed by it. Throws `LogUnavailable`, `UnreadableEvent`.
   */
  async start(): Promise<void> {
    for await (const recorded of everyEvent(this.log, EVERY)) {
      const host = families.instances.idOf(recorded.stream);
      if (host === undefined) issuedIn(this.rollouts, directiveIn(recorded));
      else this.writerOf(host).apply(recorded);
    }
    this.stopListening = this.view.listen(({ event, isOwn }) => {
      if (families.directives.owns(event)) issuedIn(this.rollouts, event, isOwn ? this.nowMs() : undefined);
    });
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.stopListening?.();
  }

  /** Records that an instance began to listen. Throws `LogUnavailable`, `LogOverloaded`. */
  see(host: Caller, instanceId: string): Promise<Result<{ position: bigint }, Refusal>> {
    return this.ask(host, { type: 'see', instanceId, actor: host.name, time: this.time.now() });
  }

  /** Records the epoch that an instance has applied. Throws `LogUnavailable`, `LogOverloaded`. */
  async acknowledge(host: Caller, ack: Acknowledgement): Promise<Result<{ position: bigint }, Refusal>> {
    const time = this.time.now();
    const nowMs = this.time.monotonicMs();
    const acknowledged = this.writerOf(host.name).state.get(ack.instanceId)?.acknowledged;
    const { instanceId, epoch, stateRoot, appliedAt } = ack;
    const expectedRoot = rootAt(this.view.directives().state, epoch);
    const proven = expectedRoot === stateRoot ? this.provenBy(ack) : ok(false);
    if (!proven.ok) return proven;
    const claim = { instanceId, epoch, stateRoot, appliedAt, expectedRoot, proven: proven.value };
    const answer = await this.ask(host, { type: 'acknowledge', ...claim, actor: host.name, time });
    const sign = this.signs.get(signOf(host.name, ack.instanceId));
    if (!answer.ok || sign === undefined) return answer;
    const isNews = acknowledged === undefined || ack.epoch > acknowledged;
    // An instance owes one acknowledgement of each epoch.
    if (!isNews || sign.ackMs !== undefined) sign.ackMs = nowMs;
    return answer;
  }

  /** A beat was sent to an instance. An instance that was stale for lack of beats regains its lease. */
  beatLeft(host: Caller, instanceId: string): void {
    const sign = this.signs.get(signOf(host.name, instanceId));
    if (sign !== undefined) sign.lastMs = this.time.monotonicMs();
    // If it cannot be recorded, the next beat tries again.
    else this.see(host, instanceId).catch(() => undefined);
  }

  /** The rollout of a directive; undefined if there is none with this id. Throws `LogUnavailable`, `LogOverloaded`. */
  async propagation(id: string): Promise<Propagation | undefined> {
    const directive = this.view.directives().state.all.get(id);
    if (directive === undefined) return undefined;
    const kept = this.rollouts.of(id, directive.state);
    if (kept !== undefined) return kept;
    if (this.readingBack >= MAX_READ_BACK) throw new LogOverloaded('too many queries for old directives at once');
    this.readingBack += 1;
    try {
      const only = new Rollouts(id);
      for await (const recorded of everyEvent(this.log, EVERY)) {
        const host = families.instances.idOf(recorded.stream);
        if (host === undefined) issuedIn(only, directiveIn(recorded));
        else if (!isDamaged(recorded)) only.apply(host, families.instances.read(recorded.json));
      }
      return only.of(id, directive.state);
    } finally {
      this.readingBack -= 1;
    }
  }

  counts(): { readonly live: number; readonly stale: number } {
    let live = 0;
    let all = 0;
    for (const { state } of this.writers.values()) {
      all += state.size;
      for (const { stale } of state.values()) if (!stale) live += 1;
    }
    return { live, stale: all - live };
  }

  /** Whether an acknowledgement with the right root proves that its instance holds the state. */
  private provenBy({ instanceId, epoch, nonce, proof }: Acknowledgement): Result<boolean, Refusal> {
    if (nonce === undefined || proof === undefined) {
      if (this.options.ackProof === 'optional') return ok(false);
      return err(refusal('ack_refused', 'an acknowledgement needs a proof here: send nonce and proof'));
    }
    if (!this.options.isCurrent(nonce, epoch))
      return err(refusal('ack_refused', 'no recent beat of that epoch has this nonce'));
    if (this.proofs.expected(this.view.directives().state, epoch)(instanceId, nonce) !== proof)
      return err(refusal('ack_refused', 'the proof does not show the state at that epoch'));
    return ok(true);
  }

  private async ask(caller: Caller, command: InstanceCommand): Promise<Result<{ position: bigint }, Refusal>> {
    const answer = await this.writerOf(caller.name).ask(caller, command);
    if (answer.ok) this.signed(caller.name, command.instanceId);
    return answer;
  }

  private signed(host: string, instanceId: string): void {
    const key = signOf(host, instanceId);
    const lastMs = this.time.monotonicMs();
    const sign = this.signs.get(key);
    if (sign === undefined) this.signs.set(key, { lastMs });
    else sign.lastMs = lastMs;
  }

  private writerOf(host: string): InstanceStreamWriter {
    const known = this.writers.get(host);
    if (known !== undefined) return known;
    const writer = new InstanceStreamWriter(this.log, this.view, families.instances.stream(host), (event) => {
      const { instanceId } = event.data;
      if (event.type === 'HostStale') this.signs.delete(signOf(host, instanceId));
      else if (!this.signs.has(signOf(host, instanceId))) this.signed(host, instanceId);
      for (const latencyMs of this.rollouts.apply(host, event)) this.options.onAcknowledged?.(latencyMs);
    });
    this.writers.set(host, writer);
    return writer;
  }

  /** Finds instances that were silent for too long. */
  private look(): void {
    const nowMs = this.time.monotonicMs();
    for (const [host, writer] of this.writers) {
      if (writer.isBusy) continue;
      if (writer.isAhead) {
        // It cannot miss an instance that it does not know, so it reads the state first.
        writer.settle().catch(() => undefined);
        continue;
      }
      for (const [instanceId, { stale }] of writer.state) {
        const sign = stale ? undefined : this.signs.get(signOf(host, instanceId));
        if (sign === undefined) continue;
        const { lastMs, ackMs } = sign;
        if (ackMs !== undefined && nowMs - ackMs > this.graceMs) {
          sign.ackMs = undefined;
          this.onSilent(host, instanceId);
        }
        const lateMs = nowMs - lastMs - this.graceMs;
        if (lateMs <= 0) continue;
        const time = this.time.now();
        const leaseEndedAt = toInstant(Math.floor(toMs(time) - lateMs));
        const isStill = (): boolean => sign.lastMs === lastMs;
        const command = { type: 'expire-lease', instanceId, leaseEndedAt, actor: LEASE_ACTOR.name, time } as const;
        // If it cannot be recorded, the next look finds it again.
        writer.ask(LEASE_ACTOR, command, isStill).catch(() => undefined);
      }
    }
  }

  private nowMs(): number {
    return toMs(this.time.now());
  }
}

const signOf = (host: string, instanceId: string): string => `${host} ${instanceId}`;

/** The revision of the stream `directives` is the epoch. */
function issuedIn(rollouts: Rollouts, event: EventsOf<'directives'>, committedMs = toMs(event.time)): void {
  if (event.type === 'DirectiveIssued') rollouts.issued(event.data.id, event.revision, committedMs);
}

/** An event about a directive. Hosts follow them, so a damaged one is not passed over: it throws `DamagedEvidence`. */
function directiveIn(recorded: RecordedEvent): EventsOf<'directives'> {
  const { position, stream, revision, json } = recorded;
  if (isDamaged(recorded))
    throw new DamagedEvidence(`the event at position ${position} is damaged`, { position, stream, revision });
  return families.directives.read(json);
}
