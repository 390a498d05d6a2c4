import { beatText, type Beat } from './beat.js';
import type { BeatSigner, Change, LiveDirectives } from './beat-signer.js';

const BEAT_MS = 1000;
/** Changes that are kept for watchers that reconnect. */
const MAX_RECENT = 256;
/** UTF-16 units that one watcher may leave unread, in addition to its snapshot. A heartbeat has about 900. */
const MAX_UNREAD = 2_097_152;
/** Shortest time without progress after which a watcher is ended. */
const MIN_STUCK_MS = 10_000;

/** A beat on its way to watchers. */
export interface Sent {
  readonly kind: 'snapshot' | 'directive' | 'heartbeat';
  readonly beat: Beat;
  /** The beat as JSON in one line. */
  readonly text: string;
}

/** `slow`: it does not read. `lost`: its next change is no longer kept, so it has to watch again. */
export type WatchEnd = 'slow' | 'lost' | 'revoked' | 'silent' | 'leaving';

/** A watcher, as its transport implements it. */
export interface Watcher {
  /** Writes a beat. The transport calls `taken` once it no longer holds the beat. */
  send(sent: Sent, taken: () => void): void;
  /** No beat is sent after this call. */
  end(why: WatchEnd): void;
  /** A beat has left for the watcher. */
  onTaken?: () => void;
}

interface Member {
  readonly watcher: Watcher;
  /** UTF-16 units of its snapshots, which may be unread in addition to the rest. */
  allowed: number;
  unread: number;
  /** When it last took a beat, or was sent one while nothing was unread. */
  movedMs: number;
  /** True while its first beats are being made. */
  starting: boolean;
}

/**
 * Sends the beats of this process to all watchers: each change at once, and a heartbeat each second. One read of the log
 * and one signature make the heartbeat for all.
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

  /** Stops making heartbeats. */
  pause(): void {
    clearInterval(this.timer);
  }

  /** Ends every watch. */
  stop(): void {
    this.pause();
    for (const watcher of this.members.keys()) this.end(watcher, 'leaving');
  }

  /** Milliseconds since the last heartbeat was made; undefined before the first. */
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
   * Adds a watcher. It gets the changes after `sinceEpoch`, as they were first sent, and a heartbeat. It gets a snapshot if
   * it has no epoch or the changes are not recent. Does nothing more if the watcher has left meanwhile. Rejects with
   * `LogUnavailable`, and then the watcher is not added.
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
      // Meanwhile so many changes may have come that the earlier ones are no longer kept.
      if (this.missedSince(sinceEpoch) !== undefined) return sentAs('heartbeat', beat);
    }
    return sentAs('snapshot', await this.signer.snapshot());
  }

  /**
   * The changes after an epoch; undefined if not all are kept. They are sent again unchanged, with their first time: a new
   * time would renew a lease on an outdated state. So none of them may be old.
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
      // A change that was sent meanwhile says more, and hosts ignore a beat that is not newer.
      if (beat.issuedAt > newest) this.publish(sentAs('heartbeat', beat));
      this.endStuck();
    } catch {
      // No beat: hosts that receive none deny. The next second tries again.
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
