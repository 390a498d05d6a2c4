import type { Clock } from '../kernel/time.js';

/** For so long the topic may go unread until that is a trouble: its reader heals by itself, mostly within seconds. */
export const UNREAD_MS = 30_000;

/** Whether the relay reads its own topic: while it does not, what others write there stands. */
export class Listening {
  private unreadSinceMs: number | undefined;
  private why = 'its end has not been reached';
  private isTold = false;

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly onTrouble: (reason: string) => void,
  ) {
    this.unreadSinceMs = clock.monotonicMs();
  }

  /** The topic was read to its end. */
  loaded(): void {
    this.unreadSinceMs = undefined;
    this.isTold = false;
  }

  /** It cannot be read, or not any more. */
  interrupted(why: string): void {
    this.unreadSinceMs ??= this.clock.monotonicMs();
    this.why = why;
  }

  /** For operators; undefined while all is well, or has not been wrong for long. */
  get trouble(): string | undefined {
    if (this.unreadSinceMs === undefined || this.clock.monotonicMs() - this.unreadSinceMs < UNREAD_MS) return undefined;
    return `cannot read its own topic: ${this.why}`;
  }

  /** Tells of the trouble, once until the topic is read again. To be called now and then. */
  tell(): void {
    const { trouble } = this;
    if (trouble === undefined || this.isTold) return;
    this.isTold = true;
    this.onTrouble(trouble);
  }
}
