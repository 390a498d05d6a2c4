import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { callsDecider } from '../calls/decider.js';
import type { ApprovalRequested, ResponseValidated } from '../calls/events.js';
import { EventTooLarge } from '../event-log/batch.js';
import { LogUnavailable, type Batch } from '../event-log/port.js';
import type { SettledLog, SettledOutcome } from '../event-log/settled.js';
import type { TaskState } from '../task/decider.js';
import { at, callDecided, digest, uuid } from '../../test/support/given.js';
import { sealFact } from '../streams/facts.js';
import { seenResponse } from './seen.js';
import { readEarlier } from './earlier-content.js';
import type { ContentDesk } from './content-desk.js';
import { TaskLane } from './task-lane.js';
import { test } from '../../test/support/testing.js';

const laneOf = (): TaskLane =>
  new TaskLane(
    { taskId: uuid(9), counted: new Map(), closed: false } as unknown as TaskState,
    1,
    callsDecider.initialState(),
    { purpose: '', attributes: {} },
    createSecretKey(Buffer.alloc(32)),
    1n,
    1000,
  );

/** The next decision on a lane, with `evidence` characters of evidence. */
function decision(lane: TaskLane, evidence: number): Batch {
  const decided = callDecided('deny', { observed: { server: { method: 'package', command: 'x'.repeat(evidence) } } });
  const stream = lane.callsStream;
  const expected = lane.calls.revision;
  const fact = { type: 'CallDecided', data: decided, actor: 'hank', time: at(0) };
  return { writes: [{ stream, expected, events: [sealFact(stream, expected + 1, fact)] }], checks: [] };
}

const answering = (append: () => Promise<SettledOutcome>) => ({ append }) as unknown as SettledLog;
const refusing = answering(async () => ({ kind: 'refused', violations: [] }));
const throwing = (error: Error) =>
  answering(async () => {
    throw error;
  });

test('what was refused is taken back, with its weight, and lends nothing to what comes next', async () => {
  const lane = laneOf();
  await lane.send(refusing, decision(lane, 4000));
  assert.ok(lane.bytes > 5000);
  const next = lane.rewound();
  assert.deepEqual([next?.bytes, next?.calls.revision], [1000, 0]);
  const committing = answering(async () => ({ kind: 'committed', position: 2n }));
  if (next !== undefined) await next.send(committing, decision(next, 4000));
  assert.ok((next?.bytes ?? 0) > 5000);
});

test('what is too large was never sent: the lane knows what the log says, which it does not after another failure', async () => {
  const lane = laneOf();
  await assert.rejects(lane.send(throwing(new EventTooLarge('too large')), decision(lane, 1)), EventTooLarge);
  assert.equal(lane.rewound()?.calls.revision, 0);
  const other = laneOf();
  await assert.rejects(other.send(throwing(new LogUnavailable('away')), decision(other, 1)), LogUnavailable);
  assert.equal(other.rewound(), undefined);
});

const REQUESTED: ApprovalRequested = {
  approvalId: uuid(90),
  callId: uuid(1),
  taskId: uuid(9),
  capability: 'memory',
  version: '1',
  operation: 'store',
  effects: ['write'],
  contentDigest: digest('content'),
  grade: 'user',
  why: ['tainted'],
  expiresAt: at(60),
};
const WORD = { at: at(0), contentDigest: digest('content') };
const requested = { type: 'ApprovalRequested', data: REQUESTED };
const verdict = { approvalId: uuid(90), callId: uuid(1), taskId: uuid(9), verdict: 'granted', grade: 'user' };
const allowed = { type: 'CallDecided', data: callDecided('allow', { approval: uuid(90), expiresAt: at(60) }) };
const poisoned = {
  callId: uuid(1),
  taskId: uuid(9),
  attempt: 1,
  verdict: 'quarantined',
  handling: 'quote',
} as unknown as ResponseValidated;

/** The facts that the next decision of a lane may rest on, apart from labels, which stay. */
const known = ({ calls }: TaskLane) => ({
  approvals: structuredClone(calls.approvals),
  taintedAt: calls.taintedAt,
});

test('a refused request, verdict, use, word or taint lends nothing to the next decision', async () => {
  const committing = answering(async () => ({ kind: 'committed', position: 2n }));
  const granted = [requested, { type: 'ApprovalDecided', data: verdict }];
  type Facts = readonly { readonly type: string; readonly data: object }[];
  const refusals: readonly [string, Facts, Facts][] = [
    ['a request', [], [requested]],
    ['a second request', [requested], [{ ...requested, data: { ...REQUESTED, approvalId: uuid(91) } }]],
    ['a verdict', [requested], granted.slice(1)],
    ['a use', granted, [allowed]],
    ['a word', [], [{ type: 'CallDecided', data: callDecided('allow', { inputs: { clientApproval: WORD } }) }]],
    ['a taint', [allowed], [{ type: 'ResponseValidated', data: poisoned }]],
  ];
  for (const [name, before, refused] of refusals) {
    const lane = laneOf();
    await lane.send(committing, batchOf(lane, before));
    const expected = known(lane);
    await lane.send(refusing, batchOf(lane, refused));
    assert.notDeepEqual(known(lane), expected, `${name} is known ahead of the log`);
    assert.deepEqual(known(lane.rewound() ?? assert.fail()), expected, name);
  }
});

function batchOf(lane: TaskLane, facts: readonly { readonly type: string; readonly data: object }[]): Batch {
  const { callsStream: stream } = lane;
  const expected = lane.calls.revision;
  const events = facts.map((fact, index) =>
    sealFact(stream, expected + 1 + index, { ...fact, actor: 'hank', time: at(0) }),
  );
  return { writes: [{ stream, expected, events }], checks: [] };
}

test('labels that earlier content brings while an append is in flight stay after its refusal', async () => {
  const RESTRICTED = { level: 'restricted', categories: [] } as const;
  const stream = laneOf().callsStream;
  const unread = [{ stream, revision: 1, callId: 'earlier', label: RESTRICTED }];
  const { task, taskRevision, calls, content, key, position, flow } = laneOf();
  const lane = new TaskLane(task, taskRevision, calls, content, key, position, 1000, flow, unread);
  assert.ok(lane.bytes > 1100, 'content that is not read yet counts');
  const append = Promise.withResolvers<SettledOutcome>();
  const printed = Float64Array.of(1, 2);
  const seen = seenResponse('later', { level: 'internal', categories: [] }, printed);
  const sent = lane.send(
    answering(() => append.promise),
    decision(lane, 1),
    seen,
  );
  let reads = 0;
  const log = { payloads: async () => [new Uint8Array(1)] };
  const desk = {
    earlier: async () => {
      reads += 1;
      return [{ response: printed }];
    },
  } as unknown as ContentDesk;
  await Promise.all([readEarlier(lane, log, desk), readEarlier(lane, log, desk)]);
  assert.equal(reads, 1, 'all who wait share one reading');
  append.resolve({ kind: 'refused', violations: [] });
  await sent;
  const next = lane.rewound();
  assert.deepEqual(next?.unread, []);
  assert.deepEqual(next.flow.repeatedBy(printed)[0]?.label, RESTRICTED);
});

test('the label of a response that was not printed makes the task full, and counts', async () => {
  const lane = laneOf();
  const committing = answering(async () => ({ kind: 'committed', position: 2n }));
  const seen = seenResponse('call', { level: 'internal', categories: ['financial'] }, undefined);
  await lane.send(committing, { writes: [], checks: [] }, seen);
  assert.equal(lane.flow.full, true);
  assert.ok(lane.bytes > 1100);
});
