import type { RecordedEvent } from '../event-log/port.js';
import { families } from '../streams/catalogue.js';
import type { Attempt } from './attempts.js';
import { capabilityHistory, type Window } from './capability-history.js';
import type { History } from './history.js';
import { byPosition, storedText } from './stored-event.js';
import { taskStateOf } from './traced-tasks.js';

/** The histories of the capabilities that the calls of an answer concern, each event once. */
export class Histories {
  private readonly events = new Map<string, Map<string, RecordedEvent>>();
  private readonly positions = new Map<string, readonly string[]>();

  constructor(
    private readonly history: History,
    /** The end of the log as of the answer. */
    private readonly end: bigint,
  ) {}

  /** The positions of the events that concern a call, which this answer will have. */
  async positionsFor(attempt: Attempt): Promise<readonly string[]> {
    const { capability, host } = attempt.decided;
    const taskId = attempt.refused ? '' : attempt.decided.taskId;
    const key = `${capability} ${host} ${taskId}`;
    const known = this.positions.get(key);
    if (known !== undefined) return known;
    const events = await capabilityHistory(this.history, { capability, host, taskId }, await this.windowOf(taskId));
    const all = this.events.get(capability) ?? new Map<string, RecordedEvent>();
    this.events.set(capability, all);
    for (const event of events) all.set(`${event.stream}@${event.revision}`, event);
    const positions = [...new Set(events.map(({ position }) => String(position)))];
    this.positions.set(key, positions);
    return positions;
  }

  /** The JSON of `histories`, as pieces. */
  pieces(): string[] {
    const members = [...this.events].map(([capability, events], index) => {
      const listed = [...events.values()].sort(byPosition).map(storedText).join(',');
      return `${index === 0 ? '' : ','}${JSON.stringify(capability)}:[${listed}]`;
    });
    return ['{', ...members, '}'];
  }

  /** Up to the end of the task: its closing or its expiry, whichever is earlier. Without such an end, up to now. */
  private async windowOf(taskId: string): Promise<Window> {
    if (taskId === '') return { position: this.end };
    const all = await this.history.events(families.task.stream(taskId));
    const events = all.filter(({ position }) => position <= this.end);
    const state = taskStateOf(events);
    if (state === undefined) return { position: this.end };
    const closed = events.find(({ type }) => type === 'TaskClosed');
    return { position: closed?.position ?? this.end, time: state.expiresAt };
  }
}
