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
import { TaskLane, type Seen } from './task-lane.js';
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

/** What the next decision of a lane may rest on. */
const known = ({ calls, responseLabels, flow }: TaskLane) => ({
  approvals: structuredClone(calls.approvals),
  taintedAt: calls.taintedAt,
  labels: [...responseLabels],
  level: flow.highWater,
});

test('a refused request, verdict, use, word, taint or delivery lends nothing to the next decision', async () => {
  const committing = answering(async () => ({ kind: 'committed', position: 2n }));
  const granted = [requested, { type: 'ApprovalDecided', data: verdict }];
  const label = { level: 'restricted', categories: [] } as const;
  type Facts = readonly { readonly type: string; readonly data: object }[];
  const refusals: readonly [string, Facts, Facts, Seen?][] = [
    ['a request', [], [requested]],
    ['a second request', [requested], [{ ...requested, data: { ...REQUESTED, approvalId: uuid(91) } }]],
    ['a verdict', [requested], granted.slice(1)],
    ['a use', granted, [allowed]],
    ['a word', [], [{ type: 'CallDecided', data: callDecided('allow', { inputs: { clientApproval: WORD } }) }]],
    ['a taint', [allowed], [{ type: 'ResponseValidated', data: poisoned }]],
    ['a delivery', [allowed], [], seenResponse(uuid(1), label, new Float64Array([1, 2]))],
  ];
  for (const [name, before, refused, beside] of refusals) {
    const lane = laneOf();
    await lane.send(committing, batchOf(lane, before));
    const expected = known(lane);
    await lane.send(refusing, batchOf(lane, refused), beside);
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
