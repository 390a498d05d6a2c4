import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { addPrincipal } from '../support/actors.js';
import { addApprover, decideApproval, taint } from '../support/approvals.js';
import { decide } from '../support/calls.js';
import { movableClock } from '../support/clock.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, ALLOW_ALL, expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

const clock = movableClock();
let service: TestService;
before(async () => {
  service = await startService({ clock, env: { SALLYPORT_PUBLIC_URL: 'https://pdp.example' } });
  await readyWorld(service);
});
after(() => service.stop());

const store = { operation: 'store', arguments: { key: 'a', text: 'b' } };
const guarded = (by: string, more: Record<string, unknown> = {}) =>
  openTask(service, { approve: { effects: ['write'], by }, ...more });
const outcome = ({ decision, reason }: Answered) => [decision, reason];
const REQUIRED = ['deny', 'approval_required'];
const OK = ['allow', 'ok'];
const approvalOf = async (who: Answered, id: string, query = '') =>
  service.call(who, 'GET', `/v1/approvals/${id}${query}`);

/** A call that needs an approval, and the id of that. */
async function asked(by = 'other', call: Record<string, unknown> = store): Promise<{ task: Answered; id: string }> {
  const task = await guarded(by);
  const answer = await decide(service, task, call);
  assert.deepEqual(outcome(answer), REQUIRED);
  return { task, id: answer.approval.id };
}

test('a task may ask for approvals of its own, and the deny names the approval', async () => {
  const task = await guarded('other');
  assert.deepEqual(outcome(await decide(service, task)), OK, 'a read has no such effect');
  const answer = await decide(service, task, { ...store, explain: true });
  assert.deepEqual(outcome(answer), REQUIRED);
  assert.deepEqual(answer.obligations, ['request_approval']);
  const { id, expiresAt, ...shown } = answer.approval;
  const url = `https://pdp.example/v1/approvals/${id}`;
  assert.deepEqual(shown, { state: 'pending', by: 'other', why: ['task'], url });
  assert.deepEqual(answer.checks.at(-1), {
    check: 'approval',
    outcome: 'fail',
    evidence: { by: 'other', why: ['task'] },
  });
  const events = (await eventsOf(service, `calls-${task.taskId}`)).slice(-2);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['ApprovalRequested', 'CallDecided'],
  );
  assert.equal(events[0]?.data.expiresAt, expiresAt);
  assert.equal(events[1]?.data.approval, id);
  assert.equal(Date.parse(expiresAt) - Date.parse(events[0]?.time ?? ''), 600_000);
  const written = JSON.stringify(events.map(({ data }) => data));
  assert.doesNotMatch(written, /"text"/, 'no content is in an event');
});

test('a call without a need passes, and says so', async () => {
  const task = await openTask(service);
  const { checks } = await decide(service, task, { ...store, explain: true });
  assert.deepEqual(
    checks.find(({ check }: Answered) => check === 'approval'),
    {
      check: 'approval',
      outcome: 'pass',
      evidence: { required: false },
    },
  );
  refused(
    400,
    'malformed_request',
    await service.call('host', 'POST', '/v1/tasks', { approve: { effects: [], by: 'user' } }),
  );
});

test('a grant lets exactly one call through, and the allow names it', async () => {
  const { task, id } = await asked();
  const decided = expecting(200, await decideApproval(service, 'approver', id, 'granted', 'I asked for it'));
  assert.equal(decided.state, 'granted');
  const callId = randomUUID();
  const allowed = await decide(service, task, { ...store, callId, explain: true });
  assert.deepEqual(outcome(allowed), OK);
  assert.deepEqual(allowed.checks.find(({ check }: Answered) => check === 'approval').evidence, {
    approval: id,
    by: 'other',
    decidedBy: 'local-approver',
    why: ['task'],
  });
  const { url: _, expiresAt: __, ...shown } = allowed.approval;
  assert.deepEqual(shown, { id, state: 'used', by: 'other', why: ['task'] });
  assert.deepEqual(await decide(service, task, { ...store, callId, explain: true }), allowed, 'the recorded allow');
  const again = await decide(service, task, store);
  assert.deepEqual(outcome(again), REQUIRED);
  assert.notEqual(again.approval.id, id);
  assert.equal((await approvalOf('auditor', id)).body.state, 'used');
  const events = await eventsOf(service, `calls-${task.taskId}`);
  assert.deepEqual(
    events.filter(({ data }) => data.decision === 'allow').map(({ data }) => data.approval),
    [id],
  );
});

test('two calls that race for one grant do not both get it', async () => {
  const { task, id } = await asked();
  expecting(200, await decideApproval(service, 'approver', id, 'granted'));
  const answers = await Promise.all(Array.from({ length: 8 }, () => decide(service, task, store)));
  assert.equal(answers.filter(({ decision }) => decision === 'allow').length, 1);
  assert.ok(answers.every(({ reason }) => reason === 'ok' || reason === 'approval_required'));
});

