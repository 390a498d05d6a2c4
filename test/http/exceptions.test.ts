import assert from 'node:assert/strict';
import { ContentDesk } from '../../libs/decision-point/content-desk.js';
import { addPrincipal, newCapability, newVersion, scopeOf, unique, versionCommand } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { eventsOf, logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import {
  activatePolicy,
  approve,
  expecting,
  historyIn,
  openTask,
  proposal,
  register,
  registration,
} from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The weaknesses of a version that a reviewer accepted by name, at its approval and afterwards. */

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

const SIGNATURE = 'signature_missing';
const SERVER = 'server_unauthenticated';
const SCHEMA = 'schema_unenforced:recall';

const nested = (depth: number): Answered => (depth === 0 ? {} : { not: nested(depth - 1) });
const UNVETTABLE: Record<string, [schema: Answered, why: RegExp]> = {
  'refers to another document': [
    { $ref: 'https://schemas.example/x.json' },
    /\/\$ref: a reference out of the document/,
  ],
  'has a pattern that is no regular language': [{ type: 'string', pattern: '(a+)\\1$' }, /a back-reference/],
  'has a pattern that repeats without bound': [{ type: 'string', pattern: '(x{1000}){1000}' }, /repeats too much/],
  'refers to itself without end': [{ $ref: '#' }, /a circle of references/],
  'is nested too deep': [nested(40), /levels of schemas/],
  'has a dynamic reference': [{ $dynamicRef: '#x' }, /dynamic references/],
};

const toolWith = (inputSchema: Answered, operations: Answered = { recall: { effects: ['read', 'write'] } }): Answered =>
  proposal('1.0.0', {
    definition: {
      tools: [
        { name: 'recall', inputSchema },
        { name: 'plain', inputSchema: { type: 'object' } },
      ],
    },
    manifest: { ...proposal().manifest, operations },
  });

const unproven = (more: Record<string, unknown> = {}, version = '1.0.0'): Answered =>
  proposal(version, { manifest: { ...proposal().manifest, server: { method: 'none' }, ...more } });

const review = (id: string, exceptions: readonly string[], verdict = 'approved') =>
  versionCommand(service, 'reviewer', id, 'review', { verdict, exceptions });
const amend = (id: string, change: Record<string, unknown>, who: Parameters<typeof versionCommand>[1] = 'reviewer') =>
  versionCommand(service, who, id, 'exceptions', change);
const evidenceOf = ({ checks }: Answered, name: string) =>
  checks.find(({ check }: Answered) => check === name)?.evidence;

for (const [name, [schema, why]] of Object.entries(UNVETTABLE)) {
  test(`a tool whose schema ${name} needs an exception by name, and is called without its schema`, async () => {
    const id = unique('cap');
    await register(service, id, toolWith(schema));
    const end = await logEnd(service);
    const problem = refused(409, 'exception_required', await review(id, [SIGNATURE]));
    assert.deepEqual(problem.needed, [SCHEMA]);
    assert.equal(problem.errors[0].path, '/manifest/operations/recall');
    assert.match(problem.errors[0].message, why);
    assert.equal(await logEnd(service), end);
    refused(400, 'malformed_request', await review(id, [SIGNATURE, SCHEMA, 'schema_unenforced:plain']));
    expecting(200, await review(id, [SIGNATURE, SCHEMA]));

    const task = await openTask(service, { scope: scopeOf(id) });
    const allowed = await decide(service, task, { arguments: { anything: [1] }, explain: true });
    assert.equal(allowed.decision, 'allow');
    assert.equal(evidenceOf(allowed, 'arguments').exception, SCHEMA);
    expecting(200, await amend(id, { remove: [SCHEMA] }));
    const denied = await decide(service, task, { arguments: { anything: [1] } });
    assert.equal(denied.reason, 'arguments_invalid');
    assert.deepEqual(evidenceOf(denied, 'arguments').errors, [{ path: '', keyword: 'schema_refused' }]);
  });
}

test('a tool that cannot be vetted and is left out of the manifest stays uncallable, and its server is usable', async () => {
  const id = unique('cap');
  await register(service, id, toolWith({ $ref: 'https://x.example/' }, { plain: { effects: ['read'] } }));
  await approve(service, id);
  const task = await openTask(service, { scope: [{ capability: id, operations: ['plain', 'recall'] }] });
  assert.equal((await decide(service, task, { operation: 'plain' })).decision, 'allow');
  assert.equal((await decide(service, task, { operation: 'recall' })).reason, 'operation_unknown');
});

/** A capability whose one tool has an output schema that cannot be vetted; it is not reviewed. */
async function withOutputSchema(): Promise<string> {
  const id = unique('cap');
  const tool = { name: 'recall', inputSchema: { type: 'object' }, outputSchema: { $ref: 'https://x.example/' } };
  const manifest = { ...proposal().manifest, operations: { recall: { effects: ['read'] } } };
  await register(service, id, proposal('1.0.0', { definition: { tools: [tool] }, manifest }));
  return id;
}

test('an output schema that cannot be enforced is an exception too, and the answer is delivered', async () => {
  const id = await withOutputSchema();
  assert.deepEqual(refused(409, 'exception_required', await review(id, [SIGNATURE])).needed, [SCHEMA]);
  expecting(200, await review(id, [SIGNATURE, SCHEMA]));
  const task = await openTask(service, { scope: scopeOf(id) });
  const { callId } = await decide(service, task);
  const body = { taskId: task.taskId, result: { content: [], structuredContent: { any: 1 } } };
  const answer = await service.call('host', 'POST', `/v1/calls/${callId}/response`, body);
  assert.equal(expecting(200, answer).verdict, 'accepted');
});

test('a response that is judged while its exception is removed is judged again without it', async (t) => {
  const id = await withOutputSchema();
  expecting(200, await review(id, [SIGNATURE, SCHEMA]));
  const task = await openTask(service, { scope: scopeOf(id) });
  const { callId } = await decide(service, task);
  let removed = false;
  const { judge } = ContentDesk.prototype;
  t.after(() => (ContentDesk.prototype.judge = judge));
  ContentDesk.prototype.judge = async function (this: ContentDesk, ...asked: Parameters<typeof judge>) {
    const judged = await judge.apply(this, asked);
    if (!removed) expecting(200, await amend(id, { remove: [SCHEMA] }));
    removed = true;
    return judged;
  };
  const body = { taskId: task.taskId, result: { content: [], structuredContent: { any: 1 } } };
  const answer = expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, body));
  assert.equal(answer.verdict, 'rejected');
  assert.deepEqual(answer.findings, [
    { detector: 'output_schema/schema_refused', kind: 'schema', path: '/structuredContent', severity: 'high' },
  ]);
  assert.equal('content' in answer, false);
});

