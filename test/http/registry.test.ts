import assert from 'node:assert/strict';
import { addPrincipal, newCapability, scopeOf, unique, versionCommand } from '../support/actors.js';
import { decide, definitionDigestOf } from '../support/calls.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import {
  activatePolicy,
  approve,
  expecting,
  MEMORY_DEFINITION,
  openTask,
  proposal,
  register,
  registration,
} from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

const path = (id: string, version = '1.0.0') => `/v1/capabilities/${id}/versions/${version}`;
const post = (body: unknown, to = '/v1/capabilities') => service.call('registrar', 'POST', to, body);
const read = async (where: string) => expecting(200, await service.call('auditor', 'GET', where));
const APPROVED = { verdict: 'approved', exceptions: ['signature_missing'] };

/** For each status, the commands that bring a new version into it. */
const WAYS: Record<string, [string, Record<string, unknown>?][]> = {
  pending: [],
  approved: [['review', APPROVED]],
  rejected: [['review', { verdict: 'rejected' }]],
  suspended: [['review', APPROVED], ['suspend']],
  revoked: [['review', APPROVED], ['revoke']],
};

/** For each status, the commands that lead out of it, with the next status. Every other command is a 409. */
const TRANSITIONS: Record<string, Record<string, string>> = {
  pending: { approve: 'approved', reject: 'rejected', revoke: 'revoked' },
  approved: { suspend: 'suspended', revoke: 'revoked' },
  rejected: { revoke: 'revoked' },
  suspended: { reinstate: 'approved', revoke: 'revoked' },
  revoked: {},
};

const COMMANDS: Record<string, [string, Record<string, unknown>?]> = {
  approve: ['review', APPROVED],
  reject: ['review', { verdict: 'rejected' }],
  suspend: ['suspend'],
  reinstate: ['reinstate'],
  revoke: ['revoke'],
};

async function inStatus(status: string): Promise<string> {
  const id = unique('state');
  await register(service, id);
  for (const [command, more] of WAYS[status] ?? []) {
    expecting(200, await versionCommand(service, command === 'review' ? 'reviewer' : 'operator', id, command, more));
  }
  return id;
}

for (const [from, out] of Object.entries(TRANSITIONS)) {
  for (const [name, [command, more]] of Object.entries(COMMANDS)) {
    const to = out[name];
    test(`a version that is ${from}: ${name} is ${to === undefined ? 'refused' : `taken, and it is ${to}`}`, async () => {
      const id = await inStatus(from);
      const stream = `capability-${id}`;
      const revision = (await eventsOf(service, stream)).length;
      const answer = await versionCommand(service, 'reviewer', id, command, more);
      if (to === undefined) {
        refused(409, 'invalid_transition', answer);
      } else {
        const taken = expecting(200, answer);
        assert.deepEqual([taken.version.status, taken.revision], [to, revision + 1]);
        assert.match(taken.position, /^\d+$/);
      }
      assert.equal((await eventsOf(service, stream)).length, revision + (to === undefined ? 0 : 1));
      assert.equal((await read(path(id))).status, to ?? from);
    });
  }
}

test('commands and queries for unknown versions are refused', async () => {
  const id = await newCapability(service);
  for (const [command, more] of Object.values(COMMANDS)) {
    refused(404, 'not_found', await versionCommand(service, 'reviewer', id, command, more, '9.9.9'));
    refused(404, 'not_found', await versionCommand(service, 'reviewer', unique('none'), command, more));
  }
  refused(404, 'not_found', await post(proposal(), `/v1/capabilities/${unique('none')}/versions`));
  for (const where of [path(id, '9.9.9'), `/v1/capabilities/${unique('none')}`, `${path(id)}/diff?against=9.9.9`]) {
    refused(404, 'not_found', await service.call('auditor', 'GET', where));
  }
});

test('the proposer of a version cannot review it in any role', async () => {
  const both = await addPrincipal(service, ['registrar', 'reviewer']);
  const id = unique('cap');
  expecting(201, await service.call(both, 'POST', '/v1/capabilities', registration(id)));
  refused(403, 'self_review', await versionCommand(service, both, id, 'review', APPROVED));
  expecting(200, await versionCommand(service, 'reviewer', id, 'review', APPROVED));
  expecting(201, await post(proposal('2.0.0'), `/v1/capabilities/${id}/versions`));
  expecting(200, await versionCommand(service, both, id, 'review', APPROVED, '2.0.0'));
});

test('the one who suspended a version cannot reinstate it', async () => {
  const id = await newCapability(service);
  expecting(200, await versionCommand(service, 'reviewer', id, 'suspend'));
  refused(403, 'self_review', await versionCommand(service, 'reviewer', id, 'reinstate'));
  const other = await addPrincipal(service, ['reviewer']);
  expecting(200, await versionCommand(service, other, id, 'reinstate'));
  for (const command of ['suspend', 'revoke'] as const)
    expecting(200, await versionCommand(service, 'reviewer', id, command));
  refused(409, 'invalid_transition', await versionCommand(service, 'reviewer', id, 'reinstate'));
});

