import type { DecisionEngines } from '../decision-point/engines.js';
import type { EventPlace, LogReading, RecordedEvent } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import type { KeyReading } from '../payloads/keyring.js';
import { families } from '../streams/catalogue.js';
import type { Attempt } from './attempts.js';
import { Archives, archivedTasks } from './archives.js';
import { Contents } from './contents.js';
import { positionCursor, positionIn } from './cursor.js';
import type { DirectiveHistory } from './directive-history.js';
import { evidenceOf } from './evidence.js';
import { Histories } from './histories.js';
import { History } from './history.js';
import type { IndexReading } from './index/reading.js';
import { Reconstructor } from './reconstruct.js';
import { replayed, UNCHECKED, unreplayable } from './replay.js';
import { validatedAgain } from './response-again.js';
import { Damage, isShowable } from './soundness.js';
import { storedText } from './stored-event.js';
import { TRACE_PAGE, type TraceReplay } from '../contract/audit.js';
import type { DamagedEvent, DamagedTask, ReplayedCall, ReplayedResponse, TracedTask } from '../contract/evidence.js';
import { readTracePage, type TracePage } from './trace-page.js';
import { tracedTask } from './traced-tasks.js';
import { rememberedUsers } from './users.js';
import { utf8Of } from './utf8.js';

/** Bounds of one page. `maxChars` counts the calls with their content, and the events: a page ends before it exceeds them. */
export interface TraceLimits {
  readonly maxCalls: number;
  readonly maxEvents: number;
  readonly maxChars: number;
}

/** Events of a page for each of its calls: the decision, the response, the outcome, and the count of the task. */
const EVENTS_PER_CALL = 4;
const MAX_CHARS = 16_777_216;

export const limitsFor = (maxCalls: number = TRACE_PAGE.defaultLimit): TraceLimits => ({
  maxCalls,
  maxEvents: maxCalls * EVENTS_PER_CALL,
  maxChars: MAX_CHARS,
});

/** The evidence of a trace, and its replay, in pages. */
export class TraceAudit {
  constructor(
    readonly log: LogReading,
    private readonly keys: KeyReading,
    private readonly engines: DecisionEngines,
    readonly index: IndexReading,
    readonly directives: DirectiveHistory,
    private readonly limits: TraceLimits = limitsFor(),
  ) {}

  /**
   * A page of the evidence of a trace, as the JSON of a `TraceEvidence` in UTF-8: most of it is the log's own text.
   * Undefined if the trace has no events. Throws `LogUnavailable`, `KeyringUnavailable`, `IndexUnavailable`.
   */
  async trace(
    traceId: string,
    now: Instant,
    cursor?: string,
  ): Promise<Result<Buffer<ArrayBuffer> | undefined, Refusal>> {
    const read = await this.pageOf(traceId, cursor);
    if (!read.ok || read.value === undefined) return read as Result<undefined, Refusal>;
    const page = read.value;
    const { history, contents } = await this.sourcesOf(page, true);
    const histories = new Histories(history, page.end);
    const { calls, cut } = await this.callsOf(page, history, contents, histories);
    const events = cut === undefined ? page.events : page.events.filter(({ position }) => position < cut);
    const tasks = await this.tasksOf(events, history, contents, page.end, now);
    const next = cut === undefined ? page.next : events.at(-1)?.position;
    return ok(
      utf8Of([
        `{"traceId":${JSON.stringify(traceId)},"tasks":${JSON.stringify(tasks)},"calls":[${calls.join(',')}],"histories":`,
        ...histories.pieces(),
        ',"events":[',
        ...listed(events),
        next === undefined ? ']}' : `],"next":${JSON.stringify(positionCursor(next))}}`,
      ]),
    );
  }

  /** Decides the recorded attempts of a page again. Throws and refuses as `trace` does. */
  async replay(traceId: string, cursor?: string): Promise<Result<TraceReplay | undefined, Refusal>> {
    const read = await this.pageOf(traceId, cursor);
    if (!read.ok || read.value === undefined) return read as Result<undefined, Refusal>;
    const { attempts, unreadable, sound, next } = read.value;
    const { history, contents } = await this.sourcesOf(read.value, true);
    const reconstructor = new Reconstructor(this.log, this.engines, history, contents);
    const calls: (ReplayedCall | DamagedEvent)[] = [];
    const others = unreadable.map(unreplayable);
    for (const attempt of attempts) {
      while (isBefore(others[0], attempt)) calls.push(...others.splice(0, 1));
      const call = await replayed(reconstructor, attempt);
      calls.push({ ...call, ...(await this.responseAgain(history, contents, attempt)) });
    }
    calls.push(...others);
    const agrees = sound && calls.every(agreesWithRecord);
    const isGone = calls.some((call) => 'identical' in call && call.identical === 'engine_gone');
    const archived = await archivedTasks(this.log, read.value.events);
    const identical = isGone ? 'engine_gone' : archived.length > 0 ? 'archived' : true;
    return ok({
      traceId,
      identical: agrees && identical,
      calls,
      ...(archived.length === 0 ? {} : { archived }),
      unchecked: [...UNCHECKED],
      ...(next === undefined ? {} : { next: positionCursor(next) }),
    });
  }

