import { waitingTime } from './waiting-time.js';

/** Items that share one time limit. A periodic sweep replaces a timer per item. Time while this thread is busy does not count. */
export class DeadlineSweeper<Key> {
  /** Oldest first. */
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