test('the proposer of a version cannot reinstate it, even if another suspended it', async () => {
  const both = await addPrincipal(service, ['registrar', 'reviewer']);
  const id = unique('cap');
  expecting(201, await service.call(both, 'POST', '/v1/capabilities', registration(id)));
  expecting(200, await versionCommand(service, 'reviewer', id, 'review', APPROVED));
  expecting(200, await versionCommand(service, 'operator', id, 'suspend'));
  refused(403, 'self_review', await versionCommand(service, both, id, 'reinstate'));
  expecting(200, await versionCommand(service, 'reviewer', id, 'reinstate'));
});

test('a review shows its verdict, reviewer, reason, time, and accepted exceptions', async () => {
  const id = unique('cap');
  const registered = await register(service, id);
  const { version } = expecting(200, await versionCommand(service, 'reviewer', id, 'review', APPROVED));
  assert.deepEqual(version.signature, { result: 'signature_missing' });
  const { at, ...review } = version.review;
  assert.deepEqual(review, {
    verdict: 'approved',
    by: 'local-reviewer',
    reason: 'test',
    exceptions: ['signature_missing'],
  });
  assert.ok(at >= registered.version.proposedAt);
  assert.equal(version.proposedBy, 'local-registrar');
});

test('exceptions: signature_missing always, server_unauthenticated if nothing is expected of the server', async () => {
  const manifest = (server: Answered) => ({ ...proposal().manifest, server });
  const reviewed = async (server: Answered, exceptions: string[]) => {
    const id = unique('cap');
    await register(service, id, proposal('1.0.0', { manifest: manifest(server) }));
    return versionCommand(service, 'reviewer', id, 'review', { verdict: 'approved', exceptions });
  };
  const none = { method: 'none' };
  const both = ['server_unauthenticated', 'signature_missing'];
  const { version } = expecting(200, await reviewed(none, both));
  assert.deepEqual(version.review.exceptions, both);
  refused(400, 'malformed_request', await reviewed({ method: 'spiffe', id: 'spiffe://x/y' }, both));
  for (const code of ['signature_invalid', 'definition_drifted', 'ok', 'anything']) {
    refused(400, 'malformed_request', await reviewed(none, [code]));
  }
});

test('an exception lets its check pass, with the exception as evidence; without it the check denies', async () => {
  const manifest = {
    ...proposal().manifest,
    operations: { recall: { effects: ['read'] } },
    server: { method: 'none' },
  };
  const call = async (remove: string[] = []) => {
    const id = unique('cap');
    await register(service, id, proposal('1.0.0', { manifest }));
    await approve(service, id, '1.0.0', ['signature_missing', 'server_unauthenticated']);
    if (remove.length > 0) expecting(200, await versionCommand(service, 'reviewer', id, 'exceptions', { remove }));
    const task = await openTask(service, { scope: scopeOf(id) });
    const observed = { definitionDigest: task.pins[0].definitionDigest, server: { method: 'none' } };
    return decide(service, task, { observed, explain: true });
  };
  const evidence = ({ checks }: Answered, name: string) =>
    checks.find(({ check }: Answered) => check === name).evidence;
  const allowed = await call();
  assert.equal(allowed.decision, 'allow');
  assert.equal(evidence(allowed, 'signature').exception, 'signature_missing');
  assert.equal(evidence(allowed, 'server_identity').exception, 'server_unauthenticated');
  assert.equal(evidence(allowed, 'server_identity').result, 'unauthenticated');
  assert.equal((await call(['server_unauthenticated'])).reason, 'server_unauthenticated');
  assert.equal((await call(['signature_missing'])).reason, 'signature_missing');
});

test('expectedRevision has to be the revision of the capability', async () => {
  const id = unique('cap');
  const early = await versionCommand(service, 'reviewer', id, 'review', { ...APPROVED, expectedRevision: 1 });
  refused(404, 'not_found', early);
  const { revision } = await register(service, id);
  for (const expectedRevision of [revision - 1, revision + 1]) {
    const answer = await versionCommand(service, 'reviewer', id, 'review', { ...APPROVED, expectedRevision });
    refused(409, 'revision_conflict', answer);
  }
  expecting(200, await versionCommand(service, 'reviewer', id, 'review', { ...APPROVED, expectedRevision: revision }));
});

test('a version is immutable: the same again is answered from the record, other content is a 409', async () => {
  const id = unique('cap');
  const first = await register(service, id);
  await approve(service, id);
  const again = expecting(201, await post({ ...registration(id) }));
  assert.deepEqual(again.version, await viewOf(id));
  assert.equal(again.version.proposedAt, first.version.proposedAt);
  refused(409, 'already_exists', await post({ ...registration(id), owner: 'someone-else' }));

  const versions = `/v1/capabilities/${id}/versions`;
  const { source, ...rest } = proposal('2.0.0');
  expecting(201, await post({ source, ...rest }, versions));
  const revision = (await eventsOf(service, `capability-${id}`)).length;
  expecting(201, await post({ ...rest, source }, versions));
  refused(409, 'already_exists', await post({ ...rest, source: { ...source, url: 'https://x.example' } }, versions));
  refused(409, 'already_exists', await post({ ...rest, source, supplyChain: {} }, versions));
  assert.equal((await eventsOf(service, `capability-${id}`)).length, revision);
});

