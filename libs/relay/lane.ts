import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf } from '../kafka/client.js';
import { WrongTopic } from '../kafka/topic.js';
import type { SettledLog } from '../event-log/settled.js';
import { Backoff } from '../kernel/backoff.js';
import { defined } from '../kernel/defined.js';
import type { Clock, Instant } from '../kernel/time.js';
import { within } from '../kernel/within.js';
import type { LaneName } from '../streams/relay-events.js';
import { RelayLease, LeaseLost } from './relay-lease.js';
import type { Outlet, Sender } from './port.js';

/**
 * - `connecting`: to the brokers, for the first time or again; `reason` says why again.
 * - `standing_by`: another process sends.
 * - `sending`.
 * - `wrong_topic`: the topic must not be used as it is; it is checked again from time to time.
 */
export type LaneState = 'connecting' | 'standing_by' | 'sending' | 'wrong_topic' | 'stopped';

export interface LaneStatus {
  readonly state: LaneState;
  readonly reason?: string;
  /** Position up to which everything has been acknowledged, as far as this process knows. */
  readonly position: bigint;
  /** Since the last acknowledgement; undefined before the first. */
  readonly sinceAckMs?: number;
  /** Records acknowledged by this process. */
  readonly sent: number;
}

export interface RelayParts {
  readonly log: SettledLog;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly time: { now(): Instant };
  /** A UUID of this process. */
  readonly holder: string;
  /** No other process can have the log open, so an earlier holder of a lane has ended. */
  readonly exclusive: boolean;
  /** Time without a sign of life after which another process takes a lane over; 10 s if not given. */
  readonly takeoverMs?: number;
  /** Called once for each new trouble; for the same one again only if the lane has worked in between. */
  readonly onTrouble?: ((lane: LaneName, reason: string) => void) | undefined;
  /** Called once the lane works again after a reported trouble. */
  readonly onRecovered?: ((lane: LaneName) => void) | undefined;
}

/**
 * The work of a lane while it holds the lease. It ends by throwing: at the first failure, or when `signal` is aborted.
 */
export interface Session {
  readonly sender: Sender;
  readonly lease: RelayLease;
  readonly signal: AbortSignal;
  /** The session begins after this position. The lease may be behind: progress is recorded only from time to time. */
  readonly position: bigint;
  /** Records have been acknowledged; everything up to `position` has been by now. */
  acknowledged(records: number, position: bigint): void;
  /** There was nothing to send up to here. */
  passedOver(position: bigint): void;
}

export interface Lane {
  status(): LaneStatus;
  /** Disconnects from the brokers; unsent records stay in the log. */
  stop(): Promise<void>;
}

const TAKEOVER_MS = 10_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 1_000;
/** A broken broker can fail with many different messages. */
const TELL_EVERY_MS = 5_000;
const WRONG_TOPIC_MS = 10_000;

/** The work of a lane, in addition to what every lane does. */
export interface LaneWork {
  /** Whether there is something to send, so that a silent lane is one to take over. */
  hasWork(lease: RelayLease): Promise<boolean>;
  /** Sends while the lane holds the lease. Ends by throwing: at the first failure, or when the session's signal aborts. */
  session(session: Session): Promise<void>;
}

/**
 * Keeps a lane going: prepares its topic, takes the lease, opens a sender and runs the session. After any failure it
 * starts again with another sender, forever.
 */
export function runLane(name: LaneName, parts: RelayParts, outlet: Outlet, work: LaneWork): Lane {
  return new RunningLane(name, parts, outlet, work);
}

