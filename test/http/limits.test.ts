import assert from 'node:assert/strict';
import { addPrincipal, newCapability, scopeOf, unique } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answer, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, proposal, readyWorld, registration, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const MIB = 1_048_576;

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

const authorize = (body: Answered) => service.call('host', 'POST', '/v1/calls/authorize', body);

/** Expects a refusal, and that nothing was stored for it. */
async function nothingStored(status: number, code: string, ask: () => Promise<Answer>): Promise<void> {
  const end = await logEnd(service);
  refused(status, code, await ask());
  assert.equal(await logEnd(service), end);
}

/** A request with a chunked body, whose length is not announced. */
async function chunked(who: 'host' | { token: string }, path: string, text: string, on = service): Promise<Answer> {
  const body = new Blob([text]).stream();
  const token = typeof who === 'string' ? on.tokens[who] : who.token;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(`${on.url}${path}`, { method: 'POST', headers, body, duplex: 'half' });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

/** JSON of a body, filled with white space to a size in bytes. */
const padded = (body: Answered, bytes: number): string => {
  const text = JSON.stringify(body);
  return text + ' '.repeat(bytes - Buffer.byteLength(text));
};
const nested = (depth: number): Answered => (depth === 0 ? 1 : { a: nested(depth - 1) });

test('a body of 1 MiB is taken, one byte more is a 413', async () => {
  expecting(201, await service.call('host', 'POST', '/v1/tasks', padded(taskBody(), MIB)));
  await nothingStored(413, 'too_large', () => service.call('host', 'POST', '/v1/tasks', padded(taskBody(), MIB + 1)));
  await nothingStored(413, 'too_large', () => chunked('host', '/v1/tasks', padded(taskBody(), MIB + 1)));
  const policy = { cedar: 'x', reason: 'y' };
  const path = '/v1/policies/default';
  await nothingStored(413, 'too_large', () => service.call('registrar', 'POST', path, padded(policy, MIB + 1)));
});

test('a body with a definition may have 4 MiB', async () => {
  const register = (id: string, bytes: number) =>
    service.call('registrar', 'POST', '/v1/capabilities', padded(registration(id), bytes));
  expecting(201, await register(unique('cap'), 4 * MIB));
  await nothingStored(413, 'too_large', () => register(unique('cap'), 4 * MIB + 1));
  const id = await newCapability(service);
  const observations = `/v1/capabilities/${id}/versions/1.0.0/observations`;
  const { definition } = proposal();
  expecting(200, await service.call('host', 'POST', observations, padded({ definition }, 4 * MIB)));
  await nothingStored(413, 'too_large', () =>
    service.call('host', 'POST', observations, padded({ definition }, 4 * MIB + 1)),
  );
});

test('an authorize body may have 4 MiB if it brings a definition, and 1 MiB if it does not', async () => {
  const task = await openTask(service);
  const body = callBody(task);
  const { definition } = proposal();
  const whole = { ...callBody(task), observed: { ...body.observed, definition } };
  assert.equal(expecting(200, await authorize(padded(whole, 4 * MIB))).decision, 'allow');
  await nothingStored(413, 'too_large', () => authorize(padded(whole, 4 * MIB + 1)));
  await nothingStored(413, 'too_large', () => authorize(padded(body, MIB + 1)));
  expecting(200, await authorize(padded(body, MIB)));
});

test('an authorize body that does not tell its length has the same limits', async () => {
  const task = await openTask(service);
  const content = 'x'.repeat(2 * MIB);
  const body = callBody(task, { context: [{ id: 'c', source: 'chat', content }] });
  await nothingStored(413, 'too_large', () => chunked('host', '/v1/calls/authorize', JSON.stringify(body)));
  const large = callBody(task, { arguments: { key: 'x'.repeat(262_144) } });
  await nothingStored(413, 'too_large', () => chunked('host', '/v1/calls/authorize', JSON.stringify(large)));
  const small = await chunked('host', '/v1/calls/authorize', JSON.stringify(callBody(task)));
  assert.equal(expecting(200, small).decision, 'allow');
});

test('a response may have 8 MiB', async () => {
  const task = await openTask(service);
  const respond = async (bytes: number) => {
    const { callId } = await decide(service, task);
    const response = { taskId: task.taskId, result: { content: [] } };
    return () => service.call('host', 'POST', `/v1/calls/${callId}/response`, padded(response, bytes));
  };
  expecting(200, await (await respond(8 * MIB))());
  await nothingStored(413, 'too_large', await respond(8 * MIB + 1));
});

test('arguments may have 256 KiB as JSON', async () => {
  const task = await openTask(service);
  const withArguments = (bytes: number) =>
    callBody(task, { arguments: { key: 'x'.repeat(bytes - '{"key":""}'.length) } });
  assert.equal(expecting(200, await authorize(withArguments(262_144))).decision, 'allow');
  await nothingStored(413, 'too_large', () => authorize(withArguments(262_145)));
  const wide = callBody(task, { arguments: { key: 'ü'.repeat(131_072) } });
  await nothingStored(413, 'too_large', () => authorize(wide));
});

test('a call may have 256 context items', async () => {
  const task = await openTask(service);
  const withItems = (count: number) =>
    callBody(task, {
      context: Array.from({ length: count }, (_, id) => ({ id: `c${id}`, source: 's', content: 'x' })),
    });
  assert.equal(expecting(200, await authorize(withItems(256))).outbound.refusals.length, 256);
  await nothingStored(413, 'too_large', () => authorize(withItems(257)));
});

test('a task may have 200 scope entries', async () => {
  const open = (count: number) =>
    service.call(
      'host',
      'POST',
      '/v1/tasks',
      taskBody({ scope: Array.from({ length: count }, () => scopeOf('memory')[0]) }),
    );
  expecting(201, await open(200));
  await nothingStored(413, 'too_large', () => open(201));
});

test('JSON may be nested 64 deep on every route', async () => {
  const task = await openTask(service);
  // `key` is at depth 3 of the body.
  const withDepth = (depth: number) => callBody(task, { arguments: { key: 'a', deep: nested(depth - 2) } });
  assert.equal(expecting(200, await authorize(withDepth(64))).decision, 'allow');
  await nothingStored(413, 'too_large', () => authorize(withDepth(65)));
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  for (const [who, path] of [
    ['host', '/v1/tasks'],
    ['registrar', '/v1/capabilities'],
    ['operator', '/v1/directives'],
    ['admin', '/v1/principals'],
  ] as const) {
    await nothingStored(413, 'too_large', () => service.call(who, 'POST', path, deep));
  }
});

/** An object with this many values, itself included. */
const valued = (values: number): Answered => ({ list: Array.from({ length: values - 2 }, () => 1) });

test('arguments may have 10,000 JSON values, and a definition with them 20,000', async () => {
  const task = await openTask(service);
  const { definition } = proposal();
  const asked = (values: number, resources: number) => {
    const body = callBody(task, { arguments: { key: 'a', more: valued(values - 2) } });
    const observed = { ...body.observed, definition: { ...definition, resources: [valued(resources)] } };
    return authorize(resources === 0 ? body : { ...body, observed });
  };
  assert.equal(expecting(200, await asked(10_000, 0)).decision, 'allow');
  await nothingStored(413, 'too_large', () => asked(10_001, 0));
  assert.equal(expecting(200, await asked(10_000, 19_900)).decision, 'allow');
  await nothingStored(413, 'too_large', () => asked(10_001, 19_900));
  await nothingStored(413, 'too_large', () => asked(10, 20_000));
});

test('a definition may have 20,000 JSON values wherever it comes, and the rest of a body as many', async () => {
  const definition = (values: number) => ({ ...proposal().definition, resources: [valued(values)] });
  const register = (values: number, more: Answered = {}) =>
    service.call(
      'registrar',
      'POST',
      '/v1/capabilities',
      registration(unique('cap'), proposal('1.0.0', { definition: definition(values), ...more })),
    );
  expecting(201, await register(19_900));
  await nothingStored(413, 'too_large', () => register(20_000));
  const supplyChain = { attestations: [valued(20_000)] };
  await nothingStored(413, 'too_large', () => register(10, { supplyChain }));
  const id = await newCapability(service);
  const propose = (values: number) => {
    const body = proposal('2.0.0', { definition: definition(values) });
    return service.call('registrar', 'POST', `/v1/capabilities/${id}/versions`, body);
  };
  await nothingStored(413, 'too_large', () => propose(20_000));
  const observe = (values: number) =>
    service.call('host', 'POST', `/v1/capabilities/${id}/versions/1.0.0/observations`, {
      definition: definition(values),
    });
  await nothingStored(413, 'too_large', () => observe(20_000));
  expecting(200, await observe(19_900));
  const attributes = { user: { id: 'ada', roles: [], attributes: valued(20_000) } };
  await nothingStored(413, 'too_large', () => service.call('host', 'POST', '/v1/tasks', taskBody(attributes)));
});

test('a response may have 50,000 JSON values', async () => {
  const task = await openTask(service);
  for (const [member, of] of [
    ['result', 50_000],
    ['error', 50_000],
  ] as const) {
    const respond = async (values: number) => {
      const { callId } = await decide(service, task);
      const response = { taskId: task.taskId, [member]: valued(values) };
      return () => service.call('host', 'POST', `/v1/calls/${callId}/response`, response);
    };
    await nothingStored(413, 'too_large', await respond(of + 1));
    expecting(200, await (await respond(of))());
  }
});

test('a body that is not application/json is a 415', async () => {
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    const headers = { 'content-type': type };
    await nothingStored(415, 'unsupported_media_type', () =>
      service.call('host', 'POST', '/v1/tasks', JSON.stringify(taskBody()), headers),
    );
  }
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  expecting(201, await service.call('host', 'POST', '/v1/tasks', JSON.stringify(taskBody()), headers));
});

