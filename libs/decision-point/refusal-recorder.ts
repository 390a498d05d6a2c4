import type { AuthorizeRequest } from '../calls/requests.js';
import type { Call } from '../decision/call.js';
import { decide } from '../decision/decide.js';
import { shownCheck } from '../decision/record.js';
import { LogOverloaded, LogUnavailable } from '../event-log/port.js';
import type { SettledLog } from '../event-log/settled.js';
import { traceIdOf } from '../kernel/ids.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { AuthorizeAnswer } from '../contract/calls.js';
import { answerOf } from './answer.js';
import { snapshotFor } from './basis.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { ControlView } from '../control/control-view.js';
import type { DecisionEngines } from './engines.js';
import { sealFact } from '../streams/facts.js';
import type { LogTime } from '../control/log-time.js';
import { decidedOf } from './record-decision.js';
import { isForeign, newTraceId } from './trace.js';

/** Per host: this many at once, and this many a second. Past it nothing is recorded, so there is no decision (429). */
const BURST = 400;
const PER_SECOND = 200;
/** How long one may wait for those before it. A log that is slow or away would let the last wait for minutes. */
const MAX_WAIT_MS = 1000;
const MAX_TRIES = 5;

export interface RefusedCall {
  readonly caller: Caller;
  readonly request: Pick<AuthorizeRequest, 'explain'>;
  readonly call: Omit<Call, 'decidedAt'>;
  readonly traceparent: string | undefined;
}

interface HostRefusals {
  revision: number;
  tokens: number;
  filledMs: number;
  waiting: number;
  /** One append at a time: the stream has one writer. */
  last: Promise<unknown>;
}

/** Records denials that belong to no task of the host, in `refusals-<host>`. Their content is not kept: no task, no key. */
export class RefusalRecorder {
  private readonly hosts = new Map<string, HostRefusals>();

  constructor(
    private readonly log: SettledLog,
    private readonly view: ControlView,
    private readonly engines: DecisionEngines,
    private readonly time: LogTime,
    private readonly leaseMs: number,
  ) {}

  /** Throws `LogOverloaded` past the rate, or where too many wait already; `LogUnavailable` where its turn came too late. */
  async record(refused: RefusedCall): Promise<Result<AuthorizeAnswer, Refusal>> {
    const host = await this.hostOf(refused.call.host);
    this.takeToken(host);
    host.waiting += 1;
    const askedMs = this.time.monotonicMs();
    const inTime = (): Promise<Result<AuthorizeAnswer, Refusal>> => {
      if (this.time.monotonicMs() - askedMs <= MAX_WAIT_MS) return this.append(host, refused);
      throw new LogUnavailable('the refusals of this host are not recorded fast enough');
    };
    const turn = host.last.then(inTime).finally(() => (host.waiting -= 1));
    host.last = turn.catch(() => undefined);
    return turn;
  }

  private async append(
    host: HostRefusals,
    { caller, request, call, traceparent }: RefusedCall,
  ): Promise<Result<AuthorizeAnswer, Refusal>> {
    const traceId = await this.traceFor(call.host, traceparent);
    const stream = `refusals-${call.host}`;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const standing = callerPrecondition(this.view, caller);
      if (!standing.ok) return standing;
      const snapshot = snapshotFor(this.view, undefined, call.host, call.capability);
      const { versions: engines } = this.engines;
      const dated: Call = { ...call, decidedAt: this.time.now() };
      const decision = decide(snapshot, dated, this.engines.engines);
      if (decision.decision === 'allow') throw new Error('an allow without a task');
      const data = { attempt: 1, ...decidedOf(dated, decision, snapshot.basis, { commitments: {}, engines }) };
      const fact = { type: 'CallRefused', data, actor: call.host, time: dated.decidedAt };
      const event = sealFact(stream, host.revision + 1, fact, { traceId, correlationId: call.callId });
      const outcome = await this.log.append({
        writes: [{ stream, expected: host.revision, events: [event] }],
        checks: [],
      });
      if (outcome.kind === 'committed') {
        host.revision += 1;
        const checks = request.explain === true ? decision.checks : data.checks.map(shownCheck);
        const { obligations, targets } = decision;
        const { leaseMs } = this;
        const { position } = outcome;
        return ok(answerOf({ arguments: {} }, data, { traceId, checks, obligations, targets, leaseMs, position }));
      }
      host.revision = await this.log.head(stream);
    }
    throw new LogUnavailable('the refusal could not be recorded');
  }

  /** The caller's trace, unless another host has a task in it: nobody writes into another's evidence. */
  private async traceFor(host: string, traceparent: string | undefined): Promise<string> {
    const traceId = traceIdOf(traceparent);
    if (traceId === undefined) return newTraceId();
    return isForeign(await this.log.read(`trace-${traceId}`), host) ? newTraceId() : traceId;
  }

  private async hostOf(name: string): Promise<HostRefusals> {
    const known = this.hosts.get(name);
    if (known !== undefined) return known;
    const revision = await this.log.head(`refusals-${name}`);
    const fresh = { revision, tokens: BURST, filledMs: this.time.monotonicMs(), waiting: 0, last: Promise.resolve() };
    const host = this.hosts.get(name) ?? fresh;
    this.hosts.set(name, host);
    return host;
  }

  private takeToken(host: HostRefusals): void {
    const nowMs = this.time.monotonicMs();
    host.tokens = Math.min(BURST, host.tokens + ((nowMs - host.filledMs) / 1000) * PER_SECOND);
    host.filledMs = nowMs;
    if (host.tokens < 1 || host.waiting >= BURST) throw new LogOverloaded('too many calls outside of any task');
    host.tokens -= 1;
  }
}