test('repeats and further calls of a pending content ask for no second approval', async () => {
  const { task, id } = await asked();
  for (let time = 0; time < 3; time += 1) assert.equal((await decide(service, task, store)).approval.id, id);
  const events = await eventsOf(service, `calls-${task.taskId}`);
  assert.equal(events.filter(({ type }) => type === 'ApprovalRequested').length, 1);
});

test('an approval is for exactly its content', async () => {
  const { task, id } = await asked();
  expecting(200, await decideApproval(service, 'approver', id, 'granted'));
  const others: Record<string, unknown>[] = [
    { ...store, arguments: { key: 'a', text: 'B' } },
    { ...store, arguments: { key: 'a', text: 'b', more: null } },
    { ...store, context: [{ id: 'c', source: 'chat', content: 'x' }] },
    // With a label, less of the content leaves.
    { ...store, labels: [{ path: '/text', level: 'restricted' }] },
  ];
  for (const other of others) {
    const answer = await decide(service, task, other);
    assert.deepEqual(outcome(answer), REQUIRED);
    assert.notEqual(answer.approval.id, id);
  }
  assert.deepEqual(outcome(await decide(service, await guarded('other'), store)), REQUIRED, 'another task');
  const reordered = { ...store, arguments: { text: 'b', key: 'a' } };
  assert.deepEqual(outcome(await decide(service, task, reordered)), OK, 'the order of members is no content');
});

test('a denial refuses the content until it expires', async () => {
  const { task, id } = await asked();
  assert.equal(expecting(200, await decideApproval(service, 'approver', id, 'denied', 'not that')).state, 'denied');
  const answer = await decide(service, task, store);
  assert.deepEqual(outcome(answer), ['deny', 'approval_denied']);
  assert.deepEqual([answer.approval.id, answer.approval.state, answer.obligations], [id, 'denied', []]);
  assert.deepEqual(outcome(await decide(service, task, { ...store, arguments: { key: 'z' } })), REQUIRED);
  clock.advance(600_000);
  const later = await decide(service, task, store);
  assert.deepEqual(outcome(later), REQUIRED);
  assert.notEqual(later.approval.id, id);
});

test('an approval and its grant expire together', async () => {
  const pending = await asked();
  const granted = await asked();
  expecting(200, await decideApproval(service, 'approver', granted.id, 'granted'));
  clock.advance(600_000);
  assert.deepEqual(outcome(await decide(service, granted.task, store)), REQUIRED);
  assert.equal((await approvalOf('auditor', granted.id)).body.state, 'expired');
  refused(409, 'invalid_transition', await decideApproval(service, 'approver', pending.id, 'granted'));
});

test('the user of the task, and nobody else, grants what needs the user', async () => {
  const { task, id } = await asked('user');
  refused(403, 'forbidden', await decideApproval(service, 'approver', id, 'granted'));
  refused(403, 'forbidden', await decideApproval(service, await addApprover(service), id, 'granted'));
  refused(403, 'forbidden', await decideApproval(service, await addApprover(service, 'ADA'), id, 'granted'));
  const ada = await addApprover(service, 'ada');
  assert.equal(expecting(200, await decideApproval(service, ada, id, 'granted')).state, 'granted');
  assert.deepEqual(outcome(await decide(service, task, store)), OK);
});

test('somebody else than the user grants what needs somebody else', async () => {
  const { task, id } = await asked('other');
  refused(403, 'forbidden', await decideApproval(service, await addApprover(service, 'ada'), id, 'granted'));
  refused(403, 'forbidden', await decideApproval(service, await addApprover(service), id, 'granted'));
  expecting(200, await decideApproval(service, await addApprover(service, 'bob'), id, 'granted'));
  assert.deepEqual(outcome(await decide(service, task, store)), OK);
});

test('any approver may deny, except the host of the task', async () => {
  const both = await addApprover(service, 'bob', ['approver', 'host']);
  const task = await openTask(service, { approve: { effects: ['write'], by: 'other' } }, both);
  const { approval } = await decide(service, task, store, both);
  for (const verdict of ['granted', 'denied'] as const)
    refused(403, 'forbidden', await decideApproval(service, both, approval.id, verdict));
  expecting(200, await decideApproval(service, await addApprover(service), approval.id, 'denied'));
});

