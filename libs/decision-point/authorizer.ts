import { readJson } from '../event-log/blobs.js';
import { equalButForNulls } from '../capability/nulls.js';
import type { Definition } from '../capability/definition.js';
import type { AuthorizeRequest } from '../calls/requests.js';
import type { AuthorizeAnswer } from '../contract/calls.js';
import type { Caller } from '../control/caller.js';
import type { FilterResult } from '../content/filter/shapes.js';
import { afterCommit } from '../event-log/after-commit.js';
import { LogUnavailable } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import type { Attempt, AttemptInTask, AttemptWork, FilterStep } from './attempt.js';
import { decideAttempt, isOver, type RecordStep, type RepeatStep } from './decide-attempt.js';
import type { DecisionPoint } from './decision-point.js';
import { readEarlier } from './earlier-content.js';
import { callOf } from './record-decision.js';
import type { RefusalRecorder } from './refusal-recorder.js';
import type { Aside } from './response.js';
import type { TaskLane } from './task-lane.js';

/** Decisions of one call before it is denied as `view_stale`. Each further decision follows a change of the basis. */
const MAX_DECISIONS = 3;
/**
 * Tries to record before the call is left undecided. Each further try follows an append by another call of the task.
 */
const MAX_TRIES = 20;

/** The result of one try. `overtaken`: the basis has changed. `late`: the commit took longer than an allow may live. */
type Try = Result<AuthorizeAnswer, Refusal> | 'again' | 'overtaken' | 'late';

/** The hot path: decide on the view in memory, append once with the basis as preconditions, then answer. */
export class Authorizer {
  constructor(
    private readonly point: DecisionPoint,
    private readonly refusals: RefusalRecorder,
    /** The longest lifetime of an allow, and the longest time that its commit may take, in milliseconds. */
    private readonly leaseMs: number,
  ) {}

  /**
   * Decides a call of a host. The answer leaves after its record is durable. A repeat is decided again: it gets the
   * recorded allow if that still holds, else the next attempt. After the response of a call, a repeat is refused as
   * `call_finished`. Work of other threads on its content is waited for through `aside`. Throws `LogUnavailable` or `LogOverloaded` if nothing could be recorded: then there is no
   * decision.
   */
  async authorize(
    request: AuthorizeRequest,
    caller: Caller,
    traceparent: string | undefined,
    aside: Aside = (wait) => wait(),
  ): Promise<Result<AuthorizeAnswer, Refusal>> {
    const call = callOf(request, caller.name);
    if (!call.ok) return call;
    const work: AttemptWork = {};
    let decisions = 0;
    /** An allow of this request is recorded, but its commit came too late to answer it. */
    let isRecorded = false;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const forced = decisions < MAX_DECISIONS ? undefined : ('view_stale' as const);
      const attempt = { request, caller, call: call.value, traceparent, work, forced, aside };
      const outcome = await (isRecorded ? afterCommit(() => this.try(attempt)) : this.try(attempt));
      if (outcome === 'late') {
        decisions = MAX_DECISIONS;
        isRecorded = true;
      } else if (outcome === 'overtaken') decisions += 1;
      else if (outcome !== 'again') return outcome;
    }
    throw new LogUnavailable('the task is too busy to record a decision');
  }

  private async try(attempt: Attempt): Promise<Try> {
    const { point } = this;
    const { request, call } = attempt;
    const lane = await point.lanes.get(request.taskId);
    if (lane === undefined || lane.task.host !== call.host) return this.refusals.record(attempt);
    const pinned = request.observed.definition === undefined ? undefined : await this.pinnedDefinition(attempt, lane);
    const inTask: AttemptInTask = { attempt: comparedWith(pinned, attempt), lane, pinned };
    const step = inOneTurn(() => decideAttempt(point, this.leaseMs, inTask));
    switch (step.kind) {
      case 'again':
        return 'again';
      case 'load':
        await point.engines.load(step.documents);
        return 'again';
      case 'read_earlier':
        await attempt.aside(() => readEarlier(lane, point.log, point.desk));
        return 'again';
      case 'prints':
        attempt.work.prints = await attempt.aside(() => point.desk.prints(lane.task.host, step.bytes, step.asked));
        return 'again';
      case 'filter':
        attempt.work.filtered = {
          question: step.question,
          result: await attempt.aside(() => this.filterApart(lane, step)),
        };
        return 'again';
      case 'refuse':
        return step.durable ? point.lanes.refuseWhenDurable(lane, step.refusal) : { ok: false, error: step.refusal };
      case 'repeat':
        return this.repeat(lane, step);
      case 'record':
        return this.record(lane, step);
    }
  }

  /** Filters a large request in another thread, by its pinned schema. */
  private async filterApart(lane: TaskLane, { question, bytes }: FilterStep): Promise<FilterResult> {
    const { engines, desk } = this.point;
    const schema = question.schema === undefined ? undefined : await engines.schemaText(question.schema);
    return desk.filter(lane.task.host, bytes, { question, schema, pack: engines.pack });
  }

  private async record(lane: TaskLane, step: RecordStep): Promise<Try> {
    const { batch, decided, decision, startedMs, seen } = step;
    const { lanes, view, time } = this.point;
    const position = await lanes.commit(lane, batch, seen);
    if (position === undefined) return 'overtaken';
    const recorded = lane.calls.calls.get(decided.callId)?.latest;
    if (recorded?.decided.attempt === decided.attempt) recorded.position = position;
    view.applyCommitted(step.controlWrites, position);
    if (decision.decision === 'allow' && time.monotonicMs() - startedMs > this.leaseMs) return 'late';
    return ok(step.answerAt(position));
  }

  /** Answers the recorded allow, after an append that only checks: the basis still holds, and the record is durable. */
  private async repeat(lane: TaskLane, { checks, recorded, answerAt }: RepeatStep): Promise<Try> {
    const position = await this.point.lanes.commit(lane, { writes: [], checks });
    if (position === undefined) return 'overtaken';
    if (isOver(recorded, this.point.time.now())) return 'again';
    return ok(answerAt(recorded.position ?? position));
  }

  /** Undefined if the request shows the pinned definition itself, or if nothing is pinned. Throws `LogUnavailable`. */
  private async pinnedDefinition({ call }: Attempt, { task }: TaskLane): Promise<Definition | undefined> {
    const pin = task.pins.get(call.capability);
    if (pin === undefined || pin.definitionDigest === call.observed.definition) return undefined;
    const { view, log } = this.point;
    const version = view.capability(call.capability).state?.versions.get(pin.version);
    return version === undefined ? undefined : readJson<Definition>(log, version.documents.definition);
  }
}

/** The attempt, with the fact that only nulls tell its definition from the pinned one. */
function comparedWith(pinned: Definition | undefined, attempt: Attempt): Attempt {
  const { definition } = attempt.request.observed;
  if (pinned === undefined || definition === undefined || !equalButForNulls(pinned, definition)) return attempt;
  const { call } = attempt;
  return { ...attempt, call: { ...call, observed: { ...call.observed, equalButForNulls: true } } };
}
