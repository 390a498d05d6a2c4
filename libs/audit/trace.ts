import type { DecisionEngines } from '../decision-point/engines.js';
import type { LogReading, EventPlace, RecordedEvent } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { parseEvent } from '../event-log/event.js';
import { isJsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import type { KeyReading } from '../payloads/keyring.js';
import { families } from '../streams/catalogue.js';
import type { TaskState } from '../task/decider.js';
import type { Attempt } from './attempts.js';
import type { IndexReading } from './index/reading.js';
import { capabilityHistory, type Window } from './capability-history.js';
import { Contents } from './contents.js';
import type { DirectiveHistory } from './directive-history.js';
import { evidenceOf } from './evidence.js';
import { History } from './history.js';
import { Reconstructor } from './reconstruct.js';
import { replayed, unreplayable } from './replay.js';
import { storedText } from './stored-event.js';
import type { TraceReplay } from '../contract/audit.js';
import type { ReplayedCall, TracedTask } from '../contract/evidence.js';
import { taskView } from './task-view.js';
import { readTrace, tooLarge, type TraceRecord } from './trace-record.js';
import { recordedUser, resolvedUser } from './users.js';
import { utf8Of } from './utf8.js';

/** Bounds of one answer. `maxChars` counts the calls with their content and histories, and the events. */
export interface TraceLimits {
  readonly maxEvents: number;
  readonly maxChars: number;
}

const LIMITS: TraceLimits = { maxEvents: 20_000, maxChars: 67_108_864 };

/** The evidence of a trace, and its replay. */
export class TraceAudit {
  constructor(
    private readonly log: LogReading,
    private readonly keys: KeyReading,
    private readonly engines: DecisionEngines,
    private readonly index: IndexReading,
    private readonly directives: DirectiveHistory,
    private readonly limits: TraceLimits = LIMITS,
  ) {}

  /**
   * All evidence of a trace, as the JSON of a `TraceEvidence` in UTF-8: most of it is the log's own text. Undefined if the
   * trace has no events, `too_large` above the limits. Throws `LogUnavailable`, `KeyringUnavailable`,
   * `IndexUnavailable`.
   */
  async trace(traceId: string, now: Instant): Promise<Result<Buffer<ArrayBuffer> | undefined, Refusal>> {
    const record = await readTrace(this.log, this.index, this.directives, traceId, this.limits.maxEvents);
    if (!record.ok || record.value === undefined) return record as Result<undefined, Refusal>;
    const { history, contents } = await this.sourcesOf(record.value, true);
    const tasks: TracedTask[] = [];
    const states = new Map<string, TaskState>();
    for (const { taskId, events } of record.value.tasks) {
      const [opened] = events;
      const state = stateOf(events);
      if (opened === undefined || state === undefined) continue;
      states.set(taskId, state);
      const { id: userId } = await resolvedUser(this.keys, recordedUser(state));
      const view = taskView(state, await contents.ofTask(opened, taskId), now, opened.position, userId);
      tasks.push({ ...view, ...defined({ closeReason: await closeReasonOf(contents, taskId, events) }) });
    }
    const calls = await this.callsOf(record.value, history, contents, states);
    if (!calls.ok) return calls;
    const head = `{"traceId":${JSON.stringify(traceId)},"tasks":${JSON.stringify(tasks)},"calls":[`;
    return ok(utf8Of([head, ...calls.value, '],"events":[', ...listed(record.value.events), ']}']));
  }

  /** Decides every recorded attempt of a trace again. Throws and refuses as `trace` does. */
  async replay(traceId: string): Promise<Result<TraceReplay | undefined, Refusal>> {
    const record = await readTrace(this.log, this.index, this.directives, traceId, this.limits.maxEvents);
    if (!record.ok || record.value === undefined) return record as Result<undefined, Refusal>;
    const { attempts, unreadable, sound } = record.value;
    const { history, contents } = await this.sourcesOf(record.value, false);
    const reconstructor = new Reconstructor(this.log, this.engines, history, contents);
    const calls: ReplayedCall[] = [];
    for (const attempt of attempts) calls.push(await replayed(reconstructor, attempt));
    calls.push(...unreadable.map(unreplayable));
    const agrees = sound && calls.every(({ identical }) => identical !== false && identical !== 'key_missing');
    const isGone = calls.some((call) => call.identical === 'engine_gone');
    return ok({ traceId, identical: agrees && isGone ? 'engine_gone' : agrees, calls });
  }

  /** The sources for the attempts of a trace, with the first reads done concurrently. */
  private async sourcesOf(
    record: TraceRecord,
    withResponses: boolean,
  ): Promise<{ history: History; contents: Contents }> {
    const history = historyOf(this.log, this.directives, record);
    const contents = new Contents(this.log, this.keys);
    contents.expect(placesOfContent(record, withResponses));
    const streams = new Set(record.attempts.flatMap(({ decided }) => Object.keys(decided.basis)));
    await Promise.all([contents.readAhead(), history.load([...streams])]);
    return { history, contents };
  }

  /** A list of `CallEvidence` as pieces of JSON. Calls that share a history share its bytes. */
  private async callsOf(
    record: TraceRecord,
    history: History,
    contents: Contents,
    states: ReadonlyMap<string, TaskState>,
  ): Promise<Result<Piece[], Refusal>> {
    const reconstructor = new Reconstructor(this.log, this.engines, history, contents);
    const histories = new Map<string, { readonly bytes: Buffer; readonly chars: number }>();
    const calls: Piece[] = [];
    let chars = record.events.reduce((sum, { json }) => sum + json.length, 0);
    for (const attempt of record.attempts) {
      const evidence = JSON.stringify(await evidenceOf(reconstructor, contents, this.keys, attempt));
      const { capability, host } = attempt.decided;
      const taskId = attempt.refused ? '' : attempt.decided.taskId;
      const key = `${capability} ${host} ${taskId}`;
      let held = histories.get(key);
      if (held === undefined) {
        const window = windowOf(record, attempt, states.get(taskId));
        const events = await capabilityHistory(history, { capability, host, taskId }, window);
        const text = listed(events).join('');
        held = { bytes: Buffer.from(text), chars: text.length };
        histories.set(key, held);
      }
      calls.push(calls.length === 0 ? '' : ',', evidence.slice(0, -1), ',"capabilityHistory":[', held.bytes, ']}');
      chars += evidence.length + held.chars;
      if (chars > this.limits.maxChars) return err(tooLarge());
    }
    return ok(calls);
  }
}

type Piece = string | Uint8Array;

/** The events as the items of a list. */
function listed(events: readonly RecordedEvent[]): string[] {
  return events.map((event, index) => (index === 0 ? storedText(event) : `,${storedText(event)}`));
}

/** Why a task was closed, in the words of its host; undefined if it is open, or no reason was given. */
async function closeReasonOf(
  contents: Contents,
  taskId: string,
  events: readonly RecordedEvent[],
): Promise<string | undefined> {
  const closed = events.find(({ type }) => type === 'TaskClosed');
  if (closed === undefined) return undefined;
  const { schemaVersion, data } = parseEvent(closed.json);
  if (schemaVersion === 1) return textAt(data, 'reason');
  const read = families.task.readWhole(closed.json);
  const commitments = read.ok && read.value.type === 'TaskClosed' ? read.value.data.commitments : undefined;
  if (commitments === undefined) return undefined;
  const content = await contents.of(closed, taskId, commitments);
  return typeof content === 'string' ? content : textAt(content.parts, 'reason');
}

function textAt(object: unknown, name: string): string | undefined {
  const text = isJsonObject(object) ? object[name] : undefined;
  return typeof text === 'string' ? text : undefined;
}

/** The places of the events whose content will be opened, in that order. */
function placesOfContent({ tasks, attempts }: TraceRecord, withResponses: boolean): EventPlace[] {
  const opened = tasks.flatMap(({ events }) => events.slice(0, 1));
  const called = attempts
    .filter(({ refused }) => !refused)
    .flatMap(({ event, response, outcome }) =>
      withResponses ? [event, response?.event, outcome?.event].filter((each) => each !== undefined) : [event],
    );
  return [...opened, ...called];
}

/** A history that already holds the streams of the tasks. */
function historyOf(log: LogReading, directives: DirectiveHistory, { tasks }: TraceRecord): History {
  const history = new History(log, directives);
  for (const { taskId, events } of tasks) history.keep(families.task.stream(taskId), events);
  return history;
}

/**
 * The window up to the end of the task: its closing or its expiry, whichever is earlier. Without such an end, up to
 * now.
 */
function windowOf({ end, tasks }: TraceRecord, { decided }: Attempt, state: TaskState | undefined): Window {
  if (state === undefined) return { position: end };
  const closed = tasks
    .find(({ taskId }) => taskId === decided.taskId)
    ?.events.find(({ type }) => type === 'TaskClosed');
  return { position: closed?.position ?? end, time: state.expiresAt };
}

/** Undefined if the events are not a task's history. The trace shows the events in any case. */
function stateOf(events: readonly RecordedEvent[]): TaskState | undefined {
  try {
    return families.task.fold(events);
  } catch {
    return undefined;
  }
}
