import assert from 'node:assert/strict';
import { createPublicKey, randomUUID, verify, type KeyObject } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { verifiedContent } from '../../libs/feed/beat.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { Target } from '../../libs/directive/target.js';
import { addPrincipal } from '../support/actors.js';
import { startService, type Answered, type TestOptions, type TestService } from '../support/service.js';
import { watchOver } from '../support/watch.js';
import { expecting } from '../support/world.js';
import { GrpcHost, refusal, type BeatsHeard } from './client.js';
import { test, type TestContext } from '../support/testing.js';

async function started(t: TestContext, options: TestOptions = {}): Promise<{ service: TestService; host: GrpcHost }> {
  const service = await startService(options);
  const host = new GrpcHost(service);
  t.after(async () => {
    host.close();
    await service.stop();
  });
  return { service, host };
}

const TARGETS: readonly Target[] = [
  { type: 'all' },
  { type: 'version', capability: 'memory', version: '1.0.0' },
  { type: 'operation', capability: 'memory', operation: 'read "it"\u2028' },
  { type: 'publisher', publisher: 'acme' },
  { type: 'source', source: 'npm:name' },
  { type: 'category', category: 'x' },
  { type: 'effect', effect: 'read' },
  { type: 'host', host: 'h' },
  { type: 'task', taskId: randomUUID() },
];

async function issue(service: TestService, target: Target = { type: 'category', category: 'none' }, more = {}) {
  return expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'é', ...more }));
}

async function keysOf(service: TestService): Promise<ReadonlyMap<string, KeyObject>> {
  const { keys } = expecting(200, await service.call('nobody', 'GET', '/.well-known/jwks.json'));
  return new Map(keys.map((jwk: Answered) => [jwk.kid, createPublicKey({ key: jwk, format: 'jwk' })]));
}

/** A client with generated types verifies the bytes as they are, and reads them. */
function assertSound({ signature, signed, ...fields }: Answered, keys: ReadonlyMap<string, KeyObject>): void {
  const key = keys.get(fields.kid);
  assert.ok(key);
  const [header, payload, proof] = signed.split('.');
  assert.ok(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(proof, 'base64url')));
  assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url').toString()), fields);
  // A client of before puts the fields back into JSON.
  const older = Buffer.from(canonicalJson({ ...fields, signed }));
  assert.ok(verify(null, older, key, Buffer.from(signature, 'base64url')));
  assert.deepEqual(verifiedContent({ signature, signed, ...fields }, keys), fields);
}

async function nextChange(watch: BeatsHeard): Promise<Answered> {
  for (let beat = await watch.next(); beat !== undefined; beat = await watch.next()) if (beat.directive) return beat;
  assert.fail('the watch has ended');
}

test('a beat over gRPC carries the bytes that were signed, and its fields say the same, with every target there is', async (t) => {
  const { service, host } = await started(t);
  const keys = await keysOf(service);
  const empty = await host.call('host', 'Directives/List', {});
  assert.deepEqual(empty.active, []);
  assertSound(empty, keys);
  const watch = host.watch('host');
  t.after(() => watch.call.cancel());
  assertSound(await watch.next(), keys);
  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  for (const target of TARGETS) {
    await issue(service, target, { expiresAt });
    const change = await nextChange(watch);
    assert.deepEqual(change.directive.target, target);
    assertSound(change, keys);
  }
  const beat = await watch.next();
  assert.deepEqual([beat.active, beat.directive], [undefined, undefined]);
  assertSound(beat, keys);
  const all = await host.call('host', 'Directives/List', {});
  const over = expecting(200, await service.call('host', 'GET', '/v1/directives'));
  assert.deepEqual(all.active, over.active);
  assertSound(all, keys);
});

test('who comes back over gRPC gets the changes since and a heartbeat, and acknowledges', async (t) => {
  const { service, host } = await started(t);
  const { epoch: before } = await issue(service);
  const { id, epoch } = await issue(service);
  const instanceId = randomUUID();
  const watch = host.watch('host', { sinceEpoch: before, instanceId });
  t.after(() => watch.call.cancel());
  assert.equal((await watch.next()).directive.id, id);
  const beat = await watch.next();
  assert.deepEqual([beat.epoch, beat.directive, beat.active], [epoch, undefined, undefined]);
  const next = await issue(service);
  const { stateRoot } = await nextChange(watch);
  const ack = { instanceId, epoch: next.epoch, stateRoot, appliedAt: new Date().toISOString() };
  assert.match((await host.call('host', 'Directives/Acknowledge', ack)).position, /^\d+$/);
  const told = expecting(200, await service.call('operator', 'GET', `/v1/directives/${next.id}/propagation`));
  assert.deepEqual([told.complete, told.instances[0].instanceId], [true, instanceId]);
  const above = await refusal(host.call('host', 'Directives/Acknowledge', { ...ack, epoch: next.epoch + 1 }));
  assert.deepEqual([above.status, above.code], [status.FAILED_PRECONDITION, 'ack_refused']);
});

test('a watch over gRPC ends with its reason: a rotated token, a service that goes away', async (t) => {
  const service = await startService();
  const host = new GrpcHost(service);
  t.after(() => host.close());
  const other = await addPrincipal(service, ['host']);
  const [revoked, left] = [host.watch(other), host.watch('host')];
  await Promise.all([revoked.next(), left.next()]);
  expecting(200, await service.call('admin', 'POST', `/v1/principals/${other.name}/rotate`, {}));
  const ended = await refusal(rest(revoked));
  assert.deepEqual([ended.status, ended.code], [status.UNAUTHENTICATED, 'unauthenticated']);
  const startedMs = performance.now();
  const [last] = await Promise.all([refusal(rest(left)), service.stop()]);
  assert.deepEqual([last.status, last.code], [status.UNAVAILABLE, 'log_unavailable']);
  assert.ok(performance.now() - startedMs < 3000, 'the shutdown waited for a watch');
});

async function rest(watch: BeatsHeard): Promise<void> {
  while ((await watch.next()) !== undefined);
}

test('watches over gRPC and HTTP share one bound, which is not that of other calls', async (t) => {
  const { service, host } = await started(t, { env: { SALLYPORT_WATCHES: '4', SALLYPORT_GRPC_CALLS: '4' } });
  const first = host.watch('host');
  await first.next();
  const second = await watchOver(service.url, service.tokens.host);
  t.after(() => second.close());
  await second.next();
  const third = await refusal(host.watch('host').next());
  assert.deepEqual([third.status, third.code], [status.RESOURCE_EXHAUSTED, 'overloaded']);
  await Promise.all([1, 2].map(() => host.call('host', 'Directives/List', {})));
  first.call.on('error', () => undefined).cancel();
  for (let tries = 0; tries < 100; tries += 1) {
    const again = host.watch('host');
    t.after(() => again.call.cancel());
    if ((await again.next().catch(() => undefined)) !== undefined) return;
  }
  assert.fail('the place was not given back');
});

test('a request that is none is INVALID_ARGUMENT, and only hosts watch', async (t) => {
  const { host } = await started(t);
  const wrong = await refusal(host.watch('host', { instanceId: 'me' }).next());
  assert.deepEqual([wrong.status, wrong.fields], [status.INVALID_ARGUMENT, ['/instance_id']]);
  assert.equal((await refusal(host.watch('auditor').next())).status, status.PERMISSION_DENIED);
  assert.equal((await refusal(host.watch('nobody').next())).status, status.UNAUTHENTICATED);
});
