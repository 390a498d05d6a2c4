import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { pathOf, queryOf } from '../../libs/contract/operation.js';
import { OPERATIONS } from '../../libs/contract/operations.js';
import { shapeOf } from '../../libs/vocabulary/shape.js';
import { GivenInstant } from '../../libs/vocabulary/ids.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { activatePolicy, approve, expecting, openTask, proposal, registration, taskBody } from '../support/world.js';

/** A request that is not meant as it is read gets an error that says what is wrong with it. */

let service: TestService;
before(async () => {
  service = await startService();
});
after(() => service.stop());

/** Values for the parameters of any path. */
const PARAMS: Readonly<Record<string, string>> = {
  taskId: randomUUID(),
  callId: randomUUID(),
  id: randomUUID(),
  version: '1.0.0',
  keyId: 'k1',
  set: 'default',
  policyVersion: '1',
  name: 'local-host',
  traceId: 'a'.repeat(32),
  user: 'ann',
  level: '0',
  first: 'x000',
  second: 'x000',
  third: '000',
};

test('an unknown query parameter is refused by every operation, and the known ones are named', async () => {
  const metrics = new Set(['/metrics']);
  for (const op of OPERATIONS.filter(({ path }) => !metrics.has(path))) {
    const role = op.roles === 'public' ? 'nobody' : op.roles === 'any' ? 'host' : (op.roles[0] ?? 'host');
    const body = op.method === 'GET' ? undefined : {};
    const answer = await service.call(role, op.method, `${pathOf(op, PARAMS)}?capabilty=x`, body);
    const { errors } = refused(400, 'malformed_request', answer);
    assert.deepEqual(
      errors.map(({ path }: Answered) => path),
      ['/capabilty'],
      op.id,
    );
    for (const name of queryOf(op).flatMap(({ shape }) => Object.keys(shape))) {
      assert.ok(errors[0].message.includes(name), `${op.id}: ${errors[0].message}`);
    }
  }
  refused(401, 'unauthenticated', await service.call('nobody', 'GET', '/v1/audit/calls?capabilty=x'));
});

test('the described query parameters are those that an operation takes', async () => {
  const described = expecting(200, await service.call('nobody', 'GET', '/openapi.json'));
  for (const op of OPERATIONS) {
    const { parameters, responses } = described.paths[op.path][op.method.toLowerCase()];
    const names = parameters.filter((each: Answered) => each.in === 'query').map(({ name }: Answered) => name);
    assert.deepEqual(
      names,
      queryOf(op).flatMap(({ shape }) => Object.keys(shape)),
      op.id,
    );
    const limit = parameters.find(({ name }: Answered) => name === 'limit');
    if (op.paging !== undefined) assert.equal(limit.schema.maximum, op.paging.maxLimit, op.id);
    assert.equal(responses[201]?.headers?.Location !== undefined, op.location !== undefined, op.id);
    assert.ok(
      op.location === undefined ||
        described.paths[op.location]?.get !== undefined ||
        op.path.startsWith(op.location.slice(0, 12)),
    );
  }
});

test('a method that a path does not have is a 405 with the methods that it has', async () => {
  for (const [method, path, allow] of [
    ['DELETE', '/v1/tasks', 'POST'],
    ['GET', '/v1/calls/authorize', 'POST'],
    ['POST', `/v1/tasks/${randomUUID()}`, 'GET, HEAD'],
    ['PUT', '/v1/capabilities', 'GET, HEAD, POST'],
    ['OPTIONS', '/v1/policies/default?x=y', 'GET, HEAD, POST'],
    ['POST', '/health/live', 'GET, HEAD'],
  ] as const) {
    for (const who of ['nobody', 'host'] as const) {
      const answer = await service.call(who, method, path);
      refused(405, 'method_not_allowed', answer);
      assert.equal(answer.headers.get('allow'), allow, `${method} ${path}`);
    }
  }
  refused(404, 'not_found', await service.call('nobody', 'GET', '/v1/nothing'));
  refused(404, 'not_found', await service.call('nobody', 'POST', '/v1/tasks/a/b/c'));
});

test('the answer of a create has its Location', async () => {
  const made: [string, Answered, string][] = [
    [
      'registrar',
      await service.call('registrar', 'POST', '/v1/capabilities', registration()),
      '/v1/capabilities/memory',
    ],
    [
      'registrar',
      await service.call('registrar', 'POST', '/v1/capabilities/memory/versions', proposal('2.0.0+a')),
      '/v1/capabilities/memory/versions/2.0.0%2Ba',
    ],
  ];
  await approve(service);
  await activatePolicy(service);
  const cedar = { cedar: '@id("a") permit(principal, action, resource);', reason: 'test' };
  made.push([
    'registrar',
    await service.call('registrar', 'POST', '/v1/policies/default', cedar),
    '/v1/policies/default',
  ]);
  const { taskId } = await openTask(service);
  const again = await service.call('host', 'POST', '/v1/tasks', taskBody({ taskId: randomUUID() }));
  made.push(['host', again, `/v1/tasks/${again.body.taskId}`]);
  for (const [who, { status, headers }, path] of made) {
    assert.deepEqual([status, headers.get('location')], [201, path]);
    expecting(200, await service.call(who as 'host', 'GET', path));
  }
  assert.notEqual(taskId, again.body.taskId);
});