test("the host's word is enough for a client, once and in time", async () => {
  const task = await guarded('client');
  const answer = await decide(service, task, store);
  assert.deepEqual([outcome(answer), answer.approval.by], [REQUIRED, 'client']);
  const at = new Date(clock.wallMs()).toISOString();
  const word = (when: string) => ({ ...store, approval: { grade: 'client', at: when }, explain: true });
  const old = new Date(clock.wallMs() - 600_000).toISOString();
  const future = new Date(clock.wallMs() + 60_000).toISOString();
  for (const when of [old, future]) assert.deepEqual(outcome(await decide(service, task, word(when))), REQUIRED);
  const allowed = await decide(service, task, word(at));
  assert.deepEqual(outcome(allowed), OK);
  const { evidence } = allowed.checks.find(({ check }: Answered) => check === 'approval');
  assert.deepEqual(evidence, { required: ['task'], by: 'client', at });
  assert.deepEqual(outcome(await decide(service, task, word(at))), REQUIRED, 'the same word again');
  const body = { ...store, approval: { grade: 'user', at }, taskId: task.taskId };
  refused(400, 'malformed_request', await service.call('host', 'POST', '/v1/calls/authorize', body));
  const higher = await guarded('user');
  assert.deepEqual(outcome(await decide(service, higher, word(at))), REQUIRED, 'it is not the word of a human');
});

test('after a quarantined response the user approves everything but reading', async () => {
  const task = await openTask(service);
  await taint(service, task);
  assert.deepEqual(outcome(await decide(service, task)), OK);
  const answer = await decide(service, task, store);
  assert.deepEqual([outcome(answer), answer.approval.by, answer.approval.why], [REQUIRED, 'user', ['tainted']]);
  expecting(200, await decideApproval(service, await addApprover(service, 'ada'), answer.approval.id, 'granted'));
  assert.deepEqual(outcome(await decide(service, task, store)), OK);
  const other = await openTask(service);
  assert.deepEqual(outcome(await decide(service, other, store)), OK, 'another task is clean');
});

test('a grant from before a quarantined response is none after it: the approver did not know of the taint', async () => {
  const { task, id } = await asked('other');
  expecting(200, await decideApproval(service, 'approver', id, 'granted'));
  await taint(service, task);
  const answer = await decide(service, task, store);
  assert.deepEqual(outcome(answer), REQUIRED);
  assert.notEqual(answer.approval.id, id);
  assert.deepEqual(answer.approval.why, ['tainted', 'task']);
  expecting(200, await decideApproval(service, 'approver', answer.approval.id, 'granted'));
  assert.deepEqual(outcome(await decide(service, task, store)), OK);
});

test('permits ask for approvals: the highest grade of all that determine counts', async () => {
  const cedar = `${ALLOW_ALL}
@id("ask") @approval("client") permit(principal, action == Action::"write", resource);
@id("ask-more") @approval("other") permit(principal, action == Action::"write", resource)
  when { context.arguments has secret };
@id("never") @approval("other") permit(principal, action == Action::"read", resource) when { false };`;
  await activatePolicy(service, cedar);
  try {
    const task = await openTask(service);
    assert.deepEqual(outcome(await decide(service, task)), OK);
    const low = await decide(service, task, store);
    assert.deepEqual([low.approval.by, low.approval.why, low.rule], ['client', ['policy'], 'ask']);
    const high = await decide(service, task, { ...store, arguments: { secret: 'x' } });
    assert.deepEqual([high.approval.by, high.rule], ['other', 'ask, ask-more']);
    await taint(service, task);
    const both = await decide(service, task, { ...store, arguments: { key: 'y' } });
    assert.deepEqual([both.approval.by, both.approval.why], ['user', ['tainted', 'policy']]);
  } finally {
    await activatePolicy(service);
  }
});

test('a set with an unknown grade, or a forbid that asks for an approval, is refused at its place', async () => {
  for (const [cedar, place] of [
    [
      'permit(principal, action, resource);\n@approval("boss") permit(principal, action, resource);',
      'line 2, column 1',
    ],
    ['@id("x") @approval permit(principal, action, resource);', 'line 1, column 10'],
    ['@approval("user") forbid(principal, action, resource);', 'line 1, column 1'],
  ]) {
    const answer = await service.call('registrar', 'POST', '/v1/policies/default', { cedar, reason: 'test' });
    const { errors } = refused(400, 'malformed_request', answer);
    assert.match(JSON.stringify(errors), new RegExp(`${place}: .*approval`));
  }
});

test('deciding twice: the same verdict changes nothing, another one is refused', async () => {
  const { task, id } = await asked();
  const first = expecting(200, await decideApproval(service, 'approver', id, 'granted'));
  assert.deepEqual(
    [first.state, expecting(200, await decideApproval(service, 'approver', id, 'granted')).state],
    ['granted', 'granted'],
  );
  refused(409, 'invalid_transition', await decideApproval(service, 'approver', id, 'denied'));
  const events = await eventsOf(service, `calls-${task.taskId}`);
  assert.equal(events.filter(({ type }) => type === 'ApprovalDecided').length, 1);
  refused(404, 'not_found', await decideApproval(service, 'approver', randomUUID(), 'granted'));
});