class RunningLane implements Lane {
  private readonly stopping = new AbortController();
  private readonly lease: RelayLease;
  private readonly backoff = new Backoff(FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
  private readonly running: Promise<unknown>;
  private state: LaneState = 'connecting';
  private reason: string | undefined;
  /** The trouble that was reported last, and when. */
  private reported: string | undefined;
  private reportedAtMs = -TELL_EVERY_MS;
  /** A trouble was reported, and its end was not. */
  private isInTrouble = false;
  private position = 0n;
  private acknowledgedAtMs: number | undefined;
  private sent = 0;

  constructor(
    private readonly name: LaneName,
    private readonly parts: RelayParts,
    private readonly outlet: Outlet,
    private readonly work: LaneWork,
  ) {
    this.lease = new RelayLease(parts.log, name, parts.holder, parts.time);
    this.running = this.run().finally(() => (this.state = 'stopped'));
  }

  status(): LaneStatus {
    const { state, position, sent, reason, acknowledgedAtMs } = this;
    const nowMs = this.parts.clock.monotonicMs();
    const sinceAckMs = acknowledgedAtMs === undefined ? undefined : nowMs - acknowledgedAtMs;
    return defined({ state, position, sent, reason, sinceAckMs });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.once(signal);
      } catch (error) {
        if (!signal.aborted) await this.afterFailure(error);
      }
    }
  }

  private async once(signal: AbortSignal): Promise<void> {
    // First, because the number of waiting records is reported even if the brokers are away.
    await this.refresh();
    await this.outlet.prepare(signal);
    await this.holdLease(signal);
    if (signal.aborted) return;
    const sender = await this.outlet.open(signal);
    try {
      this.state = 'sending';
      this.reason = undefined;
      await this.work.session({
        sender: this.watched(sender, signal),
        lease: this.lease,
        signal,
        position: this.position,
        acknowledged: (records, upTo) => this.acknowledged(records, upTo),
        passedOver: (upTo) => this.passedOver(upTo),
      });
    } finally {
      sender.discard();
    }
  }

  /** A send can hang forever: above its time limit it has failed. */
  private watched(sender: Sender, signal: AbortSignal): Sender {
    const send: Sender['send'] = (records) =>
      within(this.outlet.sendMs, 'the acknowledgement of a send', sender.send(records), signal);
    return { send, discard: () => sender.discard() };
  }

  private acknowledged(records: number, upTo: bigint): void {
    this.sent += records;
    this.reached(upTo);
    this.acknowledgedAtMs = this.parts.clock.monotonicMs();
    this.backoff.reset();
    this.reported = undefined;
    this.works();
  }

  private passedOver(upTo: bigint): void {
    this.reached(upTo);
    // The brokers were reached, and nothing waits.
    if (this.state === 'sending') this.works();
  }

  private works(): void {
    if (!this.isInTrouble) return;
    this.isInTrouble = false;
    this.parts.onRecovered?.(this.name);
  }

  private reached(upTo: bigint): void {
    if (upTo > this.position) this.position = upTo;
  }

  private async afterFailure(error: unknown): Promise<void> {
    if (error instanceof LeaseLost) return;
    const wrong = error instanceof WrongTopic;
    this.state = wrong ? 'wrong_topic' : 'connecting';
    this.reason = reasonOf(error);
    const nowMs = this.parts.clock.monotonicMs();
    if (this.reason !== this.reported && nowMs - this.reportedAtMs >= TELL_EVERY_MS) {
      this.reportedAtMs = nowMs;
      this.reported = this.reason;
      this.isInTrouble = true;
      this.parts.onTrouble?.(this.name, this.reason);
    }
    await this.rest(wrong ? WRONG_TOPIC_MS : this.backoff.nextMs());
  }

  private async refresh(): Promise<void> {
    await this.lease.refresh();
    this.reached(this.lease.position);
  }

  private async holdLease(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.refresh();
      if (this.lease.isMine) return;
      if (this.lease.isHeld && !this.parts.exclusive) {
        this.state = 'standing_by';
        this.reason = this.reported = undefined;
        await this.untilSilent(signal);
      }
      if (signal.aborted || (await this.lease.take())) return;
    }
  }

  /**
   * Waits until neither the lease nor the topic has changed for `takeoverMs`, although there was something to send and
   * this process can reach the brokers. A process that cannot reach them is no better than the holder.
   */
  private async untilSilent(signal: AbortSignal): Promise<void> {
    const { lease } = this;
    const { clock, log, takeoverMs = TAKEOVER_MS } = this.parts;
    let sign = '';
    let sinceMs = clock.monotonicMs();
    while (!signal.aborted) {
      const seen = `${await log.head(lease.stream)} ${await this.outlet.mark(signal)}`;
      await this.refresh();
      const nowMs = clock.monotonicMs();
      if (seen !== sign || !(await this.work.hasWork(lease))) [sign, sinceMs] = [seen, nowMs];
      if (nowMs - sinceMs >= takeoverMs) return;
      await this.rest(takeoverMs / 8);
    }
  }

  private rest(ms: number): Promise<unknown> {
    return pause(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}
