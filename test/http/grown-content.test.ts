import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { GrpcHost, refusal } from '../grpc/client.js';
import { unique } from '../support/actors.js';
import { logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answer, type Answered, type TestService } from '../support/service.js';
import {
  activatePolicy,
  callBody,
  expecting,
  openTask,
  proposal,
  readyWorld,
  registration,
  taskBody,
} from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/**
 * Canonical JSON may be longer than the request: `1e20` is written out, and a quoted answer is kept twice. If content
 * no longer fits into an event, its payload or a blob, the answer is a 413. Nothing of it is stored, and the task goes
 * on as before.
 */

const MIB = 1_048_576;
/** Five bytes each in a body, 22 in canonical JSON. */
const numbers = (bytes: number): string => `[${'1e20,'.repeat(Math.floor(bytes / 5) - 1)}1]`;
/** Six bytes each in either. */
const controls = (bytes: number): string => `"${'\\u0001'.repeat(Math.floor(bytes / 6) - 1)}"`;

const reads = new Map<string, number>();
let service: TestService;
let host: GrpcHost;
before(async () => {
  service = await startService({
    env: {
      SALLYPORT_RESPONSE_BYTES: String(16 * MIB),
      SALLYPORT_RESPONSE_VALUES: '10000000',
      SALLYPORT_DEFINITION_VALUES: '10000000',
      SALLYPORT_ARGUMENTS_VALUES: '10000000',
    },
    wrapLog: (log) => ({
      ...log,
      read: (stream, from, limit) => {
        reads.set(stream, (reads.get(stream) ?? 0) + 1);
        return log.read(stream, from, limit);
      },
    }),
  });
  await readyWorld(service);
  host = new GrpcHost(service);
});
after(async () => {
  host.close();
  await service.stop();
});

/** A body with JSON in place of the text `HERE`. */
const filled = (body: Answered, json: string): string => JSON.stringify(body).replace('"HERE"', json);
const authorize = (body: Answered) => service.call('host', 'POST', '/v1/calls/authorize', body);
const respond = (callId: string, body: Answered) => service.call('host', 'POST', `/v1/calls/${callId}/response`, body);

async function tooLarge(ask: () => Promise<Answer>): Promise<void> {
  const end = await logEnd(service);
  refused(413, 'too_large', await ask());
  assert.equal(await logEnd(service), end);
}

/** The task is served as before, from the same lane. */
async function goesOn(task: Answered, work: () => Promise<void>): Promise<void> {
  const before = reads.get(`task-${task.taskId}`);
  await work();
  assert.equal(expecting(200, await authorize(callBody(task))).decision, 'allow');
  assert.equal(reads.get(`task-${task.taskId}`), before, 'the lane was loaded again');
}

async function allowedCall(task: Answered): Promise<string> {
  const body = callBody(task);
  assert.equal(expecting(200, await authorize(body)).decision, 'allow');
  return body.callId;
}

test('a definition that grows past a blob: proposed, observed, brought by a call', async () => {
  const grown = (version: string) => {
    const { definition } = proposal(version);
    return { ...definition, serverInfo: 'HERE' };
  };
  const content = `{"a":${numbers(3 * MIB)}}`;
  const text = filled(registration(unique('cap'), proposal('1.0.0', { definition: grown('1.0.0') })), content);
  await tooLarge(() => service.call('registrar', 'POST', '/v1/capabilities', text));
  const observed = filled({ definition: { ...grown('1.0.0'), instructions: 'Another.' } }, content);
  await tooLarge(() => service.call('host', 'POST', '/v1/capabilities/memory/versions/1.0.0/observations', observed));
  const task = await openTask(service);
  await goesOn(task, async () => {
    const { server } = callBody(task).observed;
    const body = callBody(task, { observed: { definition: { ...grown('1.0.0'), instructions: 'Another.' }, server } });
    await tooLarge(() => authorize(filled(body, content)));
  });
});

test('a definition of 4 MiB of escapes is taken', async () => {
  const definition = { ...proposal().definition, serverInfo: { a: 'HERE' } };
  const text = filled(registration(unique('cap'), proposal('1.0.0', { definition })), controls(4 * MIB - 4096));
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', text));
});

test('manifests, reviews and drift of the largest size, all escapes', async () => {
  const long = (length: number) => '\u0001'.repeat(length);
  const id = unique('cap');
  const { manifest, source } = proposal();
  const { definition } = proposal();
  const egress = Array.from({ length: 256 }, () => long(512));
  const needs = { context: Array.from({ length: 32 }, () => long(512)) };
  const operations = { ...manifest.operations, store: { effects: ['write'], needs } };
  const more = { manifest: { ...manifest, egress, operations }, source: { ...source, url: long(2048) } };
  const registered = registration(id, proposal('1.0.0', more));
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', { ...registered, owner: long(512) }));
  const review = { verdict: 'approved', reason: long(2000), exceptions: ['signature_missing'] };
  expecting(200, await service.call('reviewer', 'POST', `/v1/capabilities/${id}/versions/1.0.0/review`, review));
  const task = await openTask(service, { scope: [{ capability: id, effects: ['read'] }] });
  const drifted = (part: string, json: string) => filled({ definition: { ...definition, [part]: 'HERE' } }, json);
  const path = `/v1/capabilities/${id}/versions/1.0.0/observations`;
  for (const [part, json] of [
    ['instructions', controls(4 * MIB - 4096)],
    ['prompts', JSON.stringify(Array.from({ length: 2000 }, (_, index) => ({ name: `${index}${long(300)}` })))],
  ] as const) {
    expecting(200, await service.call('host', 'POST', path, drifted(part, json)));
  }
  const { server } = callBody(task).observed;
  const call = callBody(task, {
    capability: id,
    observed: { definition: { ...definition, instructions: 'HERE' }, server },
  });
  assert.equal(expecting(200, await authorize(filled(call, controls(3 * MIB)))).decision, 'deny');
});

