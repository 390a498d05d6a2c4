import assert from 'node:assert/strict';
import { contentDigestOf, type Approval } from '../calls/approvals.js';
import type { ApprovalRequested, FlowLabel } from '../calls/events.js';
import { decideIn, type World } from '../../test/support/decision-world.js';
import { at, digest, uuid } from '../../test/support/given.js';
import { test } from '../../test/support/testing.js';

const REQUESTED: ApprovalRequested = {
  approvalId: uuid(90),
  callId: uuid(91),
  taskId: uuid(1),
  capability: 'memory',
  version: '1',
  operation: 'copy',
  effects: ['read', 'write'],
  contentDigest: digest('content'),
  grade: 'other',
  why: ['task'],
  expiresAt: at(60),
};
const approval = (more: Partial<Approval> = {}, requested: Partial<ApprovalRequested> = {}): Approval => ({
  requested: { ...REQUESTED, ...requested },
  requestedAt: at(0),
  ...more,
});
const decided = (verdict: 'granted' | 'denied', grade: 'user' | 'other' = 'other') => ({
  data: { approvalId: uuid(90), callId: uuid(91), taskId: uuid(1), verdict, grade },
  by: 'anna',
  at: at(0),
});
const writes = (made: World) => (made.call.operation = 'copy');
const asks = (made: World, by = 'other') => {
  writes(made);
  Object.assign(made.task ?? {}, { approve: { effects: ['write'], by } });
};
const check = (change: (made: World) => void) => {
  const { reason, approval: id, checks, need } = decideIn(change);
  return { reason, id, need, evidence: checks.find((each) => each.check === 'approval')?.evidence };
};

test('each cause asks for its grade, and only for the effects that it is about', () => {
  assert.deepEqual(check(writes).evidence, { required: false });
  const tainted = (made: World) => (made.calls.taintedAt = at(0));
  assert.deepEqual(check(tainted).evidence, { required: false }, 'a reading');
  const flow =
    (level: FlowLabel['level'], source = 'task') =>
    (made: World) => {
      made.call.inputs = { flow: [{ path: '/arguments/0', level, categories: [], source }] };
    };
  const policy = (made: World) =>
    (made.authority = { outcome: 'allow', determining: ['p', 'q'], approval: { by: 'client', rules: ['q'] } });
  const cases: readonly [string, object, (made: World) => void][] = [
    ['tainted', { by: 'user', why: ['tainted'] }, (made) => (writes(made), tainted(made))],
    ['policy', { by: 'client', why: ['policy'], rule: 'q' }, policy],
    ['task', { by: 'user', why: ['task'] }, (made) => asks(made, 'user')],
    ['flow', { by: 'other', why: ['flow'] }, flow('confidential')],
    [
      'all',
      { by: 'other', why: ['tainted', 'policy', 'task', 'flow'], rule: 'q' },
      (made) => {
        asks(made, 'user');
        tainted(made);
        policy(made);
        flow('restricted')(made);
      },
    ],
  ];
  for (const [name, evidence, change] of cases) {
    const found = check(change);
    assert.deepEqual([found.reason, found.evidence], ['approval_required', evidence], name);
  }
  assert.deepEqual(check(flow('internal')).evidence, { required: false }, 'not above the sensitivity');
  assert.deepEqual(check(flow('restricted', 'item-1')).evidence, { required: false }, 'a value that was repeated');
});

test('an approval counts for a need that is no higher, while it lasts, and for one call', () => {
  const under = (found: Approval, by = 'other') =>
    check((made) => {
      asks(made, by);
      made.calls.approvalOf = () => found;
    });
  const granted = approval({ decided: decided('granted') });
  assert.deepEqual(under(granted).evidence, { by: 'other', why: ['task'], approval: uuid(90), decidedBy: 'anna' });
  assert.equal(under(granted, 'user').reason, 'ok', 'a higher grade than needed');
  assert.equal(under(approval({ decided: decided('granted', 'user') }, { grade: 'user' })).reason, 'approval_required');
  assert.deepEqual([under(approval()).reason, under(approval()).id], ['approval_required', uuid(90)]);
  const over = approval({ decided: decided('granted') }, { expiresAt: at(1) });
  assert.deepEqual([under(over).reason, under(over).id], ['approval_required', undefined]);
  const use = (callId: string, until: string) => approval({ decided: decided('granted'), use: { callId, until } });
  assert.equal(under(use(uuid(2), at(60))).reason, 'ok', 'its own call, while the allow holds');
  assert.equal(under(use(uuid(2), at(1))).reason, 'approval_required', 'its own call, later');
  assert.equal(under(use(uuid(3), at(60))).reason, 'approval_required', 'another call');
  assert.equal(under(approval({ decided: decided('denied') })).reason, 'approval_denied');
  assert.equal(under(approval({ decided: decided('denied') }, { expiresAt: at(1) })).reason, 'approval_required');
});

test('a word of the client never stands in for a human', () => {
  const word = (found: Approval, by = 'client') =>
    check((made) => {
      asks(made, by);
      made.call.inputs = { clientApproval: { at: at(0), contentDigest: digest('content') } };
      made.calls.approvalOf = () => found;
    });
  const named = (grade: ApprovalRequested['grade']) => [
    word(approval({}, { grade })).reason,
    word(approval({}, { grade })).id,
  ];
  assert.deepEqual(named('client'), ['ok', uuid(90)]);
  assert.deepEqual(named('user'), ['ok', undefined], 'the approval waits on for the user');
  assert.deepEqual(named('other'), ['ok', undefined]);
  const use = { callId: uuid(2), until: at(60) };
  const unasked = word(approval({ use }, { grade: 'user' }), 'user');
  assert.equal(unasked.reason, 'approval_required', 'nobody has granted what its own call used');
  assert.equal(word(approval({ use, decided: decided('granted', 'user') }), 'other').reason, 'approval_required');
  const granted = word(approval({ use, decided: decided('granted', 'user') }, { grade: 'user' }), 'user');
  assert.equal(granted.reason, 'ok', 'the user has');
});

test('the digest of a content changes with each of its parts', () => {
  const key = Buffer.alloc(32, 1);
  const content = { capability: 'c', version: '1', operation: 'o', arguments: { a: 1 }, context: [{ id: 'x' }] };
  const others = [
    { ...content, capability: 'd' },
    { ...content, version: '2' },
    { ...content, operation: 'p' },
    { ...content, arguments: { a: 2 } },
    { ...content, context: [] },
    { ...content, context: [{ id: 'x' }, { id: 'x' }] },
  ];
  const digests = [content, ...others].map((each) => contentDigestOf(key, each));
  assert.equal(new Set([...digests, contentDigestOf(Buffer.alloc(32, 2), content)]).size, others.length + 2);
  const more = { ...content, callId: uuid(1), labels: [] };
  assert.equal(contentDigestOf(key, more), digests[0], 'nothing else counts');
});
