import type { Clock } from '../../kernel/time.js';

/** Times of a beat in milliseconds of the service's clock. */
export interface Timed {
  readonly issuedAtMs: number;
  readonly leaseMs: number;
}

/** When a question was sent, on both clocks of this host. */
export interface Sent {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export type Renewal = 'renewed' | 'not_newer' | 'too_old' | 'too_far_ahead' | 'unmeasured';
export type LeaseStanding = 'held' | 'lease_expired' | 'clock_unsure';

/** Longest time that a measurement counts: two clocks drift apart. */
const MAX_MEASUREMENT_AGE_MS = 300_000;
/** Time after which it is repeated, well before it is too old. */
const MEASURE_EVERY_MS = 60_000;

/**
 * How long this host may rely on what it knows. It ends `leaseMs` after a beat was *issued*, on the service's clock, which
 * is estimated from this host's own round trips alone: an answer was issued after its question was sent, so the service's
 * time is at most `issuedAt + (now - sent)`. That bound is early rather than late, and a beat that lay in a queue renews
 * nothing. If the estimate may be wrong (a clock has jumped, the machine slept, the lease has expired), no beat counts
 * before the next round trip.
 *
 * A host cannot detect that its machine stood still together with both of its clocks.
 */
export class Lease {
  /** At most so far is the service's clock ahead of the monotonic one. */
  private offsetMs = Number.NEGATIVE_INFINITY;
  /** Whether the offset can be relied on; if not, a round trip is needed. */
  private isMeasured = false;
  private measuredAtMs = 0;
  /** The wall clock less the monotonic one when the question was sent. */
  private wallLeadMs = 0;
  private endsMs = Number.NEGATIVE_INFINITY;
  /** Of any beat that ever counted; survives new measurements, so that nothing counts twice. */
  private newestMs = Number.NEGATIVE_INFINITY;
  /** As above, as it was issued, and of any answer: an answer that is given again measures nothing, counted or not. */
  private countedMs = Number.NEGATIVE_INFINITY;
  /** The last answer, whether it counted or not. */
  private answered = { issuedAtMs: Number.NEGATIVE_INFINITY, sentMs: 0 };
  private lengthMs = 0;

  constructor(
    private readonly clock: Clock,
    /** How far a beat may be ahead, and the wall clock off, before a clock counts as jumped. */
    private readonly skewMs: number,
  ) {}

  /** Read this right before a question is sent. */
  now(): Sent {
    return { monotonicMs: this.clock.monotonicMs(), wallMs: this.clock.wallMs() };
  }

  /**
   * An answer came that was issued at `issuedAtMs`. Whether it counts: one that is not newer than all that counted may be
   * an old answer, which something between here and the service kept. Where the service's clock was set back instead, the
   * next answer is later, and not by more than was waited for it.
   */
  measured(sent: Sent, issuedAtMs: number): boolean {
    const nowMs = this.clock.monotonicMs();
    const offsetMs = issuedAtMs - sent.monotonicMs;
    const laterMs = issuedAtMs - this.answered.issuedAtMs;
    const follows = laterMs > 0 && laterMs <= nowMs - this.answered.sentMs + this.skewMs;
    this.answered = { issuedAtMs, sentMs: sent.monotonicMs };
    this.isMeasured = issuedAtMs > this.countedMs || follows;
    this.countedMs = Math.max(this.countedMs, issuedAtMs);
    // The service's clock was set back: what it issued before could seem fresh once that time comes round again.
    if (offsetMs < this.offsetMs - this.skewMs) this.newestMs = Math.max(this.newestMs, nowMs + this.offsetMs);
    this.measuredAtMs = nowMs;
    this.wallLeadMs = sent.wallMs - sent.monotonicMs;
    this.offsetMs = offsetMs;
    return this.isMeasured;
  }

  /** The answer to that question agrees with what this host knows: a lease from the moment of asking. */
  grant(sent: Sent, { issuedAtMs, leaseMs }: Timed): void {
    this.newestMs = Math.max(this.newestMs, issuedAtMs);
    this.lengthMs = leaseMs;
    this.endsMs = Math.max(this.endsMs, sent.monotonicMs + leaseMs);
  }

  /** A beat came that agrees with what this host knows, over any feed and however late. */
  renew({ issuedAtMs, leaseMs }: Timed): Renewal {
    const nowMs = this.clock.monotonicMs();
    // After its end only a round trip begins a lease: this beat may have waited in a queue all the time.
    if (this.endsMs <= nowMs) this.isMeasured = false;
    if (!this.isSure()) return 'unmeasured';
    if (issuedAtMs <= this.newestMs) return 'not_newer';
    const serviceMs = nowMs + this.offsetMs;
    if (issuedAtMs > serviceMs + this.skewMs) {
      this.isMeasured = false;
      return 'too_far_ahead';
    }
    if (issuedAtMs + leaseMs <= serviceMs) return 'too_old';
    this.newestMs = issuedAtMs;
    this.countedMs = Math.max(this.countedMs, issuedAtMs);
    this.lengthMs = leaseMs;
    // It cannot have been issued later than now.
    this.endsMs = Math.max(this.endsMs, Math.min(issuedAtMs - this.offsetMs, nowMs) + leaseMs);
    return 'renewed';
  }

  standing(): LeaseStanding {
    if (this.remainingMs() <= 0) return 'lease_expired';
    return this.isSure() ? 'held' : 'clock_unsure';
  }

  /** Until its end, by the monotonic clock, whether the clocks are sure or not; 0 once it is over. */
  remainingMs(): number {
    return Math.max(0, this.endsMs - this.clock.monotonicMs());
  }

  /** Whether a round trip is due: it is needed, or beats have not renewed the lease for two thirds of its length. */
  wantsMeasuring(): boolean {
    const aged = this.clock.monotonicMs() - this.measuredAtMs > MEASURE_EVERY_MS;
    return aged || this.standing() !== 'held' || this.remainingMs() < this.lengthMs / 3;
  }

  /** The service's time now, or earlier; infinite if the clocks are unsure, so that everything counts as expired. */
  serviceMs(): number {
    return this.isSure() ? this.clock.monotonicMs() + this.offsetMs : Number.POSITIVE_INFINITY;
  }

  /** When it ends on the service's clock, in milliseconds; undefined if no lease is held. */
  untilMs(): number | undefined {
    return this.standing() === 'held' ? this.endsMs + this.offsetMs : undefined;
  }

  private isSure(): boolean {
    const nowMs = this.clock.monotonicMs();
    const departedMs = Math.abs(this.clock.wallMs() - nowMs - this.wallLeadMs);
    if (departedMs > this.skewMs || nowMs - this.measuredAtMs > MAX_MEASUREMENT_AGE_MS) this.isMeasured = false;
    return this.isMeasured;
  }
}
