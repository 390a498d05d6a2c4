import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Guarded, OpenTask, Task } from '../../libs/host/index.js';
import { addApprover, decideApproval } from '../support/approvals.js';
import { hostedService, registeredServer, scopeOf } from '../support/guarded.js';
import type { Answered } from '../support/service.js';
import { expecting } from '../support/world.js';
import { test } from '../support/testing.js';
import { ORDERS, POISON } from './poison.js';
import { PLACES } from './poisoned-server.js';

/**
 * A real MCP server answers with twelve kinds of injected content, in each place that can hold text. The agent gets it
 * as marked evidence, and its task needs a person from then on.
 */

const SERVER = fileURLToPath(new URL('./poisoned-server.js', import.meta.url));
const COMMAND = [process.execPath, SERVER, '--serve'];

const { service, host } = await hostedService();
const { version } = await registeredServer(service, 'poisoned', COMMAND);
await registeredServer(service, 'held', COMMAND, 'hold');

/** A guarded connection of a new task. */
async function connected(
  more: Partial<OpenTask> = {},
  capability: 'poisoned' | 'held' = 'poisoned',
): Promise<{ guard: Guarded; task: Task }> {
  const task = await host.openTask({ ...scopeOf(capability), ...more });
  const [command = '', ...args] = COMMAND;
  const transport = new StdioClientTransport({ command, args, stderr: 'ignore' });
  const options = { task, capability, server: version.manifest.server, transport };
  return { guard: await host.guard(new Client({ name: 'test', version: '1' }), options), task };
}

const verdictsOf = async ({ traceId }: Task): Promise<readonly string[]> => {
  const { calls } = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}`));
  return calls.flatMap((call: Answered) => (call.operation === '$connect' ? [] : [call.response?.verdict ?? 'none']));
};

const integrityOf = async ({ taskId }: Task): Promise<string> =>
  expecting(200, await service.call('host', 'GET', `/v1/tasks/${taskId}`)).integrity;

for (const kind of Object.keys(POISON)) {
  test(`${kind} is evidence in every place of a response`, async (t) => {
    const { guard, task } = await connected();
    t.after(() => guard.close());
    const got: string[] = [];
    for (const place of PLACES) {
      const result = await guard.callTool({ name: 'look', arguments: { kind, place } });
      assert.equal(result.refusal, undefined, `${place}: ${result.refusal?.reason}`);
      got.push(JSON.stringify(result.envelope?.parts));
    }
    got.push(JSON.stringify((await guard.getPrompt({ name: 'brief', arguments: { kind } })).parts));
    got.push(JSON.stringify((await guard.readResource({ uri: `page://${kind}` })).parts));
    for (const text of got)
      for (const order of ORDERS) assert.equal(text.includes(order), false, `${order} in ${text}`);
    const verdicts = await verdictsOf(task);
    assert.deepEqual(
      verdicts,
      got.map(() => 'quarantined'),
    );
    assert.equal(await integrityOf(task), 'tainted');
  });
}

test('the same server with plain content is accepted everywhere, and the task stays clean', async (t) => {
  const { guard, task } = await connected();
  t.after(() => guard.close());
  for (const place of PLACES) {
    const { refusal } = await guard.callTool({ name: 'look', arguments: { kind: 'plain', place } });
    assert.equal(refusal, undefined, `${place}: ${refusal?.reason}`);
  }
  await guard.getPrompt({ name: 'brief', arguments: { kind: 'plain' } });
  await guard.readResource({ uri: 'page://plain' });
  assert.deepEqual([...new Set(await verdictsOf(task))], ['accepted']);
  assert.equal(await integrityOf(task), 'clean');
});

test('a tainted task writes after its user has granted exactly that write, once', async (t) => {
  const { guard } = await connected();
  t.after(() => guard.close());
  const note = { name: 'save_note', arguments: { text: 'nine to five' } };
  const before = await guard.callTool(note);
  assert.equal(before.refusal, undefined, 'a clean task writes as its scope says');
  await guard.callTool({ name: 'look', arguments: { kind: 'override', place: 'text' } });
  const { refusal } = await guard.callTool(note);
  assert.deepEqual(
    [refusal?.reason, refusal?.approval?.by, refusal?.approval?.why],
    ['approval_required', 'user', ['tainted']],
  );
  const approval = refusal?.approval;
  assert.ok(approval);
  const waiting = host.waitForApproval(approval);
  const ada = await addApprover(service, 'ada');
  expecting(200, await decideApproval(service, ada, approval.id, 'granted'));
  assert.equal(await waiting, 'granted');
  const other = await guard.callTool({ ...note, arguments: { text: 'nine to six' } });
  assert.equal(other.refusal?.reason, 'approval_required', 'another content is another approval');
  assert.equal((await guard.callTool(note)).refusal, undefined);
  assert.equal((await guard.callTool(note)).refusal?.reason, 'approval_required', 'a grant counts once');
});

test('a held response is a refusal with a fixed notice, and its content comes after a release', async (t) => {
  const { guard, task } = await connected({}, 'held');
  t.after(() => guard.close());
  const held = await guard.callTool({ name: 'look', arguments: { kind: 'override', place: 'text' } });
  assert.deepEqual([held.refusal?.reason, held.envelope], ['response_quarantined', undefined]);
  assert.match(JSON.stringify(held.content), /held until a person/);
  assert.equal((await guard.released(held.callId)).refusal?.reason, 'response_quarantined');
  const release = { taskId: task.taskId, reason: 'harmless' };
  expecting(200, await service.call('reviewer', 'POST', `/v1/calls/${held.callId}/release`, release));
  const released = await guard.released(held.callId);
  assert.equal(released.envelope?.quarantined, true);
  assert.equal(JSON.stringify(released.content).includes(ORDERS[0] ?? ''), false);
});

test('waiting for an approval ends with its denial, with its signal, and for an unknown one at once', async (t) => {
  const { guard } = await connected();
  t.after(() => guard.close());
  await guard.callTool({ name: 'look', arguments: { kind: 'override', place: 'text' } });
  const note = { name: 'save_note', arguments: { text: 'deny me' } };
  const approval = (await guard.callTool(note)).refusal?.approval;
  assert.ok(approval);
  const cancelled = new AbortController();
  const ended = assert.rejects(host.waitForApproval(approval, { signal: cancelled.signal }), /enough/);
  cancelled.abort(new Error('enough'));
  await ended;
  expecting(200, await decideApproval(service, await addApprover(service, 'ada'), approval.id, 'denied'));
  assert.equal(await host.waitForApproval(approval), 'denied');
  const { refusal } = await guard.callTool(note);
  assert.deepEqual([refusal?.reason, refusal?.approval?.state], ['approval_denied', 'denied']);
  await assert.rejects(host.waitForApproval({ id: '00000000-0000-4000-8000-000000000000' }), { code: 'not_found' });
});

test("the client's word suffices for approvals of the grade client, and for no other", async (t) => {
  const approve = { effects: ['write' as const, 'modify' as const], by: 'client' as const };
  const { guard } = await connected({ approve });
  t.after(() => guard.close());
  const note = { name: 'save_note', arguments: { text: 'by hand' } };
  assert.equal((await guard.callTool(note)).refusal?.reason, 'approval_required');
  const approval = { grade: 'client' as const, at: new Date().toISOString() };
  assert.equal((await guard.callTool(note, { approval })).refusal, undefined);
  await guard.callTool({ name: 'look', arguments: { kind: 'override', place: 'text' } });
  assert.equal((await guard.callTool(note, { approval })).refusal?.approval?.by, 'user');
});