test('approving without the exceptions that a version needs is a 409 that names them, and records nothing', async () => {
  const id = unique('cap');
  await register(service, id, unproven());
  const end = await logEnd(service);
  for (const [given, needed] of [
    [[], [SERVER, SIGNATURE]],
    [[SIGNATURE], [SERVER]],
    [[SERVER], [SIGNATURE]],
  ]) {
    assert.deepEqual(refused(409, 'exception_required', await review(id, given ?? [])).needed, needed);
  }
  assert.equal(await logEnd(service), end);
  const { status } = expecting(200, await service.call('auditor', 'GET', `/v1/capabilities/${id}/versions/1.0.0`));
  assert.equal(status, 'pending');
  expecting(200, await review(id, [], 'rejected'));
});

test('amended exceptions decide at once, and stand in the history of the call', async () => {
  const id = await newCapability(service);
  const task = await openTask(service, { scope: scopeOf(id) });
  assert.equal((await decide(service, task)).decision, 'allow');
  const removed = expecting(200, await amend(id, { remove: [SIGNATURE], reason: 'a signed one is due' }));
  assert.deepEqual(removed.version.review.exceptions, []);
  assert.equal(removed.version.status, 'approved');
  const denied = await decide(service, task);
  assert.equal(denied.reason, SIGNATURE);
  const added = expecting(200, await amend(id, { add: [SIGNATURE] }));
  assert.deepEqual([added.version.review.exceptions, added.revision], [[SIGNATURE], removed.revision + 1]);
  assert.equal((await decide(service, task)).decision, 'allow');

  const again = expecting(200, await amend(id, { add: [SIGNATURE] }));
  assert.equal(again.revision, added.revision);
  const [first, second] = (await eventsOf(service, `capability-${id}`)).slice(-2);
  assert.deepEqual([first?.type, first?.actor], ['ExceptionsAmended', 'local-reviewer']);
  const subject = { capability: id, version: '1.0.0' };
  assert.deepEqual(first?.data, { ...subject, added: [], removed: [SIGNATURE], reason: 'a signed one is due' });
  assert.deepEqual(second?.data, { ...subject, added: [SIGNATURE], removed: [], reason: 'test' });

  const trace = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}`));
  const types = historyIn(trace, trace.calls.at(-1)).map(({ type }) => type);
  assert.equal(types.filter((type: string) => type === 'ExceptionsAmended').length, 2);
  const replay = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}/replay`));
  assert.equal(replay.identical, true);
  const listed = await service.call('auditor', 'GET', '/v1/audit/events?types=ExceptionsAmended&limit=1');
  assert.equal(expecting(200, listed).items[0].type, 'ExceptionsAmended');
});

