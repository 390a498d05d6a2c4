import type { KeyObject } from 'node:crypto';
import { BeatContent, verifiedContent } from '../../feed/beat.js';
import { proverOf, type Prover, type StateProof } from '../../feed/state-proof.js';
import { toInstant, toMs, type Clock, type Instant } from '../../kernel/time.js';
import { Lease, type Sent, type Timed } from './lease.js';
import { fromLog, incarnationOf, isVoid, step, type Fault, type Replica } from './replica.js';

/** Why a host denies without asking the service. */
export type StaleReason =
  'starting' | 'closed' | 'lease_expired' | 'clock_unsure' | 'bad_signature' | 'bad_shape' | 'ack_refused' | Fault;

type RawBeat = Readonly<Record<string, unknown>>;

/** A question that has no answer yet: when it was sent, and how many faults were known. */
export interface Asked {
  readonly sent: Sent;
  readonly faults: number;
}

export interface ViewState {
  readonly epoch: number | undefined;
  readonly stateRoot: BeatContent['stateRoot'] | undefined;
  readonly leaseMs: number | undefined;
  /** On the service's clock; undefined while no lease is held. */
  readonly leaseUntil: Instant | undefined;
  /** `issuedAt` of the last beat that renewed the lease. */
  readonly lastBeat: Instant | undefined;
  readonly stale: false | StaleReason;
}

type Place = Pick<BeatContent, 'incarnation' | 'epoch'>;

interface Challenge extends Place {
  readonly issuedAt: Instant;
  readonly nonce: string;
}

/**
 * What a host knows of the directives, and whether it may rely on it: the replica, the lease, and the last fault. It does
 * no I/O; its owner makes a round trip whenever `wantsRoundTrip`.
 *
 * State and time are judged separately. A signed directive that follows the known epoch is applied however late it comes.
 * Only a fresh beat renews the lease.
 */
