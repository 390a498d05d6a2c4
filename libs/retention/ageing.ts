import type { CallIndex } from '../audit/index/call-index.js';
import type { Shredder } from '../decision-point/shredder.js';
import { LogOverloaded, LogUnavailable } from '../event-log/port.js';
import { toMs, type Instant } from '../kernel/time.js';
import { KeyringUnavailable } from '../payloads/keyring.js';
import { IndexUnavailable } from '../audit/index/reading.js';
import { SYSTEM } from './system.js';

/** Tasks that one append shreds. The keys of all of them are destroyed by one write. */
const BATCH = 64;
/** Tasks that could not be shredded are passed over until the next start, up to this number. */
const MAX_SKIPPED = 1_000;
const DAY_MS = 86_400_000;

/** Shreds tasks by their age, counted from their end: their closing, or else their expiry. */
export class Ageing {
  private readonly skipped = new Set<string>();

  constructor(
    private readonly index: Pick<CallIndex, 'unshredded'>,
    private readonly shredder: Pick<Shredder, 'shred'>,
    private readonly time: { now(): Instant },
    private readonly days: number,
  ) {}

  /** Shreds one batch. Answers whether there may be another one now. Throws what the stores throw. */
  async next(): Promise<boolean> {
    const endedBeforeMs = toMs(this.time.now()) - this.days * DAY_MS;
    const found = await this.index.unshredded({ endedBeforeMs }, BATCH + this.skipped.size);
    const taskIds = found.filter((taskId) => !this.skipped.has(taskId)).slice(0, BATCH);
    if (taskIds.length === 0) return false;
    if (await this.isShredded(taskIds)) return taskIds.length === BATCH;
    // One of them cannot be shredded: a damaged history must not keep the content of the others.
    for (const taskId of taskIds) {
      if (!(await this.isShredded([taskId])) && this.skipped.size < MAX_SKIPPED) this.skipped.add(taskId);
    }
    return taskIds.length === BATCH;
  }

  private async isShredded(taskIds: readonly string[]): Promise<boolean> {
    try {
      return (await this.shredder.shred(taskIds, SYSTEM, { cause: 'age' })).ok;
    } catch (error) {
      if (UNAVAILABLE.some((kind) => error instanceof kind)) throw error;
      return false;
    }
  }
}

/** A store that cannot be used now says nothing about a task. */
const UNAVAILABLE = [LogUnavailable, LogOverloaded, KeyringUnavailable, IndexUnavailable] as const;
