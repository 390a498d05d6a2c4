import { rootAt, type DirectiveEvent } from '../directive/decider.js';
import { parseEvent } from '../event-log/event.js';
import { everyEvent } from '../event-log/every-event.js';
import { LogOverloaded, type RecordedEvent } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import type { InstanceCommand, InstanceEvent } from './decider.js';
import { Rollouts, type Propagation } from './rollouts.js';
import type { Digest } from '../kernel/digest.js';
import type { Refusal } from '../kernel/refusal.js';
import type { Result } from '../kernel/result.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import type { Caller } from '../control/caller.js';
import type { ControlView } from '../control/control-view.js';
import { InstanceDesk } from './instance-stream-writer.js';
import type { LogTime } from '../control/log-time.js';

export interface Acknowledgement {
  readonly instanceId: string;
  readonly epoch: number;
  readonly stateRoot: Digest;
  readonly appliedAt: Instant;
}

export interface InstancesOptions {
  readonly leaseMs: number;
  readonly skewMs: number;
  /** An instance has acknowledged a directive so long after its commit. */
  readonly onAcknowledged?: (latencyMs: number) => void;
}

const LOOK_MS = 250;
const PREFIX = 'instances-';
const CATEGORIES = ['directives', 'instances'];
const LOSING = { name: 'system:lease' };
/** Rollouts that are worked out from the log at once: each reads all there is of directives and instances. */
const MAX_READ_BACK = 2;

/** When an instance last showed that it is there, by the monotonic clock. */
interface Sign {
  /** A beat that left for it, or anything that it sent. */
  lastMs: number;
  /** What it acknowledged; undefined where it is not known to do so except where there is news. */
  ackMs?: number | undefined;
}

/**
 * The instances of hosts: which hold a lease, how far each has applied the directives, and with that how far each
 * directive has got. An instance of which nothing was heard for a lease and the skew of its clock is stale.
 */
export class Instances {
  private readonly desks = new Map<string, InstanceDesk>();
  private readonly signs = new Map<string, Sign>();
  private readonly rollouts = new Rollouts();
  private readonly graceMs: number;
  private timer: NodeJS.Timeout | undefined;
  private stopListening: (() => void) | undefined;
  private readingBack = 0;
  /** Told of an instance that used to acknowledge as a sign of life, without news, and does not any more. */
  onSilent: (host: string, instanceId: string) => void = () => undefined;

  constructor(
    private readonly log: SettledLog,
    private readonly view: ControlView,
    private readonly time: LogTime,
    private readonly options: InstancesOptions,
  ) {
    this.graceMs = options.leaseMs + options.skewMs;
  }

  /** Reads what is known of instances; each that held a lease then counts as heard of now. Throws `LogUnavailable`. */
  async start(): Promise<void> {
    for await (const recorded of everyEvent(this.log, { after: 0n, categories: CATEGORIES })) {
      const event = parseEvent(recorded.json);
      if (recorded.stream === 'directives') issuedIn(this.rollouts, event as never, recorded.revision);
      else this.deskOf(hostOf(recorded)).apply(recorded, event as unknown as InstanceEvent);
    }
    this.stopListening = this.view.listen(({ stream, event, isOwn }) => {
      if (stream !== 'directives') return;
      issuedIn(this.rollouts, event as never, event.revision, isOwn ? this.nowMs() : undefined);
    });
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.stopListening?.();
  }

  /** An instance has begun to listen. Throws `LogUnavailable`, `LogOverloaded`. */
  see(host: Caller, instanceId: string): Promise<Result<{ position: bigint }, Refusal>> {
    return this.ask(host, { type: 'see', instanceId, actor: host.name, time: this.time.now() });
  }

