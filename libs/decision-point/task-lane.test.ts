import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { callsDecider } from '../calls/decider.js';
import { EventTooLarge } from '../event-log/batch.js';
import { LogUnavailable, type Batch } from '../event-log/port.js';
import type { SettledLog, SettledOutcome } from '../event-log/settled.js';
import type { TaskState } from '../task/decider.js';
import { at, callDecided, uuid } from '../../test/support/given.js';
import { sealFact } from '../streams/facts.js';
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
