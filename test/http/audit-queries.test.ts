import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { decide } from '../support/calls.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { refused } from '../support/problems.js';
import { after, before, describe, test } from '../support/testing.js';

/** Queries of auditors, as they ask them over HTTP. */
describe('queries of auditors', () => {
  let service: TestService;
  let task: Answered;
  let callId: string;
  const ask = async (path: string): Promise<Answered> => expecting(200, await service.call('auditor', 'GET', path));
  const respond = (id: string, note: string) =>
    service.call('host', 'POST', `/v1/calls/${id}/response`, {
      taskId: task.taskId,
      result: { content: [{ type: 'text', text: note }] },
    });

  before(async () => {
    service = await startService();
    await readyWorld(service);
    task = await openTask(service);
    const body = callBody(task);
    callId = body.callId;
    expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
    expecting(200, await respond(callId, 'a note'));
    for (let call = 0; call < 6; call += 1) await decide(service, task);
    expecting(
      201,
      await service.call('operator', 'POST', '/v1/directives', {
        target: { type: 'capability', capability: 'memory' },
        reason: 'INC-1',
      }),
    );
    for (let call = 0; call < 3; call += 1) assert.equal((await decide(service, task)).reason, 'disabled');
  });
  after(() => service.stop());

  test('one call is recovered whole by its id', async () => {
    const call = await ask(`/v1/audit/calls/${callId}`);
    const { traceId, taskId } = task;
    assert.deepEqual([call.callId, call.traceId, call.taskId, call.purpose], [callId, traceId, taskId, 'test']);
    assert.equal(call.response.raw.result.content[0].text, 'a note');
    assert.equal(call.attestedBy, 'local-host');
    assert.equal(call.policyVersion, 1);
    assert.ok(call.histories.memory.length >= 3);
    assert.deepEqual(
      call.attempts.map(({ attempt }: Answered) => attempt),
      [1],
    );
    assert.deepEqual(await ask(`/v1/audit/calls/${callId}?task=${taskId}`), call);
    const nobody = `/v1/audit/calls/${randomUUID()}`;
    refused(404, 'not_found', await service.call('auditor', 'GET', nobody));
    refused(404, 'not_found', await service.call('auditor', 'GET', `/v1/audit/calls/${callId}?task=${randomUUID()}`));
  });

  test('two tasks with a call of one id: the task has to be named', async () => {
    const other = await openTask(service);
    const body = callBody(other, { callId });
    expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
    refused(400, 'malformed_request', await service.call('auditor', 'GET', `/v1/audit/calls/${callId}`));
    assert.equal((await ask(`/v1/audit/calls/${callId}?task=${other.taskId}`)).traceId, other.traceId);
  });

  test('each filter finds its calls, and followed to the end it repeats none and misses none', async () => {
    const { user, agent, taskId, traceId } = await ask(`/v1/audit/calls/${callId}?task=${task.taskId}`);
    const whole = await ask('/v1/audit/calls?limit=200');
    const of = (condition: (call: Answered) => boolean) =>
      whole.items.filter(condition).map(({ position }: Answered) => position);
    const filters: [string, (call: Answered) => boolean][] = [
      [`call=${callId}`, (call) => call.callId === callId],
      [`trace=${traceId}`, (call) => call.traceId === traceId],
      [`task=${taskId}`, (call) => call.taskId === taskId],
      [`user=${user.id}`, (call) => call.user?.id === user.id],
      [`user=${user.pseudonym}`, (call) => call.user?.id === user.id],
      [`agent=${agent}`, (call) => call.agent === agent],
      [`identity=local-host`, () => true],
      [`operation=recall`, (call) => call.operation === 'recall'],
      [`operation=nothing`, () => false],
      [`policyVersion=1`, (call) => call.policyVersion === 1],
      [`policyVersion=2`, () => false],
      [`reason=disabled`, (call) => call.reason === 'disabled'],
      [`reviewStatus=approved`, () => true],
      [`reviewStatus=revoked`, () => false],
      [`decision=deny&task=${taskId}&user=${user.id}`, (call) => call.decision === 'deny' && call.taskId === taskId],
    ];
    for (const [filter, condition] of filters) {
      const found: string[] = [];
      for (let cursor = ''; ;) {
        const page = await ask(`/v1/audit/calls?limit=2&${filter}${cursor}`);
        found.push(...page.items.map(({ position }: Answered) => position));
        if (page.next === undefined) break;
        cursor = `&cursor=${page.next}`;
      }
      assert.deepEqual(found, of(condition), filter);
    }
  });

  test('events by time, actor, stream, type and capability are those that a whole reading filters', async () => {
    const { items: all } = await ask('/v1/audit/events?limit=1000');
    const issued = all.find(({ type }: Answered) => type === 'DirectiveIssued');
    const stream = `calls-${task.taskId}`;
    const filters: [string, (event: Answered) => boolean][] = [
      ['actor=local-operator', ({ actor }) => actor === 'local-operator'],
      [`stream=${stream}`, (event) => event.stream === stream],
      [
        `stream=${stream}&types=ResponseValidated`,
        (event) => event.stream === stream && event.type === 'ResponseValidated',
      ],
      [`from=${issued.time}`, ({ time }) => time >= issued.time],
      [`to=${issued.time}&actor=local-host`, ({ time, actor }) => time <= issued.time && actor === 'local-host'],
      ['types=CallDecided&actor=local-reviewer', () => false],
    ];
    for (const [filter, condition] of filters) {
      const found: Answered[] = [];
      for (let cursor = ''; ;) {
        const page = await ask(`/v1/audit/events?limit=3&${filter}${cursor}`);
        found.push(...page.items);
        if (page.next === undefined) break;
        cursor = `&cursor=${page.next}`;
      }
      // Reading is recorded too, and goes on arriving.
      const isNoRead = ({ type }: Answered) => type !== 'EvidenceRead';
      assert.deepEqual(found.filter(isNoRead), all.filter(isNoRead).filter(condition), filter);
    }
    const { items } = await ask('/v1/audit/events?capability=memory&limit=1000');
    assert.ok(items.some(({ type }: Answered) => type === 'VersionReviewed'));
    assert.ok(items.every(({ type }: Answered) => type !== 'ResponseValidated'));
  });

  test('a trace and its replay come in pages, with each history once an answer', async () => {
    const path = `/v1/audit/traces/${task.traceId}`;
    const whole = await ask(path);
    const pages: Answered[] = [];
    for (let cursor = ''; ;) {
      const page = await ask(`${path}?limit=2${cursor}`);
      pages.push(page);
      if (page.next === undefined) break;
      cursor = `&cursor=${page.next}`;
    }
    assert.ok(pages.length > 3);
    for (const member of ['tasks', 'calls', 'events']) {
      const joined = pages.flatMap((page) => page[member]);
      assert.deepEqual(joined, whole[member], member);
    }
    const first = await ask(`${path}/replay?limit=2`);
    assert.deepEqual([first.identical, first.calls.length, typeof first.next], [true, 2, 'string']);
    assert.ok(first.unchecked.length > 0);
  });

  test('unknown parameters, types and cursors, and a limit above the most, are a 400', async () => {
    for (const query of [
      'calls?usr=ada',
      'calls?limit=201',
      'calls?cursor=nonsense',
      'calls?format=xml',
      'events?types=CallDecided,NoSuchType',
      'events?limit=1001',
      'events?cursor=nonsense',
      `traces/${task.traceId}?limit=1001`,
      `traces/${task.traceId}?cursor=nonsense`,
      `traces/${task.traceId}/replay?curser=x`,
      'tasks?limit=201',
    ]) {
      refused(400, 'malformed_request', await service.call('auditor', 'GET', `/v1/audit/${query}`));
    }
  });

  test('CSV and JSON lines hold the whole list, whatever the size of a page', async () => {
    const whole = await ask('/v1/audit/calls?limit=200');
    const text = async (path: string, media: RegExp): Promise<string> => {
      const response = await fetch(`${service.url}/v1/audit/${path}`, {
        headers: { authorization: `Bearer ${service.tokens.auditor}` },
      });
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type') ?? '', media);
      return response.text();
    };
    const lines = (await text('calls?format=jsonl&limit=1', /^application\/jsonl/)).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line): unknown => JSON.parse(line)),
      whole.items,
    );
    const rows = (await text('calls?format=csv&reason=disabled', /^text\/csv/)).trimEnd().split('\r\n');
    assert.equal(rows.length, 1 + whole.items.filter(({ reason }: Answered) => reason === 'disabled').length);
    assert.match(rows[0] ?? '', /^position,time,traceId,/);
    const events = (await text('events?format=jsonl', /^application\/jsonl/)).trimEnd().split('\n');
    const { items } = await ask('/v1/audit/events?limit=1000');
    const shown: Answered[] = events.map((line): unknown => JSON.parse(line));
    assert.deepEqual(shown.slice(0, 20), items.slice(0, 20));
    assert.ok(shown.length >= items.length - 2);
    assert.match(
      await text('events?format=csv&types=DirectiveIssued', /^text\/csv/),
      /,DirectiveIssued,local-operator,/,
    );
    refused(400, 'malformed_request', await service.call('auditor', 'GET', '/v1/audit/calls?format=csv&cursor=x'));
  });
});
