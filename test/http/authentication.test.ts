import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import type { Authenticator } from '../../libs/authentication/authenticator.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { refusal } from '../../libs/kernel/refusal.js';
import { err, ok } from '../../libs/kernel/result.js';
import { principalDecider } from '../../libs/principal/decider.js';
import { writeOf } from '../../libs/streams/facts.js';
import { GrpcHost, refusal as refusalOf } from '../grpc/client.js';
import { startService, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/**
 * Every interface of the service asks one authenticator. Here another authenticator replaces it, and all of them obey.
 */

let service: TestService;
let grpc: GrpcHost;
let isOpen = true;
let asked = 0;

/** Refuses all credentials while it is closed. */
const switched = (inner: Authenticator): Authenticator => ({
  authenticate(credentials) {
    asked += 1;
    return isOpen ? inner.authenticate(credentials) : err(refusal('unauthenticated', 'closed by the test'));
  },
  isCurrent: (principal) => isOpen && inner.isCurrent(principal),
});

before(async () => {
  service = await startService({ wrapAuthenticator: switched });
  await readyWorld(service);
  grpc = new GrpcHost(service);
});
after(async () => {
  grpc.close();
  await service.stop();
});

async function whileClosed(body: () => Promise<void>): Promise<void> {
  isOpen = false;
  try {
    await body();
  } finally {
    isOpen = true;
  }
}

const PUBLIC = ['/.well-known/', '/health/', '/metrics', '/openapi', '/asyncapi', '/docs'];

test('every route that is not public goes by it', () =>
  whileClosed(async () => {
    const closed = service.server.routes.filter(({ path }) => !PUBLIC.some((open) => path.startsWith(open)));
    assert.ok(closed.length > 30);
    for (const { method, path } of closed) {
      const answer = await service.call('host', method, path.replaceAll(/:\w+/g, randomUUID()));
      assert.deepEqual([answer.status, answer.body?.detail], [401, 'closed by the test'], `${method} ${path}`);
    }
  }));

test('so does the direct way to the authorizer', async () => {
  const task = await openTask(service);
  const plain = () => service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
  const before = asked;
  expecting(200, await plain());
  // One question only: the request did not go on to the route.
  assert.equal(asked, before + 1);
  await whileClosed(async () => {
    assert.equal((await plain()).body.detail, 'closed by the test');
  });
});

test('so does gRPC: calls, the stream of decisions and the watch', () =>
  whileClosed(async () => {
    const entries = [
      () => grpc.call('host', 'Decisions/Authorize', {}),
      () => grpc.call('host', 'Tasks/Get', {}),
      () => grpc.call('host', 'Directives/List', {}),
      () => grpc.watch('host').next(),
      () => grpc.stream('host').next(),
    ];
    for (const enter of entries) assert.equal((await refusalOf(enter())).status, status.UNAUTHENTICATED);
  }));

test('watches that are open go by it, too', async () => {
  const watch = grpc.watch('host');
  await watch.next();
  await whileClosed(async () => {
    // Any change of a principal makes the service ask again.
    const { plane } = service.service.control;
    await plane.run({ name: 'system:test' }, (time) => {
      const tokenDigest = digestOf('another token');
      const decided = principalDecider.decide({ type: 'rotate', tokenDigest, actor: 'system:test', time }, stateOf());
      return decided.ok ? ok({ writes: [writeOf('principal-local-auditor', 1, decided.value)] }) : decided;
    });
    const ended = await refusalOf(
      (async () => {
        for (let beats = 0; beats < 100; beats += 1) await watch.next();
      })(),
    );
    assert.equal(ended.status, status.UNAUTHENTICATED);
  });
});

const stateOf = () => service.service.control.view.principal('local-auditor').state;
