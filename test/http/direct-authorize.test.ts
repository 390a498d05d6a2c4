import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { takeDirectly } from '../../apps/pdp/calls/direct-authorize.js';
import { Quotas } from '../../apps/pdp/edge/quotas.js';
import { Problem, problemOf } from '../../apps/pdp/edge/problem.js';
import { systemClock } from '../../libs/kernel/time.js';
import { refused } from '../support/problems.js';
import { startService, type Answer, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The direct path to the authorizer past the frameworks, and the route that takes all other requests. */

const PLAIN = '/v1/calls/authorize';
const NO_TASK = '00000000-0000-4000-8000-000000000000';
/** A query sends the request to the route. */
const ROUTED = `${PLAIN}?`;

let service: TestService;
let task: Answered;
before(async () => {
  service = await startService();
  await readyWorld(service);
  task = await openTask(service);
});
after(() => service.stop());

/** The part of an answer that must be the same on either path. */
const seen = ({ status, headers, body }: Answer) => ({
  status,
  type: headers.get('content-type'),
  authenticate: headers.get('www-authenticate'),
  retryAfter: headers.get('retry-after'),
  length: headers.has('content-length'),
  body: { ...body, callId: '', position: '', expiresAt: '', traceId: '' },
});

const cases: readonly [
  string,
  () => [body: Answered, who?: 'host' | 'admin' | 'nobody', headers?: Record<string, string>],
][] = [
  ['an allow', () => [callBody(task)]],
  ['an allow that is explained', () => [{ ...callBody(task), explain: true }]],
  ['a deny', () => [{ ...callBody(task), operation: 'forget' }]],
  ['a task that does not exist', () => [{ ...callBody(task), taskId: NO_TASK }]],
  ['a body that is no JSON', () => ['{"callId":']],
  ['a body with a key twice', () => ['{"callId":"a","callId":"b"}']],
  ['a body of another shape', () => [{ ...callBody(task), callId: 7 }]],
  ['an empty body', () => ['']],
  ['arguments that are too large', () => [{ ...callBody(task), arguments: { key: 'x'.repeat(300_000) } }]],
  ['a caller without a token', () => [callBody(task), 'nobody']],
  ['a caller without the role', () => [callBody(task), 'admin']],
  ['another media type', () => [JSON.stringify(callBody(task)), 'host', { 'content-type': 'text/plain' }]],
];

for (const [what, ask] of cases) {
  test(`answers like the route: ${what}`, async () => {
    const [direct, routed] = [ask(), ask()];
    const answers = await Promise.all([
      service.call(direct[1] ?? 'host', 'POST', PLAIN, direct[0], direct[2]),
      service.call(routed[1] ?? 'host', 'POST', ROUTED, routed[0], routed[2]),
    ]);
    assert.deepEqual(seen(answers[0]), seen(answers[1]));
  });
}

test('a repeat is one, whichever way it takes', async () => {
  const body = callBody(task);
  const first = expecting(200, await service.call('host', 'POST', PLAIN, body));
  const again = expecting(200, await service.call('host', 'POST', ROUTED, body));
  assert.equal(again.position, first.position);
});

test('a repeat after the response is refused alike, whichever way it takes', async () => {
  const body = callBody(task);
  expecting(200, await service.call('host', 'POST', PLAIN, body));
  const response = { taskId: body.taskId, error: { code: 1, message: 'x' } };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${body.callId}/response`, response));
  for (const way of [PLAIN, ROUTED]) refused(409, 'call_finished', await service.call('host', 'POST', way, body));
});

test('a path that is none is refused before anything of its body is taken in', async () => {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /v1/nothing HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n{`,
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 404 /);
  socket.destroy();
});

test('a caller that goes away in the middle of its body, or before its answer, harms nobody', async () => {
  const { hostname, port } = new URL(service.url);
  const body = JSON.stringify(callBody(task));
  const head =
    `POST ${PLAIN} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${service.tokens.host}\r\n` +
    `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  for (const sent of [head, head + body.slice(0, 40), head + body]) {
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(sent);
    await pause(20);
    socket.resetAndDestroy();
    await pause(20);
    assert.equal(expecting(200, await service.call('host', 'POST', PLAIN, callBody(task))).decision, 'allow');
  }
});

test('takes plain requests while there is room, and leaves all others to the route', async () => {
  let full = false;
  const taken: string[] = [];
  const left: string[] = [];
  const server = createServer((request, response) => {
    left.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.end());
  });
  const { service: parts, tokens } = service;
  takeDirectly(server, {
    authorizer: {
      authorize: ({ callId }) => {
        taken.push(callId);
        throw new Problem('overloaded', 'as ordered');
      },
    },
    authenticator: parts.authenticator,
    quotas: new Quotas(systemClock, { hostRequestsPerS: 0, hostBytesPerHour: 2000 }),
    gate: { isFull: () => full },
    connections: { known: () => undefined },
    limits: parts.settings.limits,
    tracing: undefined,
    keepsConnections: () => false,
    told: problemOf,
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const json = { authorization: `Bearer ${tokens.host}`, 'content-type': 'application/json' };
  const body = JSON.stringify(callBody(task));
  const send = async (path: string, init: RequestInit & { duplex?: 'half' }): Promise<number> => {
    const response = await fetch(`${url}${path}`, init);
    await response.arrayBuffer();
    return response.status;
  };
  try {
    const refused = await fetch(`${url}${PLAIN}`, { method: 'POST', headers: json, body });
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
    assert.deepEqual([taken.length, left.length], [1, 0]);
    const others: [string, RequestInit & { duplex?: 'half' }][] = [
      [ROUTED, { method: 'POST', headers: json, body }],
      ['/v1/tasks', { method: 'POST', headers: json, body }],
      [PLAIN, { method: 'PUT', headers: json, body }],
      [PLAIN, { method: 'POST', headers: json }],
      [PLAIN, { method: 'POST', headers: json, body: new Blob([body]).stream(), duplex: 'half' }],
      [PLAIN, { method: 'POST', headers: { ...json, 'content-type': 'text/json' }, body }],
      [PLAIN, { method: 'POST', headers: { ...json, authorization: 'Bearer unknown' }, body }],
      [PLAIN, { method: 'POST', headers: { ...json, authorization: `Bearer ${tokens.admin}` }, body }],
      [PLAIN, { method: 'POST', headers: json, body: body.padEnd(20_000) }],
      // The quota has been used up by now.
      [PLAIN, { method: 'POST', headers: json, body: body.padEnd(1900) }],
    ];
    for (const [path, init] of others) assert.equal(await send(path, init), 200, `${init.method} ${path}`);
    full = true;
    assert.equal(await send(PLAIN, { method: 'POST', headers: json, body }), 200);
    assert.deepEqual([taken.length, left.length], [1, others.length + 1]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
