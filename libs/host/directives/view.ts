import type { KeyObject } from 'node:crypto';
import { Beat, isSigned } from '../../feed/beat.js';
import { toInstant, toMs, type Clock, type Instant } from '../../kernel/time.js';
import { Lease, type Sent, type Timed } from './lease.js';
import { fromLog, isVoid, step, type Fault, type Replica } from './replica.js';

/** Why a host denies by itself. */
export type StaleReason =
  'starting' | 'closed' | 'lease_expired' | 'clock_unsure' | 'bad_signature' | 'bad_shape' | 'ack_refused' | Fault;

type RawBeat = Readonly<Record<string, unknown>>;

/** A question that is under way: when it was sent, and how many faults were known. */
export interface Asked {
  readonly sent: Sent;
  readonly faults: number;
}

export interface ViewState {
  readonly epoch: number | undefined;
  readonly stateRoot: Beat['stateRoot'] | undefined;
  readonly leaseMs: number | undefined;
  /** On the service's clock; undefined while no lease is held. */
  readonly leaseUntil: Instant | undefined;
  /** `issuedAt` of the last beat that renewed the lease. */
  readonly lastBeat: Instant | undefined;
  readonly stale: false | StaleReason;
}

/**
 * What a host knows of the directives, and whether it may rely on it: the replica, the lease, and the last fault. It does
 * no I/O; whoever owns it makes a round trip whenever `wantsRoundTrip`.
 *
 * State and time are judged apart: a directive that is truly signed and follows on is applied however late it comes,
 * but only a beat that is fresh renews the lease.
 */
export class HostView {
  private readonly lease: Lease;
  private replica: Replica | undefined;
  private fault: StaleReason | undefined;
  private faults = 0;
  /** The latest epoch that a truly signed beat spoke of. */
  private heardEpoch = 0;
  private lastBeat: Instant | undefined;
  private leaseMs: number | undefined;

  constructor(
    private readonly keys: ReadonlyMap<string, KeyObject>,
    clock: Clock,
    skewMs: number,
  ) {
    this.lease = new Lease(clock, skewMs);
  }

  /** A beat from a feed, as it was received. Attacker-controlled. */
  heard(raw: RawBeat): void {
    const beat = this.read(raw);
    if (beat !== undefined && this.take(beat)) this.renewed(beat);
  }

  /** The last beats of the keys of a log that was read to its end. Attacker-controlled. */
  loaded(raws: readonly RawBeat[]): void {
    const beats = raws.flatMap((raw) => this.read(raw) ?? []);
    // Something in the log is not signed by the service: the snapshot says what holds.
    if (beats.length < raws.length) return;
    const stepped = fromLog(this.replica, beats);
    if (!stepped.ok) return this.fail(stepped.error);
    if (stepped.value.kind === 'ignored') return;
    this.replica = stepped.value.replica;
    for (const beat of beats) if (beat.epoch === this.replica.epoch) this.renewed(beat);
  }

  /** To be called right before a snapshot is asked for. */
  asking(): Asked {
    return { sent: this.lease.now(), faults: this.faults };
  }

  /**
   * The snapshot that was asked for. It alone measures the service's clock, begins a lease that has run out, and ends a
   * fault that was known when it was asked for.
   */
  answered(raw: RawBeat, { sent, faults }: Asked): void {
    const beat = this.read(raw);
    if (beat === undefined) return;
    if (beat.active === undefined) return this.fail('bad_shape');
    const times = timesOf(beat);
    const counts = this.lease.measured(sent, times.issuedAtMs);
    if (!this.take(beat) || !counts) return;
    if (faults === this.faults && beat.epoch >= this.heardEpoch) this.fault = undefined;
    if (this.fault !== undefined) return;
    this.lease.grant(sent, times);
    this.counted(beat);
  }

  /** The host denies from now on, until a snapshot that is asked for later has been taken. */
  fail(reason: StaleReason): void {
    this.fault = reason;
    this.faults += 1;
  }

  /** Whether a snapshot is to be asked for, as soon as the last one has been answered. */
  wantsRoundTrip(): boolean {
    return this.replica === undefined || this.fault !== undefined || this.lease.wantsMeasuring();
  }

  /** Undefined where the host may rely on what it knows; else why it denies. */
  stale(): StaleReason | undefined {
    if (this.fault !== undefined) return this.fault;
    if (this.replica === undefined) return 'starting';
    const standing = this.lease.standing();
    return standing === 'held' ? undefined : standing;
  }

  /** Whether the lease has run out by the monotonic clock, whatever else may be wrong. */
  isLeaseOver(): boolean {
    return this.lease.remainingMs() === 0;
  }

  /** At most the service's time now, in milliseconds. */
  serviceMs(): number {
    return this.lease.serviceMs();
  }

  /** Whether an allow may no longer be acted upon: a later directive matches it, or that cannot be ruled out. */
  isVoid(allow: { readonly epoch: number; readonly targets: readonly string[] }): boolean {
    return this.replica === undefined || isVoid(this.replica, allow);
  }

  directives(): Replica['active'] {
    return this.replica?.active ?? new Map();
  }

  state(): ViewState {
    const untilMs = this.fault === undefined ? this.lease.untilMs() : undefined;
    return {
      epoch: this.replica?.epoch,
      stateRoot: this.replica?.stateRoot,
      leaseMs: this.leaseMs,
      leaseUntil: untilMs === undefined ? undefined : toInstant(Math.floor(untilMs)),
      lastBeat: this.lastBeat,
      stale: this.stale() ?? false,
    };
  }

  private read(raw: RawBeat): Beat | undefined {
    const parsed = signed(raw, this.keys) ? Beat.safeParse(raw) : undefined;
    if (parsed?.success !== true) {
      this.fail(parsed === undefined ? 'bad_signature' : 'bad_shape');
      return undefined;
    }
    this.heardEpoch = Math.max(this.heardEpoch, parsed.data.epoch);
    return parsed.data;
  }

  /** Whether the beat agrees with what is known now, that is, with itself applied. */
  private take(beat: Beat): boolean {
    const stepped = step(this.replica, beat);
    if (!stepped.ok) this.fail(stepped.error);
    if (!stepped.ok || stepped.value.kind === 'ignored') return false;
    this.replica = stepped.value.replica;
    return true;
  }

  private renewed(beat: Beat): void {
    if (this.fault === undefined && this.lease.renew(timesOf(beat)) === 'renewed') this.counted(beat);
  }

  private counted({ issuedAt, leaseMs }: Beat): void {
    this.lastBeat = issuedAt;
    this.leaseMs = leaseMs;
  }
}

const timesOf = ({ issuedAt, leaseMs }: Beat): Timed => ({ issuedAtMs: toMs(issuedAt), leaseMs });

function signed(raw: RawBeat, keys: ReadonlyMap<string, KeyObject>): boolean {
  try {
    return isSigned(raw, keys);
  } catch {
    // What has no canonical form was signed by nobody.
    return false;
  }
}
