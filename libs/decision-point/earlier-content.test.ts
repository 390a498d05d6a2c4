import assert from 'node:assert/strict';
import type { ContextFiltered } from '../calls/events.js';
import { sealFact } from '../streams/facts.js';
import { at, callDecided, digest, uuid } from '../../test/support/given.js';
import { test } from '../../test/support/testing.js';
import { earlierContent } from './earlier-content.js';

/** The content that a task has seen, as its events say. */

const filtered: ContextFiltered = {
  attempt: 1,
  attestedBy: 'hank',
  callId: uuid(1),
  taskId: uuid(9),
  capability: 'memory',
  operation: 'recall',
  version: '1.0.0',
  pack: digest('pack'),
  redactions: [],
  refusals: [],
  labels: [],
  items: [{ path: '/context/0', bytes: 1, level: 'internal', categories: [], sent: true }],
};

function flowOf(decision: 'allow' | 'deny', contextItems: number) {
  const decided = callDecided(decision, {
    filtered: true,
    contextItems,
    ...(decision === 'allow' ? { expiresAt: at(2), version: '1.0.0' } : {}),
  });
  const stream = `calls-${uuid(9)}`;
  const facts = [
    { type: 'ContextFiltered', data: filtered, actor: 'hank', time: at(1) },
    { type: 'CallDecided', data: decided, actor: 'hank', time: at(1) },
  ] as const;
  const events = facts.map((fact, index) => ({ ...sealFact(stream, index + 1, fact), stream, revision: index + 1 }));
  return earlierContent({ capability: () => assert.fail() }, events as never).flow;
}

test('a record with all its items says what the task has seen', () => {
  const flow = flowOf('allow', 1);
  assert.deepEqual([flow.full, flow.highWater.level, flow.highestOffered.level], [false, 'internal', 'internal']);
});

test('a record that lacks items may have held anything', () => {
  const allowed = flowOf('allow', 300);
  assert.deepEqual([allowed.full, allowed.highWater.level], [true, 'restricted']);
  const denied = flowOf('deny', 300);
  assert.deepEqual([denied.full, denied.highWater.level, denied.highestOffered.level], [false, 'public', 'restricted']);
});