  /** An instance says how far it has applied the directives. Throws `LogUnavailable`, `LogOverloaded`. */
  async acknowledge(host: Caller, ack: Acknowledgement): Promise<Result<{ position: bigint }, Refusal>> {
    const time = this.time.now();
    const nowMs = this.time.monotonicMs();
    const acknowledged = this.deskOf(host.name).state.get(ack.instanceId)?.acknowledged;
    const expectedRoot = rootAt(this.view.directives().state, ack.epoch);
    const answer = await this.ask(host, { type: 'acknowledge', ...ack, expectedRoot, actor: host.name, time });
    const sign = this.signs.get(signOf(host.name, ack.instanceId));
    if (!answer.ok || sign === undefined) return answer;
    const isNews = acknowledged === undefined || ack.epoch > acknowledged;
    // Nobody owes more than one acknowledgement of each epoch.
    if (!isNews || sign.ackMs !== undefined) sign.ackMs = nowMs;
    return answer;
  }

  /** A beat has left for an instance. One that was stale for want of beats has its lease back. */
  beatLeft(host: Caller, instanceId: string): void {
    const sign = this.signs.get(signOf(host.name, instanceId));
    if (sign !== undefined) sign.lastMs = this.time.monotonicMs();
    // Where it cannot be recorded, the next beat tries again.
    else this.see(host, instanceId).catch(() => undefined);
  }

  /** How far a directive has got; undefined where there is none with this id. Throws `LogUnavailable`, `LogOverloaded`. */
  async propagation(id: string): Promise<Propagation | undefined> {
    const directive = this.view.directives().state.all.get(id);
    if (directive === undefined) return undefined;
    const kept = this.rollouts.of(id, directive.state);
    if (kept !== undefined) return kept;
    if (this.readingBack >= MAX_READ_BACK) throw new LogOverloaded('too many old directives are asked about');
    this.readingBack += 1;
    try {
      const only = new Rollouts(id);
      for await (const recorded of everyEvent(this.log, { after: 0n, categories: CATEGORIES })) {
        const event = parseEvent(recorded.json);
        if (recorded.stream === 'directives') issuedIn(only, event as never, recorded.revision);
        else only.apply(hostOf(recorded), event as unknown as InstanceEvent);
      }
      return only.of(id, directive.state);
    } finally {
      this.readingBack -= 1;
    }
  }

  counts(): { readonly live: number; readonly stale: number } {
    let live = 0;
    let all = 0;
    for (const { state } of this.desks.values()) {
      all += state.size;
      for (const { stale } of state.values()) if (!stale) live += 1;
    }
    return { live, stale: all - live };
  }

  private async ask(caller: Caller, command: InstanceCommand): Promise<Result<{ position: bigint }, Refusal>> {
    const answer = await this.deskOf(caller.name).ask(caller, command);
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

  private deskOf(host: string): InstanceDesk {
    const known = this.desks.get(host);
    if (known !== undefined) return known;
    const desk = new InstanceDesk(this.log, this.view, `${PREFIX}${host}`, (event) => {
      const { instanceId } = event.data;
      if (event.type === 'HostStale') this.signs.delete(signOf(host, instanceId));
      else if (!this.signs.has(signOf(host, instanceId))) this.signed(host, instanceId);
      for (const latencyMs of this.rollouts.apply(host, event)) this.options.onAcknowledged?.(latencyMs);
    });
    this.desks.set(host, desk);
    return desk;
  }

  /** Looks for those of which nothing was heard for too long. */
  private look(): void {
    const nowMs = this.time.monotonicMs();
    for (const [host, desk] of this.desks) {
      if (desk.isBusy) continue;
      if (desk.isAhead) {
        // Of whom it does not know that they are there, it would not find that they are gone.
        desk.settle().catch(() => undefined);
        continue;
      }
      for (const [instanceId, { stale }] of desk.state) {
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
        const command = { type: 'lose', instanceId, leaseEndedAt, actor: LOSING.name, time } as const;
        // Where it cannot be recorded, it is found again.
        desk.ask(LOSING, command, isStill).catch(() => undefined);
      }
    }
  }

  private nowMs(): number {
    return toMs(this.time.now());
  }
}

const signOf = (host: string, instanceId: string): string => `${host} ${instanceId}`;
const hostOf = ({ stream }: Pick<RecordedEvent, 'stream'>): string => stream.slice(PREFIX.length);

function issuedIn(rollouts: Rollouts, event: DirectiveEvent, epoch: number, committedMs = toMs(event.time)): void {
  if (event.type === 'DirectiveIssued') rollouts.issued(event.data.id, epoch, committedMs);
}
