import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { newCapability, scopeOf } from '../support/actors.js';
import { definitionDigestOf } from '../support/calls.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting, MEMORY_DEFINITION, proposal, taskBody } from '../support/world.js';
import { GrpcHost, refusal } from './client.js';
import { after, before, test } from '../support/testing.js';

/** A host that speaks only gRPC learns what is pinned, reports what it sees, and knows the terms of the feed. */

let service: TestService;
let host: GrpcHost;
before(async () => {
  service = await startService({ env: { SALLYPORT_LEASE_MS: '7000', SALLYPORT_SKEW_MS: '300' } });
  host = new GrpcHost(service);
});
after(async () => {
  host.close();
  await service.stop();
});

const probe = { protocolVersion: '2025-11-25', clientCapabilities: { roots: {} }, credentialScope: 'none' };

test('a version comes with its pinned definition, as over HTTP', async () => {
  const supplyChain = { repository: 'r', dependencies: [{ name: 'n', version: '1' }] };
  const source = { ...proposal().source, integrity: 'sha512-x', url: 'https://example.org/x.tgz' };
  const id = await newCapability(service, proposal('1.0.0', { probe, supplyChain, source }));
  const path = `/v1/capabilities/${id}/versions/1.0.0`;
  const overHttp = expecting(200, await service.call('host', 'GET', path));
  const version = await host.call('host', 'Registry/GetVersion', { id, version: '1.0.0', minPosition: '1' });
  assert.deepEqual(version, overHttp);
  assert.equal(definitionDigestOf(version.definition), version.definitionDigest);
  const other = refusal(host.call('host', 'Registry/GetVersion', { id, version: '9.9.9' }));
  assert.deepEqual(await other, { status: status.NOT_FOUND, code: 'not_found', fields: [] });
  const stale = { id, version: '1.0.0', minPosition: '9000000000000000000' };
  assert.equal((await refusal(host.call('host', 'Registry/GetVersion', stale))).code, 'view_stale');
});

test('a definition that differs suspends the version for the host that reports it', async () => {
  const id = await newCapability(service, proposal('1.0.0', { probe }));
  const observe = (more: Answered) => host.call('host', 'Registry/ObserveVersion', { id, version: '1.0.0', ...more });
  await host.call('host', 'Tasks/Open', taskBody({ scope: scopeOf(id) }));
  const same = await observe({ definition: MEMORY_DEFINITION, probe });
  assert.deepEqual([same.status, same.drift, same.suspendedFor], ['approved', undefined, []]);
  const drifted = { ...MEMORY_DEFINITION, instructions: 'Remembers all.' };
  const otherwise = await observe({ definition: drifted, probe: { ...probe, protocolVersion: '1' } });
  assert.equal(otherwise.probe.observed.protocolVersion, '1');
  assert.deepEqual(otherwise.suspendedFor, []);
  const seen = await observe({ definition: drifted, probe, server: { method: 'none' } });
  assert.deepEqual([seen.status, seen.suspendedFor], ['approved', ['local-host']]);
  assert.deepEqual([seen.drift.severity, seen.drift.changes[0].path], ['instruction-change', '/instructions']);
  assert.equal(seen.definitionDigest, definitionDigestOf(drifted));
  const version = await host.call('host', 'Registry/GetVersion', { id, version: '1.0.0', minPosition: seen.position });
  assert.deepEqual(version.suspendedFor, ['local-host']);
  const wrong = refusal(observe({ probe }));
  assert.deepEqual(await wrong, {
    status: status.INVALID_ARGUMENT,
    code: 'malformed_request',
    fields: ['/definition'],
  });
});

test('the terms are the keys of the feed, the lease and the skew, over both', async () => {
  const terms = await host.call('host', 'Directives/GetTerms', {});
  assert.deepEqual(terms, expecting(200, await service.call('host', 'GET', '/v1/directives/terms')));
  const { keys } = expecting(200, await service.call('nobody', 'GET', '/.well-known/jwks.json'));
  assert.deepEqual(terms, { leaseMs: 7000, skewMs: 300, keys });
  const beat = await host.call('host', 'Directives/List', {});
  assert.deepEqual([beat.kid, beat.leaseMs], [keys[0].kid, 7000]);
});

test('none of it is for a caller that is no host', async () => {
  const id = await newCapability(service);
  for (const [rpc, request] of [
    ['Registry/GetVersion', { id, version: '1.0.0' }],
    ['Registry/ObserveVersion', { id, version: '1.0.0', definition: MEMORY_DEFINITION }],
    ['Directives/GetTerms', {}],
  ] as const) {
    assert.equal((await refusal(host.call('nobody', rpc, request))).status, status.UNAUTHENTICATED, rpc);
    assert.equal((await refusal(host.call('auditor', rpc, request))).status, status.PERMISSION_DENIED, rpc);
  }
});
