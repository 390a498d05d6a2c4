import { beatText, type Beat } from './beat.js';
import type { BeatSigner, Change, LiveDirectives } from './beat-signer.js';

const BEAT_MS = 1000;
/** Changes that are kept for those who come back. */
const MAX_RECENT = 256;
/** What one watcher may leave unread beside its snapshot, in UTF-16 units; a heartbeat has about 400. */
const MAX_UNREAD = 1_048_576;
/** A watcher that takes nothing for so long goes, at the earliest. */
const MIN_STUCK_MS = 10_000;

/** A beat on its way to watchers. */
export interface Sent {
  readonly kind: 'snapshot' | 'directive' | 'heartbeat';
  readonly beat: Beat;
  /** The beat as JSON in one line. */
  readonly text: string;
}

/** `slow`: it does not read. `lost`: what it needs next is not there any more; it has to ask again. */
export type WatchEnd = 'slow' | 'lost' | 'revoked' | 'silent' | 'leaving';

/** Whoever watches, as its transport sees it. */
export interface Watcher {
  /** Writes a beat; `taken` is to be called once the transport holds it no more. */
  send(sent: Sent, taken: () => void): void;
  /** Nothing is sent after it. */
  end(why: WatchEnd): void;
  /** A beat has left for the watcher. */
  onTaken?: () => void;
}

interface Member {
  readonly watcher: Watcher;
  /** What it has been sent as a snapshot may be unread beside the rest. */
  allowed: number;
  unread: number;
  /** When it last took something, or something was sent to it while nothing was unread. */
  movedMs: number;
  /** Its first beats are being made. */
  starting: boolean;
}

/**
 * Sends the beats of this process to all who watch: each change as soon as it is told, and a heartbeat each second that
 * one read of the log and one signature make for everyone.
 */
export class Broadcast {
  private readonly members = new Map<Watcher, Member>();
  /** Changes in order, with no gap between them. */
  private readonly recent: (Sent & { readonly sentMs: number })[] = [];
  private timer: NodeJS.Timeout | undefined;
  private beating = false;
  private lastBeatMs: number | undefined;

  constructor(
    private readonly signer: Pick<BeatSigner, 'snapshot' | 'heartbeat' | 'change'>,
    private readonly known: Pick<LiveDirectives, 'directives'>,
    private readonly leaseMs: number,
    private readonly clock: { monotonicMs(): number },
  ) {}

  start(): void {
    this.pause();
    this.timer = setInterval(() => void this.beat(), BEAT_MS);
    void this.beat();
  }

  /** Makes no more heartbeats. */
  pause(): void {
    clearInterval(this.timer);
  }

  /** Ends every watch. */
  stop(): void {
    this.pause();
    for (const watcher of this.members.keys()) this.end(watcher, 'leaving');
  }

  /** Since a heartbeat was last made, in milliseconds; undefined before the first. */
  get silentMs(): number | undefined {
    return this.lastBeatMs === undefined ? undefined : this.clock.monotonicMs() - this.lastBeatMs;
  }

  /** A directive has been committed. */
  changed(change: Change): void {
    const sent = sentAs('directive', this.signer.change(change));
    this.recent.push({ ...sent, sentMs: this.clock.monotonicMs() });
    if (this.recent.length > MAX_RECENT) this.recent.shift();
    this.publish(sent);
  }

  /**
   * Lets a watcher in. It gets the changes after `sinceEpoch`, as they were sent when they came, and a heartbeat; or a
   * snapshot where it has no epoch or the changes are not recent. Ends without a word where the watcher has left
   * meanwhile. Throws `LogUnavailable`, and then it is not in.
   */
  async join(watcher: Watcher, sinceEpoch: number | undefined): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const member: Member = { watcher, allowed: MAX_UNREAD, unread: 0, movedMs: nowMs, starting: true };
    this.members.set(watcher, member);
    try {
      const first = await this.firstOf(sinceEpoch);
      if (!this.members.has(watcher)) return;
      const { kind, beat, text } = first;
      const missed = this.missedSince(kind === 'heartbeat' ? sinceEpoch : beat.epoch);
      if (missed === undefined) return this.end(watcher, 'lost');
      if (kind === 'snapshot') member.allowed += text.length;
      for (const sent of kind === 'snapshot' ? [first, ...missed] : [...missed, first]) this.sendTo(member, sent);
      member.starting = false;
    } catch (error) {
      this.members.delete(watcher);
      throw error;
    }
  }

  /** The watcher has gone. */
  leave(watcher: Watcher): void {
    this.members.delete(watcher);
  }

  end(watcher: Watcher, why: WatchEnd): void {
    if (this.members.delete(watcher)) watcher.end(why);
  }

  private async firstOf(sinceEpoch: number | undefined): Promise<Sent> {
    const isNear = sinceEpoch !== undefined && this.missedSince(sinceEpoch) !== undefined;
    if (isNear) {
      const beat = await this.signer.heartbeat();
      // Others may have come in the meantime, so many that what was near is not any more.
      if (this.missedSince(sinceEpoch) !== undefined) return sentAs('heartbeat', beat);
    }
    return sentAs('snapshot', await this.signer.snapshot());
  }

  /**
   * The changes after an epoch; undefined where they are not all at hand. They are sent again as they were, with the time
   * of then: a fresh date would renew a lease on a state that has been overtaken. So none of them may be old.
   */
  private missedSince(epoch: number | undefined): readonly Sent[] | undefined {
    const head = this.known.directives().revision;
    if (epoch === undefined || epoch > head) return undefined;
    if (epoch === head) return [];
    const missed = this.recent.filter(({ beat }) => beat.epoch > epoch);
    const [oldest] = missed;
    if (oldest?.beat.epoch !== epoch + 1) return undefined;
    return this.clock.monotonicMs() - oldest.sentMs <= this.leaseMs / 2 ? missed : undefined;
  }

  private async beat(): Promise<void> {
    if (this.beating) return;
    this.beating = true;
    try {
      const beat = await this.signer.heartbeat();
      this.lastBeatMs = this.clock.monotonicMs();
      const newest = this.recent.at(-1)?.beat.issuedAt ?? '';
      // A change that overtook it has said more, and hosts count no beat that is not newer.
      if (beat.issuedAt > newest) this.publish(sentAs('heartbeat', beat));
      this.endStuck();
    } catch {
      // No beat: whoever hears nothing denies. The next second tries again.
    } finally {
      this.beating = false;
    }
  }

  private publish(sent: Sent): void {
    for (const member of this.members.values()) if (!member.starting) this.sendTo(member, sent);
  }

  private sendTo(member: Member, sent: Sent): void {
    const size = sent.text.length;
    if (member.unread + size > member.allowed) return this.end(member.watcher, 'slow');
    if (member.unread === 0) member.movedMs = this.clock.monotonicMs();
    member.unread += size;
    member.watcher.send(sent, () => {
      member.unread -= size;
      member.movedMs = this.clock.monotonicMs();
      member.watcher.onTaken?.();
    });
  }

  private endStuck(): void {
    const sinceMs = this.clock.monotonicMs() - Math.max(this.leaseMs, MIN_STUCK_MS);
    for (const { watcher, unread, movedMs } of this.members.values()) {
      if (unread > 0 && movedMs < sinceMs) this.end(watcher, 'slow');
    }
  }
}

const sentAs = (kind: Sent['kind'], beat: Beat): Sent => ({ kind, beat, text: beatText(beat) });