test('an approval of a task that has ended is decided no more', async () => {
  const { task, id } = await asked();
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${task.taskId}/close`));
  refused(409, 'invalid_transition', await decideApproval(service, 'approver', id, 'granted'));
});

test('approvers and auditors list approvals, and approvers alone see the content', async () => {
  const { task, id } = await asked();
  const path = `/v1/approvals?task=${task.taskId}`;
  const { items } = expecting(200, await service.call('approver', 'GET', path));
  const [{ requestedAt, expiresAt, traceId, callId, ...item }] = items;
  assert.ok([requestedAt, expiresAt, traceId, callId].every((text) => typeof text === 'string'));
  assert.deepEqual(
    [items.length, item],
    [
      1,
      {
        id,
        taskId: task.taskId,
        host: 'local-host',
        agent: 'assistant',
        user: 'ada',
        capability: 'memory',
        version: '1.0.0',
        operation: 'store',
        effects: ['write'],
        by: 'other',
        why: ['task'],
        arguments: store.arguments,
        context: [],
        outbound: { redactions: [], refusals: [] },
        state: 'pending',
        taskStatus: 'open',
      },
    ],
  );
  const facts = expecting(200, await service.call('auditor', 'GET', path)).items;
  assert.deepEqual(
    facts.map((each: Answered) => 'arguments' in each),
    [false],
  );
  expecting(200, await decideApproval(service, 'approver', id, 'granted', 'as agreed'));
  const states = async (state: string) =>
    expecting(200, await service.call('auditor', 'GET', `${path}&capability=memory&state=${state}`)).items.length;
  assert.deepEqual(await Promise.all(['pending', 'granted', 'denied', 'expired', 'used'].map(states)), [0, 1, 0, 0, 0]);
  const one = expecting(200, await approvalOf('auditor', id));
  assert.deepEqual([one.state, one.decidedBy, one.reason], ['granted', 'local-approver', 'as agreed']);
  const page = expecting(200, await service.call('auditor', 'GET', '/v1/approvals?limit=2'));
  const next = expecting(200, await service.call('auditor', 'GET', `/v1/approvals?limit=2&cursor=${page.next}`));
  const ids = [...page.items, ...next.items].map((each: Answered) => each.id);
  assert.equal(new Set(ids).size, 4);
});

test('the host of the task waits for the decision, and another host sees nothing', async () => {
  const { id } = await asked();
  refused(404, 'not_found', await approvalOf(await addPrincipal(service, ['host']), id));
  refused(404, 'not_found', await approvalOf('host', randomUUID()));
  refused(400, 'malformed_request', await approvalOf('host', id, '?waitMs=25001'));
  const early = expecting(200, await approvalOf('host', id, '?waitMs=1'));
  assert.deepEqual([early.state, 'arguments' in early], ['pending', false]);
  const waiting = approvalOf('host', id, '?waitMs=20000');
  expecting(200, await decideApproval(service, 'approver', id, 'granted'));
  assert.equal((await waiting).body.state, 'granted');
});

test('the evidence of a call names the approval that it used, and the replay is identical', async () => {
  const task = await guarded('other');
  await taint(service, task);
  const { approval } = await decide(service, task, store);
  expecting(200, await decideApproval(service, await addApprover(service, 'bob'), approval.id, 'granted'));
  const { callId } = await decide(service, task, store);
  await decide(service, task, store);
  const told = { taskId: task.taskId, status: 'succeeded', control: { decision: 'sent', by: 'ui' } };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/outcome`, told));
  const call = expecting(200, await service.call('auditor', 'GET', `/v1/audit/calls/${callId}`));
  const { at, by, ...given } = call.outcome.control.approval;
  assert.deepEqual(given, { id: approval.id, decision: 'granted', grade: 'other' });
  assert.deepEqual([call.outcome.control.decision, typeof at, by.startsWith('approver-')], ['sent', 'string', true]);
  const replay = `/v1/audit/traces/${task.traceId}/replay`;
  const same = async () =>
    expecting(200, await service.call('auditor', 'GET', replay)).calls.map(({ identical }: Answered) => identical);
  assert.deepEqual(await same(), [true, true, true, true]);
  expecting(200, await service.call('admin', 'POST', `/v1/tasks/${task.taskId}/shred`, { reason: 'test' }));
  assert.deepEqual(await same(), ['shredded', 'shredded', 'shredded', 'shredded']);
  const [item] = expecting(
    200,
    await service.call('approver', 'GET', `/v1/approvals?task=${task.taskId}&state=used`),
  ).items;
  for (const name of ['arguments', 'context', 'outbound']) assert.equal(item[name], 'shredded', name);
});