export class HostView {
  private readonly lease: Lease;
  private replica: Replica | undefined;
  private fault: StaleReason | undefined;
  private faults = 0;
  /** The latest incarnation and epoch that a signed beat has named. */
  private heardLast = { incarnation: 0, epoch: 0 };
  /** The incarnation that was known as an allow was first asked about. */
  private readonly allowedIn = new WeakMap<object, number>();
  private lastBeat: Instant | undefined;
  private leaseMs: number | undefined;
  /** Of the latest beat that agreed with the replica. */
  private challenge: Challenge | undefined;

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
    // The log holds a record that the service did not sign: only a snapshot can tell the state.
    if (beats.length < raws.length) return;
    const stepped = fromLog(this.replica, beats);
    if (!stepped.ok) return this.fail(stepped.error);
    if (stepped.value.kind === 'ignored') return;
    this.replica = stepped.value.replica;
    for (const beat of beats) {
      if (!isSameState(beat, this.replica)) continue;
      this.challenged(beat);
      this.renewed(beat);
    }
  }

  /** Call this right before you ask for a snapshot. */
  asking(): Asked {
    return { sent: this.lease.now(), faults: this.faults };
  }

  /**
   * The snapshot that was asked for. Only a snapshot measures the service's clock, begins a lease after one has expired,
   * and ends a fault that was known when the question was sent.
   */
  answered(raw: RawBeat, { sent, faults }: Asked): void {
    const beat = this.read(raw);
    if (beat === undefined) return;
    if (beat.active === undefined) return this.fail('bad_shape');
    const times = timesOf(beat);
    const counts = this.lease.measured(sent, times.issuedAtMs);
    if (!this.take(beat) || !counts) return;
    if (faults === this.faults && !isBefore(beat, this.heardLast)) this.fault = undefined;
    if (this.fault !== undefined) return;
    this.lease.grant(sent, times);
    this.counted(beat);
  }

  /** The host denies from now on, until it has taken a snapshot that it asks for later. */
  fail(reason: StaleReason): void {
    this.fault = reason;
    this.faults += 1;
  }

  /** Whether the owner should ask for a snapshot, once the last question is answered. */
  wantsRoundTrip(): boolean {
    return this.replica === undefined || this.fault !== undefined || this.lease.wantsMeasuring();
  }

  /** Why the host denies; undefined if it may rely on what it knows. */
  stale(): StaleReason | undefined {
    if (this.fault !== undefined) return this.fault;
    if (this.replica === undefined) return 'starting';
    const standing = this.lease.standing();
    return standing === 'held' ? undefined : standing;
  }

  /** Whether the lease has expired by the monotonic clock. */
  isLeaseOver(): boolean {
    return this.lease.remainingMs() === 0;
  }

  /** The service's time now in milliseconds, or earlier. */
  serviceMs(): number {
    return this.lease.serviceMs();
  }

  /**
   * Whether an allow may no longer be used: a later directive matches it, or that cannot be ruled out. Ask first as soon as
   * the allow arrives, and always with the same object: an allow ends with the incarnation that it was first asked in.
   */
  isVoid(allow: { readonly epoch: number; readonly targets: readonly string[] }): boolean {
    if (this.replica === undefined) return true;
    const { incarnation } = this.replica;
    const allowedIn = this.allowedIn.get(allow) ?? incarnation;
    this.allowedIn.set(allow, allowedIn);
    return allowedIn !== incarnation || isVoid(this.replica, allow);
  }

  /** The proof that this instance holds the state; undefined if no beat of this epoch has asked for one. */
  proof(instanceId: string): StateProof | undefined {
    const { replica, challenge } = this;
    if (replica === undefined || challenge === undefined || !isSameState(challenge, replica)) return undefined;
    const { nonce } = challenge;
    return { nonce, proof: proverFor(replica)(instanceId.toLowerCase(), nonce) };
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

  private read(raw: RawBeat): BeatContent | undefined {
    const content = verifiedContent(raw, this.keys);
    const parsed = BeatContent.safeParse(content);
    if (!parsed.success) {
      this.fail(content === undefined ? 'bad_signature' : 'bad_shape');
      return undefined;
    }
    const { epoch } = parsed.data;
    if (isBefore(this.heardLast, parsed.data)) this.heardLast = { incarnation: incarnationOf(parsed.data), epoch };
    return parsed.data;
  }

  /** Applies the beat. Returns whether it agrees with the state that is known then. */
  private take(beat: BeatContent): boolean {
    const stepped = step(this.replica, beat);
    if (!stepped.ok) this.fail(stepped.error);
    if (!stepped.ok || stepped.value.kind === 'ignored') return false;
    this.replica = stepped.value.replica;
    this.challenged(beat);
    return true;
  }

  private challenged({ nonce, ...beat }: BeatContent): void {
    const known = this.challenge;
    const isOld = known !== undefined && isSameState(known, beat) && known.issuedAt >= beat.issuedAt;
    if (nonce === undefined || isOld) return;
    const { incarnation, epoch, issuedAt } = beat;
    this.challenge = { incarnation, epoch, issuedAt, nonce };
  }

  private renewed(beat: BeatContent): void {
    if (this.fault === undefined && this.lease.renew(timesOf(beat)) === 'renewed') this.counted(beat);
  }

  private counted({ issuedAt, leaseMs }: BeatContent): void {
    this.lastBeat = issuedAt;
    this.leaseMs = leaseMs;
  }
}

function isBefore(one: Place, other: Place): boolean {
  const [first, second] = [incarnationOf(one), incarnationOf(other)];
  return first < second || (first === second && one.epoch < other.epoch);
}

const isSameState = (one: Place, other: Place): boolean => !isBefore(one, other) && !isBefore(other, one);

const timesOf = ({ issuedAt, leaseMs }: BeatContent): Timed => ({ issuedAtMs: toMs(issuedAt), leaseMs });

const provers = new WeakMap<Replica['active'], Prover>();

/** A replica is acknowledged several times, and its directives are hashed once. */
function proverFor({ active }: Replica): Prover {
  const known = provers.get(active);
  if (known !== undefined) return known;
  const prover = proverOf([...active.values()]);
  provers.set(active, prover);
  return prover;
}
