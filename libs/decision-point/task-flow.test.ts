import assert from 'node:assert/strict';
import { test } from '../../test/support/testing.js';
import { MAX_FINGERPRINTS, TaskFlow } from './task-flow.js';

/** The content that one task has seen: additions, their undo, and the bound. */

const prints = (...each: number[]) => Float64Array.from(each);
const INTERNAL = { level: 'internal', categories: [] } as const;
const RESTRICTED = { level: 'restricted', categories: ['financial'] } as const;

test('content that is repeated has its label; content of two sources has the labels of both', () => {
  const flow = new TaskFlow();
  flow.add({ source: 'a', label: INTERNAL }, prints(1, 2));
  flow.add({ source: 'b', label: RESTRICTED }, prints(2, 3));
  assert.deepEqual(flow.repeatedBy(prints(1)), [{ source: 'a', label: INTERNAL }]);
  assert.deepEqual(flow.repeatedBy(prints(2)), [{ source: 'a', label: RESTRICTED }]);
  assert.deepEqual(flow.repeatedBy(prints(9)), []);
  assert.deepEqual(flow.highWater, RESTRICTED);
});

test('the undo of an addition leaves the flow as it was', () => {
  const flow = new TaskFlow();
  flow.add({ source: 'a', label: INTERNAL }, prints(1));
  flow.offer('item', INTERNAL);
  const undos = [flow.add({ source: 'b', label: RESTRICTED }, prints(1, 2)), flow.offer('item', RESTRICTED)];
  assert.deepEqual(flow.labelOfItem('item'), RESTRICTED);
  for (const undo of undos.reverse()) undo();
  assert.deepEqual(flow.repeatedBy(prints(1)), [{ source: 'a', label: INTERNAL }]);
  assert.deepEqual(flow.repeatedBy(prints(2)), []);
  assert.deepEqual([flow.labelOfItem('item'), flow.highWater], [INTERNAL, INTERNAL]);
});

test('a task with more fingerprints than its bound, or with content that cannot be read, is full', () => {
  const flow = new TaskFlow();
  flow.add(
    { source: 'a', label: INTERNAL },
    Float64Array.from({ length: MAX_FINGERPRINTS }, (_, at) => at),
  );
  assert.equal(flow.full, false);
  flow.add({ source: 'b', label: INTERNAL }, prints(-1));
  assert.equal(flow.full, true);
  assert.ok(flow.bytes < 4_000_000);
  const unread = new TaskFlow();
  unread.add({ source: 'a', label: INTERNAL }, undefined);
  assert.equal(unread.full, true);
});