  /** The validation of a response, again. */
  private async responseAgain(
    history: History,
    contents: Contents,
    attempt: Attempt,
  ): Promise<{ response?: ReplayedResponse }> {
    const { response } = attempt;
    if (response === undefined) return {};
    const again = await this.sameness(history, contents, attempt);
    return { response: { position: String(response.event.position), verdict: response.validated.verdict, again } };
  }

  private async sameness(history: History, contents: Contents, attempt: Attempt): Promise<ReplayedResponse['again']> {
    try {
      return (await validatedAgain(this.engines, history, contents, attempt)) ?? 'unchecked';
    } catch (error) {
      if (error instanceof Damage) return 'damaged';
      throw error;
    }
  }

  private async pageOf(traceId: string, cursor?: string): Promise<Result<TracePage | undefined, Refusal>> {
    const after = positionIn(cursor);
    if (!after.ok) return after;
    const page = await readTracePage(this, traceId, { after: after.value, ...this.limits });
    return ok(page.events.length === 0 && cursor === undefined ? undefined : page);
  }

  /** The sources for the attempts of a page, with the first reads done concurrently. */
  private async sourcesOf(page: TracePage, withResponses: boolean): Promise<{ history: History; contents: Contents }> {
    const history = new History(this.log, this.directives);
    const contents = new Contents(this.log, this.keys);
    contents.expect(placesOfContent(page, withResponses));
    const streams = new Set(page.attempts.flatMap(({ decided }) => Object.keys(decided.basis)));
    await Promise.all([contents.readAhead(), history.load([...streams])]);
    return { history, contents };
  }

  /** The JSON of each call of a page. `cut` is the position before which the page has to end, if it would be too large. */
  private async callsOf(
    page: TracePage,
    history: History,
    contents: Contents,
    histories: Histories,
  ): Promise<{ calls: string[]; cut?: bigint }> {
    const reconstructor = new Reconstructor(this.log, this.engines, history, contents, 'remembered');
    const sources = { reconstructor, history, contents, users: rememberedUsers(this.keys) };
    const calls: { readonly json: string; readonly position: bigint }[] = [];
    let chars = page.events.reduce((sum, { json }) => sum + json.length, 0);
    const others = [...page.unreadable];
    for (const attempt of page.attempts) {
      while (isBefore(others[0], attempt)) calls.push(...others.splice(0, 1).filter(isDamage).map(damagedCall));
      const evidence = await evidenceOf(sources, attempt);
      const { position } = attempt.event;
      const json = JSON.stringify(evidence);
      chars += json.length;
      // Calls of one position stay together, like all events.
      if (chars > this.limits.maxChars && calls.some((call) => call.position < position)) {
        return { calls: calls.filter((call) => call.position < position).map((call) => call.json), cut: position };
      }
      const positions = JSON.stringify(await histories.positionsFor(attempt));
      calls.push({ json: `${json.slice(0, -1)},"capabilityHistory":${positions}}`, position });
    }
    calls.push(...others.filter(isDamage).map(damagedCall));
    return { calls: calls.map(({ json }) => json) };
  }

  /** The tasks that were opened by these events, as they are now. */
  private async tasksOf(
    events: readonly RecordedEvent[],
    history: History,
    contents: Contents,
    end: bigint,
    now: Instant,
  ): Promise<(TracedTask | DamagedTask)[]> {
    const tasks: (TracedTask | DamagedTask)[] = [];
    const users = rememberedUsers(this.keys);
    const archives = new Archives(this.log);
    for (const { stream, revision } of events) {
      const taskId = revision === 1 ? families.task.idOf(stream) : undefined;
      if (taskId === undefined) continue;
      const own = (await history.events(stream)).filter(({ position }) => position <= end);
      const task = await tracedTask({ contents, archives, users, index: this.index }, taskId, own, now);
      if (task !== undefined) tasks.push(task);
    }
    return tasks;
  }
}

/** Whether something is older than an attempt. */
const isBefore = (
  other: { readonly position: bigint | string } | undefined,
  { event }: Pick<Attempt, 'event'>,
): boolean => other !== undefined && BigInt(other.position) < event.position;

const agreesWithRecord = (call: ReplayedCall | DamagedEvent): boolean =>
  'identical' in call &&
  call.identical !== false &&
  call.identical !== 'key_missing' &&
  call.response?.again !== 'differs' &&
  call.response?.again !== 'damaged';

const isDamage = (event: RecordedEvent): boolean => !isShowable(event);

const damagedCall = (event: RecordedEvent) => ({ json: storedText(event), position: event.position });

/** The events as the items of a list. */
function listed(events: readonly RecordedEvent[]): string[] {
  return events.map((event, index) => (index === 0 ? storedText(event) : `,${storedText(event)}`));
}

/** The places of the events whose content will be opened, in that order. */
function placesOfContent({ events, attempts }: TracePage, withResponses: boolean): EventPlace[] {
  const opened = events.filter(({ stream, revision }) => revision === 1 && families.task.has(stream));
  const called = attempts
    .filter(({ refused }) => !refused)
    .flatMap(({ event, response, outcome }) =>
      withResponses ? [event, response?.event, outcome?.event].filter((each) => each !== undefined) : [event],
    );
  return [...opened, ...called];
}