test('a response that grows past a payload record', async () => {
  const task = await openTask(service);
  const callId = await allowedCall(task);
  const { taskId } = task;
  await goesOn(task, async () => {
    await tooLarge(() => respond(callId, filled({ taskId, result: { a: 'HERE' } }, numbers(8 * MIB))));
    await tooLarge(() => respond(callId, filled({ taskId, error: { a: 'HERE' } }, numbers(8 * MIB))));
    // An accepted response is kept as received and as delivered, and delivery makes marks longer. The two cases exceed
    // the limit in characters and in bytes.
    const text = (char: string) => ({ taskId, result: { content: [{ type: 'text', text: char }] } });
    const marks = '<s>'.repeat(10_000);
    const most = 16 * MIB - 1024 - marks.length;
    await tooLarge(() => respond(callId, filled(text('HERE'), `"${'x'.repeat(most)}${marks}"`)));
    await tooLarge(() => respond(callId, filled(text('HERE'), `"${'€'.repeat(most / 3)}${marks}"`)));
    expecting(200, await respond(callId, filled(text('HERE'), controls(8 * MIB))));
  });
});

test('arguments, context and outcomes of the largest size, all escapes, are recorded', async () => {
  const task = await openTask(service);
  await goesOn(task, async () => {
    const grown = (bytes: number) => `{"key":"a","n":${numbers(bytes)}}`;
    for (const json of [`{"key":${controls(262_000)}}`, grown(59_000)]) {
      const context = [{ id: 'c', source: 's', content: '\u0001'.repeat(100_000) }];
      expecting(200, await authorize(filled(callBody(task, { arguments: 'HERE', context }), json)));
    }
    await tooLarge(() => authorize(filled(callBody(task, { arguments: 'HERE' }), grown(60_000))));
    const callId = await allowedCall(task);
    const long = (length: number) => '\u0001'.repeat(length);
    const outcome = {
      taskId: task.taskId,
      status: 'failed',
      effect: { type: 'read', summary: long(500), reference: long(500) },
      control: { decision: long(200), by: long(200), reason: long(500) },
    };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/outcome`, outcome));
  });
});

test('tasks, directives and policies, all escapes', async () => {
  const roles = Array.from({ length: 200 }, () => '\u0001'.repeat(512));
  await tooLarge(() => service.call('host', 'POST', '/v1/tasks', taskBody({ user: { id: 'ada', roles } })));
  const purpose = '\u0001'.repeat(4000);
  const user = { id: '\u0001'.repeat(512), roles: [], attributes: { note: '\u0001'.repeat(10_000) } };
  expecting(201, await service.call('host', 'POST', '/v1/tasks', taskBody({ purpose, user })));
  const target = { type: 'operation', capability: 'memory', operation: '\u0001'.repeat(512) };
  const directive = { target, reason: '\u0001'.repeat(2000) };
  expecting(201, await service.call('operator', 'POST', '/v1/directives', directive));
  const policy = { cedar: '\u0001'.repeat(170_000), reason: 'test' };
  refused(400, 'malformed_request', await service.call('registrar', 'POST', '/v1/policies/default', policy));
});

test('a decision whose rule is too long for an event', async () => {
  const task = await openTask(service);
  await allowedCall(task);
  const ids = Array.from({ length: 700 }, (_, index) => `${index}${'r'.repeat(400)}`);
  const when = 'when { context.purpose == "long" }';
  const policies = ids.map((id) => `@id("${id}") permit(principal, action, resource) ${when};`);
  await activatePolicy(service, ['@id("short") permit(principal, action, resource);', ...policies].join('\n'));
  const long = await openTask(service, { purpose: 'long' });
  await goesOn(task, async () => undefined);
  const before = reads.get(`task-${long.taskId}`);
  for (let each = 0; each < 3; each += 1) await tooLarge(() => authorize(callBody(long)));
  const { status: code, code: word } = await refusal(host.call('host', 'Decisions/Authorize', callBody(long)));
  assert.deepEqual([code, word], [status.INVALID_ARGUMENT, 'too_large']);
  const metrics = expecting(200, await service.call('auditor', 'GET', '/metrics')) as string;
  assert.match(metrics, /^sallyport_undecided_total\{cause="too_large"\} [1-9]/m);
  assert.doesNotMatch(metrics, /^sallyport_(?:undecided|appends)_total\{\w+="\w*unavailable"\} [1-9]/m);
  assert.equal(reads.get(`task-${long.taskId}`), before, 'the lane was loaded again');
});
