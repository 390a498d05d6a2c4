import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { openCheckpoint } from '../../libs/transparency/checkpoint.js';
import { HASH_BYTES, leafHash, parseHash } from '../../libs/transparency/hash.js';
import { noteVerifier, type NoteVerifier } from '../../libs/transparency/note.js';
import { verifyConsistency } from '../../libs/transparency/proofs.js';
import { parseTlogProof, provesLeaf } from '../../libs/transparency/tlog-proof.js';
import { rootOf } from '../../libs/transparency/tree.js';
import { refused } from '../support/problems.js';
import { startService, type TestService } from '../support/service.js';
import { addPrincipal } from '../support/actors.js';
import { expecting } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService({ sealing: undefined, env: { SALLYPORT_LOG_ORIGIN: 'example.com/test-log' } });
});
after(() => service.stop());

const get = async (path: string) => expecting(200, await service.call('auditor', 'GET', path));

async function keyOf(): Promise<NoteVerifier> {
  const { origin, keys } = expecting(200, await service.call('nobody', 'GET', '/.well-known/sallyport-log'));
  const x = Buffer.from(keys[0].publicKey, 'base64').toString('base64url');
  return noteVerifier(origin, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
}

/** The checkpoints, once the last one has every event of the log. */
async function sealed(): Promise<{ size: number; root: string; time: string; note: string }[]> {
  const { items: events } = await get('/v1/audit/events');
  const last = events.at(-1);
  for (;;) {
    const proof = await service.call('auditor', 'GET', `/v1/audit/events/${last.id}/proof`);
    if (proof.status === 200) return (await get('/v1/audit/checkpoints')).items;
    await pause(20);
  }
}

test('an event is proven by a file that needs no service', async () => {
  await sealed();
  const key = await keyOf();
  assert.equal(key.name, 'example.com/test-log');
  const { items } = await get('/v1/audit/events');
  for (const { id, position: _, ...event } of items) {
    // The reads of this auditor are events too, and may be newer than the last checkpoint.
    if (event.type === 'EvidenceRead') continue;
    const proof = parseTlogProof(await get(`/v1/audit/events/${id}/proof`));
    assert.ok(proof.ok);
    assert.ok(openCheckpoint(proof.value.checkpoint, key).ok);
    const recorded = (await service.service.stores.log.read(event.stream, event.revision - 1, 1))[0]?.json ?? '';
    assert.ok(provesLeaf(recorded, proof.value));
    assert.ok(!provesLeaf(recorded.replace('"time":"2', '"time":"3'), proof.value));
  }
});

test('each checkpoint continues the one before', async () => {
  const first = await sealed();
  await addPrincipal(service, ['auditor']);
  const later = await sealed();
  assert.ok(later.length > first.length);
  const key = await keyOf();
  for (const [at, { note, size, root }] of later.entries()) {
    const opened = openCheckpoint(note, key);
    assert.ok(opened.ok);
    assert.deepEqual([opened.value.size, opened.value.root], [size, parseHash(root)]);
    const next = later[at + 1];
    if (next === undefined) continue;
    const { hashes } = await get(`/v1/audit/consistency?from=${size}&to=${next.size}`);
    const heads = [
      { size, root: parseHash(root) ?? Buffer.alloc(0) },
      { size: next.size, root: parseHash(next.root) ?? Buffer.alloc(0) },
    ] as const;
    assert.ok(
      verifyConsistency(
        ...heads,
        hashes.map((hash: string) => parseHash(hash)),
      ),
    );
  }
  const after = await get(`/v1/audit/checkpoints?after=${first.at(-1)?.size}`);
  assert.equal(after.items.length, later.length - first.length);
  const page = await get('/v1/audit/checkpoints?limit=1');
  assert.deepEqual((await get(`/v1/audit/checkpoints?limit=1&cursor=${page.next}`)).items, later.slice(1, 2));
});

test('tiles lead to the root of the checkpoint', async () => {
  await sealed();
  const note = await get('/log/checkpoint');
  const opened = openCheckpoint(note, await keyOf());
  assert.ok(opened.ok);
  const { size, root } = opened.value;
  const response = await fetch(`${service.url}/log/tile/0/000.p/${size}`, {
    headers: { authorization: `Bearer ${service.tokens.auditor}` },
  });
  assert.equal(response.headers.get('content-type'), 'application/octet-stream');
  const bytes = Buffer.from(await response.arrayBuffer());
  const hashes = Array.from({ length: size }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
  assert.deepEqual(Buffer.from(rootOf(hashes)), Buffer.from(root));
  const { items } = await get('/v1/audit/events?limit=1');
  const [event] = await service.service.stores.log.read(items[0].stream, 0, 1);
  assert.deepEqual(hashes[0], leafHash(event?.json ?? ''));
});

test('what is not there is not found, and the log is not public', async () => {
  await sealed();
  const missing = [
    '/v1/audit/events/00000000-0000-4000-8000-000000000000/proof',
    '/v1/audit/consistency?from=5&to=4',
    '/v1/audit/consistency?from=1&to=100000',
    '/log/tile/0/000',
    '/log/tile/0/0.p/1',
    '/log/tile/9/000/001',
    '/log/tile/0/x001/000.p/3',
  ];
  for (const path of missing) refused(404, 'not_found', await service.call('auditor', 'GET', path));
  for (const path of ['/log/checkpoint', '/log/tile/0/000.p/1', '/v1/audit/checkpoints']) {
    refused(401, 'unauthenticated', await service.call('nobody', 'GET', path));
    refused(403, 'forbidden', await service.call('host', 'GET', path));
  }
  for (const query of ['from=-1', 'from=x', '', 'from=1&until=2'])
    refused(400, 'malformed_request', await service.call('auditor', 'GET', `/v1/audit/consistency?${query}`));
});

test('an idle log gets no further checkpoint', async (t) => {
  const idle = await startService({ sealing: undefined });
  t.after(() => idle.stop());
  // No auditor asks: their reads are evidence too.
  const { thread } = idle.service.seal ?? {};
  for (;;) {
    if (thread !== undefined && thread.status.size > 0 && thread.lagSeconds === 0) break;
    await pause(20);
  }
  const end = await idle.service.stores.log.end();
  await pause(1_500);
  assert.equal(await idle.service.stores.log.end(), end);
});

test('the log is public if it is set so, and only its hashes', async (t) => {
  const open = await startService({ sealing: undefined, env: { SALLYPORT_LOG_PUBLIC: 'on' } });
  t.after(() => open.stop());
  let answer = await open.call('nobody', 'GET', '/log/checkpoint');
  for (; answer.status === 404; await pause(20)) answer = await open.call('nobody', 'GET', '/log/checkpoint');
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.match(String(answer.body), /^sallyport\/[0-9a-f-]{36}\n\d+\n/);
  assert.equal((await open.call('nobody', 'GET', '/log/tile/0/000.p/1')).status, 200);
  refused(401, 'unauthenticated', await open.call('nobody', 'GET', '/v1/audit/checkpoints'));
});
