import assert from 'node:assert/strict';
import { pino } from 'pino';
import { startTracing } from '../../apps/pdp/observability/tracing.js';
import { LogUnavailable, type EventLog } from '../../libs/event-log/port.js';
import { GrpcHost } from '../grpc/client.js';
import { gate } from '../support/gate.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { startReceiver, telemetryEnvironment, type Receiver, type Span } from './receiver.js';
import { after, before, test } from '../support/testing.js';

const CALLER_SPAN = '00f067aa0ba902b7';
const traceOf = (number: number) => `4bf92f3577b34da6a3ce929d0e0e4${String(number).padStart(3, '0')}`;

let receiver: Receiver;
let service: TestService;
let host: GrpcHost;
let task: Answered;
/** The lines of the service's log. */
const lines: Answered[] = [];
/** The next append fails, and is not written. */
let failsNext = false;

const wrapLog = (log: EventLog): EventLog => ({
  ...gate().wrap(log),
  async append(batch) {
    if (!failsNext) return log.append(batch);
    failsNext = false;
    throw new LogUnavailable('as ordered');
  },
});
before(async () => {
  receiver = await startReceiver();
  // As an operator sets it; the SDK reads the process's own environment.
  Object.assign(process.env, telemetryEnvironment(receiver), {
    OTEL_BSP_SCHEDULE_DELAY: '20',
    OTEL_SERVICE_NAME: 'gate-7',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=drill,team=blue%20team',
  });
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  service = await startService({ tracing: await startTracing(process.env), wrapLog, logger });
  host = new GrpcHost(service);
  await readyWorld(service);
  task = await openTask(service);
});
after(async () => {
  host.close();
  await service.stop();
  await receiver.close();
});

const authorize = (trace: string, sampled: boolean, more: Record<string, unknown> = {}) =>
  service.call('host', 'POST', '/v1/calls/authorize', callBody(task, more), {
    traceparent: `00-${trace}-${CALLER_SPAN}-${sampled ? '01' : '00'}`,
  });

const sampled = (number: number) => ({ traceparent: `00-${traceOf(number)}-${CALLER_SPAN}-01` });