test('exceptions are amended by a reviewer who is not the proposer, of an approved version, by known codes', async () => {
  const both = await addPrincipal(service, ['registrar', 'reviewer']);
  const own = unique('cap');
  expecting(201, await service.call(both, 'POST', '/v1/capabilities', registration(own)));
  refused(409, 'invalid_transition', await amend(own, { remove: [SIGNATURE] }));
  await approve(service, own);
  refused(403, 'self_review', await amend(own, { remove: [SIGNATURE] }, both));
  refused(403, 'forbidden', await amend(own, { remove: [SIGNATURE] }, 'operator'));
  for (const change of [
    {},
    { add: [] },
    { add: [SERVER] },
    { add: ['definition_drifted'] },
    { add: [SCHEMA] },
    { remove: ['schema_unenforced:'] },
    { remove: ['anything'] },
    { remove: ['definition_drifted'] },
    { add: [SIGNATURE], remove: [SIGNATURE] },
    { add: [SIGNATURE], exceptions: [] },
  ]) {
    refused(400, 'malformed_request', await amend(own, change));
  }
});

test('server_unauthenticated may be excepted for any effect, and the version shows that its trust is low', async () => {
  const id = await (async () => {
    const made = unique('cap');
    await register(service, made, unproven());
    expecting(200, await review(made, [SIGNATURE, SERVER]));
    return made;
  })();
  const shown = expecting(200, await service.call('auditor', 'GET', `/v1/capabilities/${id}`));
  assert.equal(shown.versions[0].trust, 'low');
  const task = await openTask(service, { scope: scopeOf(id) });
  const allowed = await decide(service, task, {
    operation: 'store',
    observed: {
      definitionDigest: task.pins[0].definitionDigest,
      server: { method: 'none' },
    },
  });
  assert.equal(allowed.decision, 'allow');
  const trace = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}`));
  assert.equal(trace.calls[0].registry.trust, 'low');

  const proven = await newCapability(service);
  const other = expecting(200, await service.call('auditor', 'GET', `/v1/capabilities/${proven}`));
  assert.equal('trust' in other.versions[0], false);
});

test('a version of low trust is never the default for restricted data, and can be pinned by name', async () => {
  const id = unique('cap');
  await register(service, id, unproven({ sensitivity: 'restricted' }));
  expecting(200, await review(id, [SIGNATURE, SERVER]));
  const open = (more: Record<string, unknown> = {}) => openTask(service, { scope: scopeOf(id, more) });
  assert.deepEqual((await open()).unresolved, [{ capability: id, reason: SERVER }]);
  const [pin] = (await open({ version: '1.0.0' })).pins;
  assert.equal(pin.version, '1.0.0');
  await newVersion(service, id, proposal('2.0.0'));
  expecting(
    201,
    await service.call(
      'registrar',
      'POST',
      `/v1/capabilities/${id}/versions`,
      unproven({ sensitivity: 'restricted' }, '3.0.0'),
    ),
  );
  await approve(service, id, '3.0.0', [SIGNATURE, SERVER]);
  assert.equal((await open()).pins[0].version, '2.0.0');
});
