import type { AuthorizeRequest } from '../calls/requests.js';
import type { Call } from '../decision/call.js';
import { decide } from '../decision/decide.js';
import { shownCheck } from '../decision/record.js';
import type { SealedEvent } from '../event-log/event.js';
import { LogOverloaded, LogUnavailable } from '../event-log/port.js';
import { traceIdOf } from '../kernel/ids.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { AuthorizeAnswer } from '../contract/calls.js';
import { answerOf } from './answer.js';
import { snapshotFor } from './basis.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import { sealFact } from '../streams/facts.js';
import { inOneTurn } from '../kernel/synchronous.js';
import type { DecisionPoint } from './decision-point.js';
import { decidedOf, effectsOf } from './record-decision.js';
import { isForeign, newTraceId } from './trace.js';

/**
 * Limits for each host: refusals at once, and refusals per second. Above either, nothing is recorded, so there is no
 * decision (429).
 */
const BURST = 400;
const PER_SECOND = 200;
/**
 * The longest time that a refusal may wait for its turn. Without it, a slow or absent log could keep the last one
 * waiting for minutes.
 */
const MAX_WAIT_MS = 1000;
const MAX_TRIES = 5;

export interface RefusedCall {
  readonly caller: Caller;
  readonly request: Pick<AuthorizeRequest, 'explain'>;
  readonly call: Omit<Call, 'decidedAt'>;
  readonly traceparent: string | undefined;
}

/** A denial that is about to be recorded, and its answer once its position is known. */
interface Denial {
  readonly event: SealedEvent;
  readonly answerAt: (position: bigint) => AuthorizeAnswer;
}

interface HostRefusals {
  revision: number;
  tokens: number;
  filledMs: number;
  waiting: number;
  /** The end of the queue of appends. They run one at a time, because the stream has one writer. */
  last: Promise<unknown>;
}

/**
 * Records denials that belong to no task of the host, in `refusals-<host>`. Their content is not kept: without a task
 * there is no key.
 */
export class RefusalRecorder {
  private readonly hosts = new Map<string, HostRefusals>();

  constructor(
    private readonly point: Pick<DecisionPoint, 'log' | 'view' | 'engines' | 'time'>,
    /** In milliseconds. */
    private readonly leaseMs: number,
  ) {}

  /**
   * Throws `LogOverloaded` above the rate or if too many are waiting, and `LogUnavailable` if its turn came too late.
   */
  async record(refused: RefusedCall): Promise<Result<AuthorizeAnswer, Refusal>> {
    const host = await this.hostOf(refused.call.host);
    this.takeToken(host);
    host.waiting += 1;
    const askedMs = this.point.time.monotonicMs();
    const inTime = (): Promise<Result<AuthorizeAnswer, Refusal>> => {
      if (this.point.time.monotonicMs() - askedMs <= MAX_WAIT_MS) return this.append(host, refused);
      throw new LogUnavailable('the refusals of this host are not recorded fast enough');
    };
    const turn = host.last.then(inTime).finally(() => (host.waiting -= 1));
    host.last = turn.catch(() => undefined);
    return turn;
  }

  private async append(host: HostRefusals, refused: RefusedCall): Promise<Result<AuthorizeAnswer, Refusal>> {
    const { log } = this.point;
    const stream = `refusals-${refused.call.host}`;
    const traceId = await this.traceFor(refused.call.host, refused.traceparent);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const step = inOneTurn(() => this.denial(refused, host.revision, traceId));
      if (!step.ok) return step;
      const { event, answerAt } = step.value;
      const outcome = await log.append({
        writes: [{ stream, expected: host.revision, events: [event] }],
        checks: [],
      });
      if (outcome.kind === 'committed') {
        host.revision += 1;
        return ok(answerAt(outcome.position));
      }
      host.revision = await log.head(stream);
    }
    throw new LogUnavailable('the refusal could not be recorded');
  }

  /** Decides the call without a task, which always denies, and seals the event for its place after `revision`. */
  private denial(
    { caller, request, call: undated }: RefusedCall,
    revision: number,
    traceId: string,
  ): Result<Denial, Refusal> {
    const { view, engines, time } = this.point;
    const precondition = callerPrecondition(view, caller);
    if (!precondition.ok) return precondition;
    const snapshot = snapshotFor(view, undefined, undated);
    const call: Call = { ...undated, decidedAt: time.now() };
    const decision = decide(snapshot, call, engines.engines);
    if (decision.decision === 'allow') throw new Error('an allow without a task');
    const effects = effectsOf(snapshot, call, decision);
    const recorded = { commitments: {}, effects, engines: engines.versions };
    const data = { attempt: 1, ...decidedOf(call, decision, snapshot.basis, recorded) };
    const fact = { type: 'CallRefused', data, actor: call.host, time: call.decidedAt };
    const stream = `refusals-${call.host}`;
    const event = sealFact(stream, revision + 1, fact, { traceId, correlationId: call.callId });
    const checks = request.explain === true ? decision.checks : data.checks.map(shownCheck);
    const { obligations, targets } = decision;
    const shown = { traceId, checks, obligations, targets, leaseMs: this.leaseMs };
    return ok({ event, answerAt: (position) => answerOf({}, data, { ...shown, position }) });
  }

  /** The caller's trace, unless another host has a task in it: no host may write into another host's evidence. */
  private async traceFor(host: string, traceparent: string | undefined): Promise<string> {
    const traceId = traceIdOf(traceparent);
    if (traceId === undefined) return newTraceId();
    return isForeign(await this.point.log.read(`trace-${traceId}`), host) ? newTraceId() : traceId;
  }

  private async hostOf(name: string): Promise<HostRefusals> {
    const known = this.hosts.get(name);
    if (known !== undefined) return known;
    const revision = await this.point.log.head(`refusals-${name}`);
    const fresh = {
      revision,
      tokens: BURST,
      filledMs: this.point.time.monotonicMs(),
      waiting: 0,
      last: Promise.resolve(),
    };
    const host = this.hosts.get(name) ?? fresh;
    this.hosts.set(name, host);
    return host;
  }

  private takeToken(host: HostRefusals): void {
    const nowMs = this.point.time.monotonicMs();
    host.tokens = Math.min(BURST, host.tokens + ((nowMs - host.filledMs) / 1000) * PER_SECOND);
    host.filledMs = nowMs;
    if (host.tokens < 1 || host.waiting >= BURST) throw new LogOverloaded('too many calls outside of any task');
    host.tokens -= 1;
  }
}