/** The spans of a trace, once its `authorize`, which ends last, has come. */
async function spansOf(trace: string): Promise<Map<string, Span>> {
  for (let tries = 0; tries < 200; tries += 1) {
    const spans = receiver.spans().filter(({ traceId }) => traceId === trace);
    if (spans.some(({ name }) => name === 'authorize')) return new Map(spans.map((span) => [span.name, span]));
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail('no span came');
}

const attribute = (span: Span | undefined, key: string) =>
  span?.attributes.find((each) => each.key === key)?.value.stringValue;

test('a call has its three spans under the trace of its caller, and its answer says so', async () => {
  const trace = traceOf(1);
  const answer = await authorize(trace, true);
  assert.equal(expecting(200, answer).decision, 'allow');
  const spans = await spansOf(trace);
  assert.deepEqual([...spans.keys()].sort(), ['append', 'authorize', 'decide']);
  const authorized = spans.get('authorize');
  assert.equal(authorized?.parentSpanId, CALLER_SPAN);
  for (const name of ['decide', 'append']) assert.equal(spans.get(name)?.parentSpanId, authorized?.spanId, name);
  assert.equal(answer.headers.get('traceresponse'), `00-${trace}-${authorized?.spanId}-01`);
  assert.equal(attribute(authorized, 'sallyport.decision'), 'allow');
  assert.equal(attribute(spans.get('append'), 'sallyport.outcome'), 'committed');
  const at = (span: Span | undefined) => [BigInt(span?.startTimeUnixNano ?? 0), BigInt(span?.endTimeUnixNano ?? 0)];
  const [begun = 0n, ended = 0n] = at(authorized);
  const [decideBegun = 0n, decided = 0n] = at(spans.get('decide'));
  const [appendBegun = 0n, appended = 0n] = at(spans.get('append'));
  const order = [begun, decideBegun, decided, appendBegun, appended, ended];
  // A span begins by the wall clock, which may be set between two of them, and lasts by another.
  const late = order.filter((time, index) => time + 100_000_000n < (order[index - 1] ?? 0n));
  assert.deepEqual(late, [], `in nanoseconds: ${order.join(', ')}`);
});

test('a span names its call, and the audit trace of a task that is another than the trace of its caller', async () => {
  const over = {
    http: (body: Answered) => service.call('host', 'POST', '/v1/calls/authorize', body, sampled(10)),
    grpc: (body: Answered) => host.call('host', 'Decisions/Authorize', body, sampled(11)),
  };
  for (const [name, number] of [
    ['http', 10],
    ['grpc', 11],
  ] as const) {
    const body = callBody(task);
    await over[name](body);
    const span = (await spansOf(traceOf(number))).get('authorize');
    assert.equal(attribute(span, 'sallyport.task_id'), task.taskId, name);
    assert.equal(attribute(span, 'sallyport.call_id'), body.callId, name);
    assert.equal(attribute(span, 'sallyport.capability'), 'memory', name);
    assert.equal(attribute(span, 'sallyport.trace_id'), task.traceId, name);
    assert.notEqual(task.traceId, traceOf(number));
  }
});

test('the resource has the attributes of the operator, and none of the machine', async () => {
  await authorize(traceOf(4), true);
  await spansOf(traceOf(4));
  const { resourceSpans } = JSON.parse(receiver.bodies.at(-1) ?? '{}');
  const attributes: Answered[] = resourceSpans[0].resource.attributes;
  const said = Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
  assert.equal(said['service.name'], 'gate-7');
  assert.equal(said['deployment.environment.name'], 'drill');
  assert.equal(said['team'], 'blue team');
  for (const key of Object.keys(said)) assert.doesNotMatch(key, /^(host|process|os)\./);
});

test('a log line of a failure names its call, the trace of its span and the audit trace', async () => {
  const body = callBody(task);
  failsNext = true;
  const failed = await service.call('host', 'POST', '/v1/calls/authorize', body, sampled(12));
  assert.equal(failed.status, 503);
  const line = lines.find(({ callId }) => callId === body.callId);
  const { taskId, traceId: auditTraceId } = task;
  assert.deepEqual(
    { taskId: line?.taskId, traceId: line?.traceId, auditTraceId: line?.auditTraceId },
    { taskId, traceId: traceOf(12), auditTraceId },
  );
  assert.equal(attribute((await spansOf(traceOf(12))).get('authorize'), 'sallyport.trace_id'), auditTraceId);
});

test('spans of calls that are made at once do not mix', async () => {
  const numbers = Array.from({ length: 12 }, (_, index) => index + 100);
  await Promise.all(numbers.map((number) => authorize(traceOf(number), true)));
  for (const number of numbers) {
    const spans = await spansOf(traceOf(number));
    assert.deepEqual([...spans.keys()].sort(), ['append', 'authorize', 'decide']);
    assert.equal(spans.get('append')?.parentSpanId, spans.get('authorize')?.spanId);
  }
});

test('a caller that does not sample gets no spans, and what it sent is in none', async () => {
  const quiet = traceOf(2);
  const unsampled = await authorize(quiet, false);
  assert.match(unsampled.headers.get('traceresponse') ?? '', new RegExp(`^00-${quiet}-[0-9a-f]{16}-00$`));
  const body = { arguments: { key: 'hunter2' }, operation: 'fly-away' };
  assert.equal(expecting(200, await authorize(traceOf(3), true, body)).decision, 'deny');
  assert.equal(attribute((await spansOf(traceOf(3))).get('authorize'), 'sallyport.reason'), 'operation_unknown');
  const sent = receiver.bodies.join('\n');
  for (const secret of [quiet, 'hunter2', 'fly-away', 'ada', service.dataDir, service.tokens.host]) {
    // As a word: the hex digits of a span's id may well spell a name.
    assert.doesNotMatch(sent, new RegExp(`(?<!\\w)${RegExp.escape(secret)}(?!\\w)`), secret);
  }
});

test('without an endpoint there is nothing', async () => {
  assert.equal(await startTracing({}), undefined);
  assert.equal(await startTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }), undefined);
});
