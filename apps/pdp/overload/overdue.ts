import { waitingTime } from './waiting-time.js';

/** What has to be over within a time that is the same for all of it; looked at now and then, so that it costs no timers. */
export class Overdue<Key> {
  /** In order of age. */
  private readonly watched = new Map<Key, { readonly sinceMs: number; readonly onOverdue: () => void }>();
  private readonly sweep: NodeJS.Timeout;

  constructor(private readonly afterMs: number) {
    this.sweep = setInterval(() => this.look(), Math.min(1000, afterMs / 4));
    this.sweep.unref();
  }

  watch(key: Key, onOverdue: () => void): void {
    this.watched.set(key, { sinceMs: waitingTime.ms, onOverdue });
  }

  done(key: Key): void {
    this.watched.delete(key);
  }

  stop(): void {
    clearInterval(this.sweep);
  }

  private look(): void {
    const nowMs = waitingTime.ms;
    for (const [key, { sinceMs, onOverdue }] of this.watched) {
      if (nowMs - sinceMs <= this.afterMs) return;
      this.watched.delete(key);
      onOverdue();
    }
  }
}
