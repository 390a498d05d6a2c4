import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, ServiceError, type Authorize } from './client.js';
import { askOverHttp } from './http.js';
import { test, type TestContext } from '../../../test/support/testing.js';

const instanceId = randomUUID();

/** A service that answers as it is told, and what it was asked. */
async function serviceThat(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const bodies: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      bodies.push(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>));
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    bodies,
    client: createClient(
      askOverHttp(url, () => 'secret-token'),
      { instanceId, timeoutMs: 1500 },
    ),
  };
}

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

const call = (): Authorize => ({
  callId: randomUUID(),
  taskId: randomUUID(),
  capability: 'a',
  operation: 'b',
  arguments: {},
  observed: { server: { method: 'none' } },
});

const allowOf = ({ callId }: Authorize) => ({
  callId,
  traceId: 'f'.repeat(32),
  decision: 'allow',
  reason: 'ok',
  outbound: { arguments: {} },
  targets: ['all'],
  obligations: [],
  epoch: 1,
  expiresAt: '2026-11-22T10:00:00.000Z',
});

const fails = (code: string) => (error: unknown) => {
  assert.ok(error instanceof ServiceError);
  assert.equal(error.code, code);
  assert.ok(!error.message.includes('secret-token'));
  return true;
};

test('everything but a whole allow in a 200 is none', async (t) => {
  const asked = call();
  const { decision: _, ...undecided } = allowOf(asked);
  const { targets: __, ...untargeted } = allowOf(asked);
  const { expiresAt: ___, ...unending } = allowOf(asked);
  const answers: [number, unknown, string][] = [
    [200, undecided, 'unintelligible'],
    [200, untargeted, 'unintelligible'],
    [200, unending, 'unintelligible'],
    [200, { ...allowOf(asked), decision: 'ALLOW' }, 'unintelligible'],
    [200, { ...allowOf(asked), outbound: null }, 'unintelligible'],
    [200, { ...allowOf(asked), callId: randomUUID() }, 'unintelligible'],
    [200, [], 'unreachable'],
    [302, allowOf(asked), 'unreachable'],
    [403, { code: 'forbidden', ...allowOf(asked) }, 'forbidden'],
    [500, allowOf(asked), 'unreachable'],
  ];
  for (const [status, body, code] of answers) {
    const { client } = await serviceThat(t, (_request, response) => json(response, status, body));
    await assert.rejects(client.authorize(asked), fails(code), `${status} ${JSON.stringify(body)}`);
  }
  const { client } = await serviceThat(t, (_request, response) => json(response, 200, allowOf(asked)));
  assert.equal((await client.authorize(asked)).decision, 'allow');
});

test('an answer with words and members of a newer service is understood', async (t) => {
  const asked = call();
  const denied = {
    ...allowOf(asked),
    decision: 'deny',
    reason: 'a_new_reason',
    checks: [{ check: 'a_new_check', outcome: 'a_new_outcome', evidence: { expected: 'sha512:x' } }],
    obligations: ['a_new_duty'],
  };
  const newer = { capability: 'a', effects: ['read', 'a_new_effect'], aNewMember: 1 };
  const task = {
    taskId: asked.taskId,
    traceId: 'f'.repeat(32),
    pins: [{ capability: 'a', version: '1', definitionDigest: 'sha512:x', aNewMember: 1 }],
    unresolved: [{ capability: 'b', reason: 'a_new_reason' }],
    expiresAt: '2026-11-22T10:00:00.000Z',
    scope: [newer],
  };
  const { client } = await serviceThat(t, ({ method }, response) =>
    json(response, 200, method === 'GET' ? task : denied),
  );
  const decision = await client.authorize(asked);
  assert.deepEqual([decision.decision, decision.reason], ['deny', 'a_new_reason']);
  const { unresolved, scope } = await client.getTask(asked.taskId);
  assert.deepEqual(unresolved, task.unresolved);
  assert.deepEqual(scope, [{ capability: 'a', effects: newer.effects }]);
});

test('a path holds its parameters percent-encoded', async (t) => {
  const paths: (string | undefined)[] = [];
  const { client } = await serviceThat(t, ({ url, method }, response) => {
    paths.push(`${method} ${url}`);
    json(response, 404, { code: 'not_found' });
  });
  await assert.rejects(client.version('a/b?', '1+2'), fails('not_found'));
  await assert.rejects(client.closeTask('../x'), fails('not_found'));
  await assert.rejects(client.directives(), fails('not_found'));
  assert.deepEqual(paths, [
    'GET /v1/capabilities/a%2Fb%3F/versions/1%2B2',
    'POST /v1/tasks/..%2Fx/close',
    `GET /v1/directives?instanceId=${instanceId}`,
  ]);
});

test('what was not answered is asked again under the same id, three times in all', async (t) => {
  const asked = call();
  let failures = 2;
  const { client, bodies } = await serviceThat(t, (request, response) => {
    failures -= 1;
    if (failures >= 1) request.socket.destroy();
    else if (failures === 0) json(response, 503, { code: 'log_unavailable', detail: 'later' });
    else json(response, 200, allowOf(asked));
  });
  assert.equal((await client.authorize(asked)).decision, 'allow');
  assert.deepEqual(
    bodies.map(({ callId }) => callId),
    [asked.callId, asked.callId, asked.callId],
  );
  failures = 100;
  await assert.rejects(
    client.openTask({ agent: 'a', user: { id: 'u', roles: [] }, purpose: 'p', scope: [] }),
    fails('unreachable'),
  );
  const opened = bodies.slice(3).map(({ taskId }) => taskId);
  assert.equal(opened.length, 3);
  assert.equal(new Set(opened).size, 1, 'a task is opened once, whatever happens');
});

test('a refusal is not asked again, and silence ends with the time limit', async (t) => {
  const refusing = await serviceThat(t, (_request, response) => json(response, 409, { code: 'call_conflict' }));
  await assert.rejects(refusing.client.authorize(call()), fails('call_conflict'));
  assert.equal(refusing.bodies.length, 1);
  const silent = await serviceThat(t, () => undefined);
  const beganMs = performance.now();
  await assert.rejects(silent.client.authorize(call()), fails('unreachable'));
  assert.ok(performance.now() - beganMs < 2500);
});

test('an acknowledgement that is refused is told from one that did not arrive', async (t) => {
  const ack = { instanceId, epoch: 1, stateRoot: 'x', appliedAt: 'y' };
  const refusing = await serviceThat(t, (_request, response) => json(response, 409, { code: 'ack_refused' }));
  assert.equal(await refusing.client.acknowledge(ack), false);
  const failing = await serviceThat(t, (_request, response) => json(response, 503, { code: 'log_unavailable' }));
  await assert.rejects(failing.client.acknowledge(ack), fails('log_unavailable'));
  assert.equal(failing.bodies.length, 1, 'the follower asks again by itself');
});
