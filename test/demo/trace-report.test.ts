import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Role } from '../../libs/vocabulary/words.js';
import { run } from '../../apps/cli/program.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The report of a trace as an auditor reads it, from a real service. */

const PURPOSE = '<script>alert(1)</script> | **x**\u001b[2J\u202e';

let service: TestService;
let task: Answered;
/** Ids of calls, by what became of them. */
const calls: Record<'allowed' | 'scope' | 'disabled' | 'revoked', string> = {
  allowed: randomUUID(),
  scope: randomUUID(),
  disabled: randomUUID(),
  revoked: randomUUID(),
};

before(async () => {
  service = await startService();
  await readyWorld(service);
  task = await openTask(service, { purpose: PURPOSE, scope: [{ capability: 'memory', effects: ['read'] }] });
  const ask = async (callId: string, more: Answered = {}) =>
    expecting(
      200,
      await service.call('host', 'POST', '/v1/calls/authorize', callBody(task as never, { callId, ...more })),
    );
  await ask(calls.allowed, { context: [{ id: 'c', source: 'crm', content: 'hello' }] });
  const { taskId } = task;
  const result = { content: [{ type: 'text', text: 'a note' }] };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${calls.allowed}/response`, { taskId, result }));
  const outcome = { taskId, status: 'succeeded', effect: { type: 'read', summary: 'read it' } };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${calls.allowed}/outcome`, outcome));
  await ask(calls.scope, { operation: 'store' });
  const target = { type: 'operation', capability: 'memory', operation: 'recall' };
  const { id } = expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'INC-1' }));
  await ask(calls.disabled);
  expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'INC-1 is closed' }));
  const version = '/v1/capabilities/memory/versions/1.0.0';
  expecting(200, await service.call('operator', 'POST', `${version}/revoke`, { reason: 'CVE-2026-1111' }));
  await ask(calls.revoked);
});
after(() => service.stop());

async function cli(args: readonly string[], role: Role = 'auditor') {
  let out = '';
  let err = '';
  const code = await run([...args, '--server', service.url], {
    env: { SALLYPORT_TOKEN: service.tokens[role] },
    cwd: service.dataDir,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, out, err };
}

const TIME = String.raw`\d{2}:\d{2}:\d{2}`;

test('a sentence describes each call, with its evidence', async () => {
  const { code, out, err } = await cli(['trace', task.traceId]);
  assert.equal(code, 0, err);
  for (const sentence of [
    'trace [0-9a-f]{32}: 1 task, 4 calls \\(3 denied\\)',
    `Allowed: the policy allow-all in version 1 .* permits it to user ada; version 1.0.0 was approved by local-reviewer at ${TIME}, looked at it`,
    'exceptions +signature_missing',
    'policy +version 1 of the policy set default, rule allow-all',
    'sent +\\{"key":"a"\\}',
    'refusals +/context/0 \\(context_not_needed\\)',
    'response +accepted, labelled memory@1\\.0\\.0 recall',
    'outcome +succeeded; effect read, summary "read it"',
    'Denied: the scope of the task does not cover store \\(write\\) of memory',
    'failed check +task_scope',
    `Denied: operation:memory/recall was disabled by local-operator at ${TIME}, INC-1`,
    `Denied: version 1\\.0\\.0 was revoked by local-operator at ${TIME}, CVE-2026-1111`,
    'failed check +reviewed: status revoked, by local-reviewer',
  ])
    assert.match(out, new RegExp(sentence));
});

test('the timeline has the history of the capability up to the end of the task, with the date', async () => {
  const { out } = await cli(['trace', task.traceId]);
  const timeline = out.slice(out.indexOf('timeline'));
  const order = [
    /^\d{4}-\d{2}-\d{2}$/m,
    /local-registrar +CapabilityRegistered +memory/,
    /VersionReviewed +memory@1\.0\.0 approved: looked at it/,
    /TaskOpened/,
    /CallDecided +ALLOW/,
    /DirectiveIssued +operation:memory\/recall: INC-1/,
    /DirectiveLifted .*INC-1 is closed/,
    /VersionRevoked +memory@1\.0\.0 CVE-2026-1111/,
  ];
  const places = order.map((line) => timeline.search(line));
  assert.ok(
    places.every((place) => place >= 0),
    timeline,
  );
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
  );
});

test('--denied and --call leave out the other calls and their events', async () => {
  const denied = await cli(['trace', task.traceId, '--denied']);
  assert.match(denied.out, /3 calls \(3 denied\)/);
  assert.doesNotMatch(denied.out, /Allowed:|ResponseValidated/);
  const one = await cli(['trace', task.traceId, '--call', calls.revoked, '--format', 'json']);
  const { calls: told, events } = JSON.parse(one.out);
  assert.deepEqual(
    told.map(({ callId }: Answered) => callId),
    [calls.revoked],
  );
  assert.deepEqual(
    events.flatMap(({ data }: Answered) => data.callId ?? []),
    [calls.revoked],
  );
  const none = await cli(['trace', task.traceId, '--denied', '--call', calls.allowed]);
  assert.equal(none.code, 2);
  assert.match(none.err, /no denied call with this id/);
});

test('JSON without a condition is the answer of the service', async () => {
  const { body } = await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}`);
  for (const format of [['--json'], ['--format', 'json']])
    assert.deepEqual(JSON.parse((await cli(['trace', task.traceId, ...format])).out), body);
});

test('on paper it is one file, and the purpose of a hostile host stays a text', async () => {
  const html = (await cli(['trace', task.traceId, '--format', 'html'])).out;
  assert.match(html, /^<!doctype html>[^]*@media print[^]*<\/html>\n$/);
  assert.doesNotMatch(html, /<script|<link|<img| src=| href=|(?!\n)[\p{Cc}\p{Cf}]/u);
  assert.match(html, /&lt;script&gt;alert\(1\)&lt;\/script&gt; \| \*\*x\*\*\\u001b\[2J\\u\{202e\}/);
  assert.match(html, /class="deny">Denied: version 1\.0\.0 was revoked by local-operator at/);
  const markdown = (await cli(['trace', task.traceId, '--format', 'markdown'])).out;
  assert.match(markdown, /^# trace [0-9a-f]{32}/);
  assert.ok(markdown.includes(String.raw`\<script\>alert(1)\</script\> \| \*\*x\*\*\\u001b\[2J\\u\{202e\}`));
  assert.match(markdown, /^\*\*Denied: version 1\.0\.0 was revoked by local-operator at .*\*\*$/m);
});
