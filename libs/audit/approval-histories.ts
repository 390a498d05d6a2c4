import { LRUCache } from 'lru-cache';
import type { LogReading } from '../event-log/port.js';
import { shared } from '../kernel/shared.js';
import { systemClock, type Clock } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { ApprovalHistory } from './approval-history.js';

/** Events that are read and verified in one turn. */
const PAGE = 500;
/** Tasks that are kept, and the values of all of them: the most recently used ones. */
const MAX_TASKS = 64;
const MAX_VALUES = 100_000;
/** Verified events are trusted for this long, then read and verified again. */
const MAX_AGE_MS = 60_000;

interface Kept {
  readonly history: ApprovalHistory;
  readonly readAtMs: number;
  /** Takes in all events that were appended before the call. */
  readonly refresh: () => Promise<void>;
}

/**
 * The approvals of tasks, which many requests share. A task's calls are read once, and each request adds the later ones:
 * the evidence of each of its calls would otherwise read all of them. It starts over every minute.
 */
export class ApprovalHistories {
  private readonly kept = new LRUCache<string, Kept>({ max: MAX_TASKS, maxSize: MAX_VALUES });

  constructor(
    private readonly log: Pick<LogReading, 'read'>,
    private readonly clock: Pick<Clock, 'monotonicMs'> = systemClock,
  ) {}

  /**
   * The approvals of a task at every revision that its calls have now. Later events never change the answers about
   * earlier revisions. Throws `LogUnavailable`.
   */
  async of(taskId: string): Promise<ApprovalHistory> {
    const known = this.kept.get(taskId);
    const nowMs = this.clock.monotonicMs();
    const task = known !== undefined && nowMs - known.readAtMs < MAX_AGE_MS ? known : this.opened(taskId, nowMs);
    // Before the first await, so that a request for the same task joins this reading.
    this.kept.set(taskId, task, { size: task.history.size + 1 });
    await task.refresh();
    if (this.kept.peek(taskId) === task) this.kept.set(taskId, task, { size: task.history.size + 1 });
    return task.history;
  }

  private opened(taskId: string, readAtMs: number): Kept {
    const history = new ApprovalHistory();
    const stream = families.calls.stream(taskId);
    const refresh = shared(async () => {
      for (;;) {
        const events = await this.log.read(stream, history.revision, PAGE);
        history.take(events);
        if (events.length < PAGE) return;
      }
    });
    return { history, readAtMs, refresh };
  }
}
