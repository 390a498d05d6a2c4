import type { Clock } from '../kernel/time.js';

/** The topic may be unread for this long before that is reported: its reader usually recovers within seconds. */
export const UNREAD_MS = 30_000;

/** Whether the relay reads its own topic: while it does not, foreign records on it go unnoticed. */
export class Listening {
  private unreadSinceMs: number | undefined;
  private why = 'its end has not been reached';
  private isTold = false;

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly onTrouble: (reason: string) => void,
    private readonly onRecovered: () => void = () => undefined,
  ) {
    this.unreadSinceMs = clock.monotonicMs();
  }

  /** The topic was read to its end. */
  loaded(): void {
    this.unreadSinceMs = undefined;
    if (this.isTold) this.onRecovered();
    this.isTold = false;
  }

  /** The topic cannot be read, or its reader was interrupted. */
  interrupted(why: string): void {
    this.unreadSinceMs ??= this.clock.monotonicMs();
    this.why = why;
  }

  /** A text for operators; undefined if the topic is read or the trouble is recent. */
  get trouble(): string | undefined {
    if (this.unreadSinceMs === undefined || this.clock.monotonicMs() - this.unreadSinceMs < UNREAD_MS) return undefined;
    return `cannot read its own topic: ${this.why}`;
  }

  /** Reports the trouble, once until the topic is read again. To be called from time to time. */
  tell(): void {
    const { trouble } = this;
    if (trouble === undefined || this.isTold) return;
    this.isTold = true;
    this.onTrouble(trouble);
  }
}
