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

/**
 * Keeps a lane going: prepares its topic, takes the lease, opens a sender and runs the session. After any failure it
 * starts again with another sender, forever. `hasWork`: whether there is something to send, so that a silent lane is
 * one to take over.
 */
export function runLane(
  name: LaneName,
  parts: RelayParts,
  outlet: Outlet,
  hasWork: (lease: RelayLease) => Promise<boolean>,
  session: (session: Session) => Promise<void>,
): Lane {
  const { clock, takeoverMs = TAKEOVER_MS } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  const lease = new RelayLease(parts.log, name, parts.holder, parts.time);
  let state: LaneState = 'connecting';
  let reason: string | undefined;
  let told: string | undefined;
  let position = 0n;
  let acknowledgedAtMs: number | undefined;
  let sent = 0;
  let toldAtMs = -TELL_EVERY_MS;
  const backoff = new Backoff(FIRST_BACKOFF_MS, MAX_BACKOFF_MS);

  const rest = (ms: number): Promise<unknown> => pause(ms, undefined, { signal }).catch(() => undefined);

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await once();
      } catch (error) {
        if (!signal.aborted) await afterFailure(error);
      }
    }
  }

  async function once(): Promise<void> {
    // First, because the number of waiting records is reported even if the brokers are away.
    await refresh();
    await outlet.prepare(signal);
    await holdLease();
    if (signal.aborted) return;
    const sender = await outlet.open(signal);
    try {
      state = 'sending';
      reason = undefined;
      await session({ sender: watched(sender), lease, signal, position, acknowledged, passedOver });
    } finally {
      sender.discard();
    }
  }

  /** A send can hang forever: above its time limit it has failed. */
  function watched(sender: Sender): Sender {
    const send: Sender['send'] = (records) =>
      within(outlet.sendMs, 'the acknowledgement of a send', sender.send(records), signal);
    return { send, discard: () => sender.discard() };
  }

  function acknowledged(records: number, upTo: bigint): void {
    sent += records;
    if (upTo > position) position = upTo;
    acknowledgedAtMs = clock.monotonicMs();
    backoff.reset();
    told = undefined;
  }

  function passedOver(upTo: bigint): void {
    if (upTo > position) position = upTo;
  }

  async function afterFailure(error: unknown): Promise<void> {
    if (error instanceof LeaseLost) return;
    const wrong = error instanceof WrongTopic;
    state = wrong ? 'wrong_topic' : 'connecting';
    reason = reasonOf(error);
    if (reason !== told && clock.monotonicMs() - toldAtMs >= TELL_EVERY_MS) {
      toldAtMs = clock.monotonicMs();
      told = reason;
      parts.onTrouble?.(name, reason);
    }
    await rest(wrong ? WRONG_TOPIC_MS : backoff.nextMs());
  }

  async function refresh(): Promise<void> {
    await lease.refresh();
    if (lease.position > position) position = lease.position;
  }

  async function holdLease(): Promise<void> {
    for (;;) {
      await refresh();
      if (lease.isMine) return;
      if (lease.isHeld && !parts.exclusive) {
        state = 'standing_by';
        reason = told = undefined;
        await untilSilent();
      }
      if (signal.aborted || (await lease.take())) return;
    }
  }

  /**
   * Waits until neither the lease nor the topic has changed for `takeoverMs`, although there was something to send and
   * this process can reach the brokers. A process that cannot reach them is no better than the holder.
   */
  async function untilSilent(): Promise<void> {
    let sign = '';
    let sinceMs = clock.monotonicMs();
    while (!signal.aborted) {
      const seen = `${await parts.log.head(lease.stream)} ${await outlet.mark(signal)}`;
      await refresh();
      const nowMs = clock.monotonicMs();
      if (seen !== sign || !(await hasWork(lease))) [sign, sinceMs] = [seen, nowMs];
      if (nowMs - sinceMs >= takeoverMs) return;
      await rest(takeoverMs / 8);
    }
  }

  const running = run().finally(() => (state = 'stopped'));
  return {
    status: () =>
      defined({
        state,
        position,
        sent,
        reason,
        sinceAckMs: acknowledgedAtMs === undefined ? undefined : clock.monotonicMs() - acknowledgedAtMs,
      }),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
