import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../kernel/canonical-json.js';
import { defined } from '../../kernel/defined.js';
import type { McpRequest } from '../../mcp/client.js';
import { traceparentIn, type Exchange } from '../../mcp/exchange.js';
import type { Wire } from '../../mcp/intercept.js';
import { asksForInput, type McpResponse } from '../../mcp/message.js';
import { OWN_META } from '../../mcp/protocol.js';
import type { Allow, Envelope, Validated } from '../service/answers.js';
import type { HostClient } from '../service/client.js';
import type { PinnedVersion } from './definition.js';
import type { Flights, StopReason } from './flights.js';
import type { CallOptions } from './options.js';
import type { Permit } from './permit.js';
import type { Records } from './records.js';
import { CallRefused, refusedBy, refusedByServer } from './refusal.js';
import type { Filtered } from './result.js';

export interface CallParts {
  readonly taskId: string;
  readonly client: Pick<HostClient, 'validateResponse'>;
  readonly permit: Permit;
  readonly flights: Flights;
  readonly records: Records;
  readonly exchange: Exchange;
  readonly wire: Pick<Wire, 'forget' | 'lateAnswerTo'>;
  readonly pinned: Pick<PinnedVersion, 'effectOf'>;
  readonly requestMs: number | undefined;
  readonly lateMs: number;
  /** Aborted when the guard is closed: then no late answer is waited for. */
  readonly closing: AbortSignal;
}

export interface Call {
  readonly operation: string;
  readonly arguments: JsonObject;
  readonly options: CallOptions;
  /** The request that carries the arguments that the decision lets out. */
  requestOf(outbound: JsonObject): McpRequest;
}

/** The validated response of a server to one call. */
export interface Delivered {
  readonly callId: string;
  readonly envelope: Envelope;
  readonly isError: boolean;
  /** The work of the filter on the call. */
  readonly filtered: Filtered;
}

/** A call that the service has allowed. */
interface Running {
  readonly callId: string;
  readonly operation: string;
  readonly traceparent: string;
  readonly filtered: Filtered;
  readonly stoppedBy: () => StopReason | 'cancelled' | undefined;
}

const ABORTED = { code: -31_002, message: 'the call was stopped, and no answer came' };

/** Makes one call, from the question to the service to the recorded outcome. Rejects with `CallRefused`. */
export async function performCall(parts: CallParts, call: Call): Promise<Delivered> {
  const { flights, exchange, wire, requestMs } = parts;
  const { operation, options } = call;
  const { signal: caller, context, labels, approval } = options;
  const callId = randomUUID();
  const allow = await parts.permit(
    defined({ callId, operation, arguments: call.arguments, context, labels, approval }),
  );
  const flight = flights.begin(allow);
  const traceparent = traceparentIn(allow.traceId);
  const stoppedBy = () => flight.stopped() ?? (caller?.aborted === true ? 'cancelled' : undefined);
  const { redactions, refusals } = allow.outbound;
  const filtered = { redactions, refusals, obligations: allow.obligations };
  const running = { callId, operation, traceparent, filtered, stoppedBy };
  let isAnswerAwaited = false;
  try {
    refuseStoppedEarly(running, parts.records);
    const signal = caller === undefined ? flight.signal : AbortSignal.any([flight.signal, caller]);
    const request = { ...call.requestOf(allow.outbound.arguments), meta: metaOf(allow) };
    const { answer, error, hasLeft } = await exchange(request, traceparent, signal, requestMs);
    const stopped = stoppedBy();
    if (stopped !== undefined) {
      isAnswerAwaited = true;
      parts.records.later(handInLate(parts, running, stopped));
      throw new CallRefused({ reason: stopped, by: 'host', callId, detail: 'the call was stopped on its way' });
    }
    if (answer === undefined) {
      const control = { decision: hasLeft ? 'no_answer' : 'not_called', by: 'host' };
      parts.records.outcome(callId, { status: hasLeft ? 'unknown' : 'failed', control });
      throw refusedByServer(error, callId);
    }
    return await deliver(parts, running, answer);
  } catch (error) {
    throw refusedBy(error, callId);
  } finally {
    flight.end();
    if (!isAnswerAwaited) wire.forget(traceparent);
  }
}

/** The labels of what is sent, and the context items that may be sent, as members of `_meta`. */
function metaOf({ outbound: { labels, context } }: Allow): JsonObject {
  return {
    ...(labels.length === 0 ? {} : { [OWN_META.labels]: labels }),
    ...(context.length === 0 ? {} : { [OWN_META.context]: context }),
  };
}

function refuseStoppedEarly({ callId, stoppedBy }: Running, records: Records): void {
  const reason = stoppedBy();
  if (reason === undefined) return;
  records.outcome(callId, { status: 'failed', control: { decision: 'not_called', by: 'host', reason } });
  throw new CallRefused({ reason, by: 'host', callId, detail: 'the call was stopped before it was made' });
}

/** Has an answer validated, records the outcome, and delivers the answer as quoted evidence. */
async function deliver(parts: CallParts, running: Running, answer: McpResponse): Promise<Delivered> {
  const { client, records, taskId } = parts;
  const { callId, operation } = running;
  const validated = await client.validateResponse(callId, { taskId, ...answer }).catch((error: unknown) => {
    records.outcome(callId, { status: 'unknown', control: { decision: 'not_validated', by: 'host' } });
    throw error;
  });
  const wantsInput = 'result' in answer && asksForInput(answer.result);
  const isError = 'error' in answer || wantsInput || answer.result['isError'] === true;
  const type = parts.pinned.effectOf(operation);
  const effect = type === undefined ? undefined : { type };
  records.outcome(callId, defined({ status: isError ? 'failed' : 'succeeded', effect }));
  if (wantsInput) {
    const detail = 'the server asks for input instead';
    throw new CallRefused({ reason: 'input_required', by: 'host', callId, detail });
  }
  if (validated.content === undefined) throw heldBack(callId, validated);
  // The service may have accepted it before the stop: a repeated answer is as old as the first.
  const stopped = running.stoppedBy();
  if (stopped === undefined) return { callId, envelope: validated.content, isError, filtered: running.filtered };
  throw new CallRefused({ reason: stopped, by: 'host', callId, detail: 'the call was stopped before its end' });
}

/** The refusal of a response that has no content for the agent. */
export function heldBack(callId: string, { findings, verdict }: Validated): CallRefused {
  const reason = findings.some(({ kind }) => kind === 'disabled') ? 'disabled' : `response_${verdict}`;
  return new CallRefused({ reason, by: 'service', callId, findings });
}

/** The late answer to a stopped call goes to the service, and to nobody else. */
async function handInLate(parts: CallParts, { callId, traceparent }: Running, reason: string): Promise<void> {
  const { client, wire, records, taskId, closing, lateMs } = parts;
  const waited = AbortSignal.any([closing, AbortSignal.timeout(lateMs)]);
  const answer = (await wire.lateAnswerTo(traceparent, waited)) ?? { error: ABORTED };
  wire.forget(traceparent);
  try {
    await client.validateResponse(callId, { taskId, ...answer });
  } finally {
    records.outcome(callId, { status: 'unknown', control: { decision: 'aborted', by: 'host', reason } });
  }
}
