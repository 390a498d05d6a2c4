import type { Eraser } from '../../../libs/retention/eraser.js';
import type { Ageing } from '../../../libs/retention/ageing.js';
import type { Shredder } from '../../../libs/decision-point/shredder.js';

/** How often content is looked at, in milliseconds. */
const EVERY_MS = 60_000;
/** The pause between two batches: decisions have their turn. */
const BETWEEN_MS = 250;

interface Parts {
  readonly shredder: Pick<Shredder, 'complete'>;
  readonly eraser: Pick<Eraser, 'complete'>;
  /** Absent if content is kept without a limit. */
  readonly ageing: Ageing | undefined;
  /** The pause after a round, in milliseconds; a minute if not given. */
  readonly everyMs?: number;
}

/** Completes erasures and shreds content by its age, in the background. After a failure it tries again a minute later. */
export class RetentionKeeper {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly parts: Parts) {}

  start(): void {
    this.running = this.round().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private async round(): Promise<void> {
    let again = false;
    try {
      await this.parts.shredder.complete();
      await this.parts.eraser.complete();
      again = (await this.parts.ageing?.next()) === true;
    } finally {
      if (!this.stopped)
        this.timer = setTimeout(() => this.start(), again ? BETWEEN_MS : (this.parts.everyMs ?? EVERY_MS)).unref();
    }
  }
}