async function viewOf(id: string): Promise<Answered> {
  const { definition: _, ...view } = await read(path(id));
  return view;
}

test('a version is shown as it was proposed, with the digest of its definition', async () => {
  const id = unique('cap');
  const more = {
    probe: { protocolVersion: '2025-11-25', clientCapabilities: { roots: {} }, credentialScope: 'read' },
    supplyChain: {
      repository: 'https://git.example/memory',
      commit: 'abc',
      dependencies: [{ name: 'a', version: '1' }],
    },
  };
  const wanted = proposal('1.0.0', more);
  const registered = expecting(201, await post({ ...registration(id, wanted), publishers: ['acme'] }));
  assert.deepEqual([registered.id, registered.revision], [id, 2]);
  const { definition, ...view } = await read(path(id));
  assert.deepEqual(definition, MEMORY_DEFINITION);
  assert.deepEqual(view, registered.version);
  assert.equal(view.definitionDigest, definitionDigestOf(MEMORY_DEFINITION));
  for (const member of ['source', 'manifest', 'probe', 'supplyChain']) assert.deepEqual(view[member], wanted[member]);
  const { publishers, kind, category, owner, versions } = await read(`/v1/capabilities/${id}`);
  assert.deepEqual([publishers, kind, category, owner], [['acme'], 'mcp-server', 'notes', 'team-notes']);
  assert.deepEqual(versions, [view]);
});

/** All pages of a list, and how many there were. */
async function pagesOf(query: string): Promise<{ items: Answered[]; pages: number }> {
  const items: Answered[] = [];
  let cursor: string | undefined;
  for (let pages = 1; ; pages += 1) {
    const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await read(`${query}${next}`);
    items.push(...page.items);
    cursor = page.next;
    if (cursor === undefined) return { items, pages };
  }
}

test('a list comes in pages, each thing once', async () => {
  const owner = unique('owner');
  const ids = Array.from({ length: 5 }, () => unique('listed')).sort();
  for (const id of ids) expecting(201, await post({ ...registration(id), owner }));
  const { items, pages } = await pagesOf(`/v1/capabilities?owner=${owner}&limit=2`);
  assert.deepEqual(
    items.map(({ id }) => id),
    ids,
  );
  assert.equal(pages, 3);
  assert.equal((await pagesOf(`/v1/capabilities?owner=${owner}&limit=5`)).pages, 1);
  const first = await read(`/v1/capabilities?owner=${owner}&limit=2`);
  assert.notEqual(first.next, ids[1], 'a cursor is opaque');
  const plain = await service.call('reviewer', 'GET', `/v1/capabilities?cursor=${ids[1] ?? ''}`);
  refused(400, 'malformed_request', plain);
  const reviews = await pagesOf('/v1/reviews?status=pending&limit=2');
  const queued = reviews.items.map(({ capability }) => capability);
  for (const id of ids) assert.equal(queued.filter((each) => each === id).length, 1);
  for (const limit of ['0', '-1', 'all', '1.5']) {
    refused(400, 'malformed_request', await service.call('auditor', 'GET', `/v1/capabilities?limit=${limit}`));
  }
});

test('capabilities are listed by status, kind, category, owner and effect, with the versions that match', async () => {
  const owner = unique('owner');
  const [one, two] = [unique('listed'), unique('listed')];
  const category = unique('category');
  expecting(201, await post({ ...registration(one), owner }));
  expecting(201, await post({ ...registration(two), owner, kind: 'skill', category }));
  const operations = { recall: { effects: ['read', 'send'] } };
  const sending = proposal('2.0.0', { manifest: { ...proposal().manifest, operations } });
  expecting(201, await post(sending, `/v1/capabilities/${two}/versions`));
  await approve(service, two, '2.0.0');
  const listed = async (filter: string) =>
    (await read(`/v1/capabilities?owner=${owner}&${filter}`)).items.flatMap(({ id, versions }: Answered) =>
      versions.map(({ version }: Answered) => `${id}@${version}`),
    );
  assert.deepEqual(await listed('status=approved'), [`${two}@2.0.0`]);
  assert.deepEqual(await listed('effect=send'), [`${two}@2.0.0`]);
  assert.deepEqual(await listed('kind=mcp-server'), [`${one}@1.0.0`]);
  assert.deepEqual(await listed(`category=${category}`), [`${two}@1.0.0`, `${two}@2.0.0`]);
  assert.deepEqual(await listed('status=pending&effect=write&kind=skill'), [`${two}@1.0.0`]);
  assert.deepEqual(await listed('status=revoked'), []);
  for (const filter of ['status=new', 'kind=server', 'effect=eat']) {
    refused(400, 'malformed_request', await service.call('auditor', 'GET', `/v1/capabilities?${filter}`));
  }
});