test('a body that is no JSON object of the expected shape is a 400', async () => {
  for (const body of ['', '{', '[]', 'null', '"task"', '{"agent":1}', '{"agent":"a"} {}', "{'agent':'a'}", '\u0000']) {
    await nothingStored(400, 'malformed_request', () => service.call('host', 'POST', '/v1/tasks', body));
  }
  const bytes = await fetch(`${service.url}/v1/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.tokens.host}`, 'content-type': 'application/json' },
    body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  });
  assert.equal(bytes.status, 400);
});

test('ids have their shapes', async () => {
  for (const [method, path] of [
    ['GET', '/v1/tasks/one'],
    ['POST', '/v1/tasks/one/close'],
    ['GET', '/v1/capabilities/UPPER'],
    ['GET', '/v1/capabilities/memory/versions/-1'],
    ['GET', `/v1/capabilities/${'x'.repeat(129)}`],
    ['GET', '/v1/policies/a%2Fb'],
  ] as const) {
    refused(400, 'malformed_request', await service.call('host', method, path));
  }
});

const quotas = { SALLYPORT_HOST_REQUESTS_PER_S: '5', SALLYPORT_HOST_BYTES_PER_HOUR: '20000' };

test('past its quota of requests a host gets 429 until a while has passed; others are not concerned', async () => {
  const clock = movableClock();
  const limited = await startService({
    clock,
    env: { SALLYPORT_HOST_REQUESTS_PER_S: quotas.SALLYPORT_HOST_REQUESTS_PER_S },
  });
  try {
    const other = await addPrincipal(limited, ['host']);
    const list = (who: Answered) => limited.call(who, 'GET', '/v1/capabilities');
    const answers = await Promise.all(Array.from({ length: 20 }, () => list('host')));
    const busy = answers.filter(({ status }) => status === 429);
    assert.ok(busy.length >= 10 && busy.length <= 15, `${busy.length}`);
    for (const answer of busy) refused(429, 'overloaded', answer);
    expecting(200, await list(other));
    for (let each = 0; each < 20; each += 1) expecting(200, await list('auditor'));
    // Directives have a quota of their own: a host over its limit still receives and acknowledges stops.
    const directives = await Promise.all(
      Array.from({ length: 20 }, () => limited.call('host', 'GET', '/v1/directives')),
    );
    const heard = directives.filter(({ status }) => status === 200);
    assert.ok(heard.length >= 5 && heard.length <= 10, `${heard.length}`);
    clock.advance(1000);
    expecting(200, await list('host'));
  } finally {
    await limited.stop();
  }
});

test('above its quota of bytes a host gets 429 and nothing is stored, even if the length is not announced', async () => {
  const clock = movableClock();
  const limited = await startService({
    clock,
    env: { SALLYPORT_HOST_BYTES_PER_HOUR: quotas.SALLYPORT_HOST_BYTES_PER_HOUR },
  });
  try {
    const open = (who: Answered) => limited.call(who, 'POST', '/v1/tasks', padded(taskBody(), 9000));
    const other = await addPrincipal(limited, ['host']);
    const third = await addPrincipal(limited, ['host']);
    for (let each = 0; each < 2; each += 1) expecting(201, await open('host'));
    const end = await logEnd(limited);
    refused(429, 'overloaded', await open('host'));
    assert.equal(await logEnd(limited), end);
    expecting(201, await open(other));
    clock.advance(3_600_000);
    expecting(201, await open('host'));

    const text = padded(taskBody(), 9000);
    const statuses: number[] = [];
    for (let each = 0; each < 3; each += 1) statuses.push((await chunked(third, '/v1/tasks', text, limited)).status);
    assert.deepEqual(statuses, [201, 201, 429]);
  } finally {
    await limited.stop();
  }
});