test('times are taken in every form of RFC 3339, and shown in UTC with milliseconds', async () => {
  for (const [text, instant] of [
    ['2030-11-22T10:00:00Z', '2030-11-22T10:00:00.000Z'],
    ['2030-11-22t10:00:00z', '2030-11-22T10:00:00.000Z'],
    ['2030-11-22T10:00:00.5Z', '2030-11-22T10:00:00.500Z'],
    ['2030-11-22T10:00:00.123456789Z', '2030-11-22T10:00:00.123Z'],
    ['2030-11-22T12:30:00.000+02:30', '2030-11-22T10:00:00.000Z'],
    ['2030-12-31T23:30:00-01:00', '2031-01-01T00:30:00.000Z'],
    ['2028-02-29T00:00:00-00:00', '2028-02-29T00:00:00.000Z'],
  ] as const) {
    const target = { type: 'category', category: 'other' };
    const issued = await service.call('operator', 'POST', '/v1/directives', {
      target,
      reason: 'test',
      expiresAt: text,
    });
    const { id } = expecting(201, issued);
    const { active } = expecting(200, await service.call('host', 'GET', '/v1/directives'));
    assert.equal(active.find((each: Answered) => each.id === id).expiresAt, instant, text);
    expecting(200, await service.call('auditor', 'GET', `/v1/audit/calls?from=${encodeURIComponent(text)}`));
  }
  for (const [text, message] of [
    ['2030-11-22', /RFC 3339/],
    ['2030-11-22 10:00:00Z', /RFC 3339/],
    ['2030-11-22T10:00:00', /RFC 3339/],
    ['2030-11-22T10:00:00+0200', /RFC 3339/],
    ['2030-11-22T10:00:00 02:00', /%2B/],
    ['2016-12-31T23:59:60Z', /leap second/],
    ['2030-02-29T10:00:00Z', /is no date/],
    ['2030-13-01T10:00:00Z', /is no date/],
    ['2030-11-22T24:00:00Z', /is no date/],
    ['2030-11-22T10:00:00+24:00', /is no date/],
    ['9999-12-31T23:59:59-01:00', /0000 to 9999/],
  ] as const) {
    const { errors } = refused(
      400,
      'malformed_request',
      await service.call('auditor', 'GET', `/v1/audit/calls?from=${encodeURIComponent(text)}`),
    );
    assert.match(errors[0].message, message, text);
    assert.equal(shapeOf(GivenInstant, text).ok, false);
  }
});

test('a limit above the most is refused, and the most is named', async () => {
  for (const [who, path, most] of [
    ['auditor', '/v1/audit/calls', 200],
    ['auditor', '/v1/audit/tasks', 200],
    ['auditor', '/v1/audit/events', 1000],
    ['host', '/v1/capabilities', 1000],
    ['admin', '/v1/principals', 1000],
  ] as const) {
    expecting(200, await service.call(who, 'GET', `${path}?limit=${most}`));
    const { errors } = refused(400, 'malformed_request', await service.call(who, 'GET', `${path}?limit=${most + 1}`));
    assert.deepEqual(errors, [{ path: '/limit', message: `needs at most ${most}` }]);
    for (const limit of ['0', '-1', '1.5', 'many', '', '1e9']) {
      const { errors: wrong } = refused(
        400,
        'malformed_request',
        await service.call(who, 'GET', `${path}?limit=${limit}`),
      );
      assert.match(wrong[0].message, /^needs (at least 1|a whole number|a number|at most \d+)$/, limit);
    }
  }
});

test('a missing member is required, and no message speaks of the schema library', async () => {
  const missing = await service.call('host', 'POST', '/v1/calls/authorize', { taskId: 1, observed: {}, arguments: [] });
  const { errors } = refused(400, 'malformed_request', missing);
  const said = new Map(errors.map(({ path, message }: Answered) => [path, message]));
  assert.deepEqual(Object.fromEntries(said), {
    '/arguments': 'needs an object',
    '/callId': 'is required',
    '/capability': 'is required',
    '/observed/server': 'is required',
    '/operation': 'is required',
    '/taskId': 'needs a text',
  });
  for (const op of OPERATIONS.filter(({ method }) => method !== 'GET')) {
    const role = Array.isArray(op.roles) ? (op.roles[0] ?? 'host') : 'host';
    for (const body of [
      {},
      [],
      { reason: '', verdict: 'maybe', target: { type: 'x' }, scope: [{}], roles: ['x'], user: 1 },
    ]) {
      const answer = await service.call(role, op.method, pathOf(op, PARAMS), body);
      for (const { message } of answer.body?.errors ?? [])
        assert.doesNotMatch(message, /received|expected|Invalid|Too /, op.id);
    }
  }
});
