import assert from 'node:assert/strict';
import { test } from '../../test/support/testing.js';
import { MAX_FINGERPRINTS, TaskFlow } from './task-flow.js';

/** The content that one task has seen: additions, labels that only rise, and the bounds. */

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

test('labels of content and of items only rise', () => {
  const flow = new TaskFlow();
  flow.add({ source: 'a', label: RESTRICTED }, prints(1));
  flow.add({ source: 'b', label: INTERNAL }, prints(1, 2));
  flow.offer('item', RESTRICTED);
  flow.offer('item', INTERNAL);
  assert.deepEqual(flow.repeatedBy(prints(1, 2)), [
    { source: 'a', label: RESTRICTED },
    { source: 'b', label: INTERNAL },
  ]);
  assert.deepEqual([flow.labelOfItem('item'), flow.highWater], [RESTRICTED, RESTRICTED]);
});

test('labels of many fingerprints are joined once for each source, and equal ones are kept once', () => {
  const flow = new TaskFlow();
  let readings = 0;
  const many = (from: number) =>
    ({
      level: 'internal',
      get categories() {
        readings += 1;
        return Array.from({ length: 64 }, (_, at) => `c${String(from + at).padStart(3, '0')}`);
      },
    }) as const;
  const all = Float64Array.from({ length: 60_000 }, (_, at) => at);
  flow.add({ source: 'a', label: many(0) }, all);
  flow.add({ source: 'b', label: many(64) }, all);
  flow.add({ source: 'c', label: many(64) }, all);
  assert.ok(readings < 1000, `${readings} readings of categories`);
  assert.equal(flow.repeatedBy(all)[0]?.label.categories.length, 65, '64 names, and `several`');
});

test('a task with too many different labels is full, and its content has at least its label', () => {
  const flow = new TaskFlow();
  for (let at = 0; at < 400; at += 1)
    flow.add({ source: `s${at}`, label: { level: 'public', categories: [`c${at}`] } }, prints(at));
  assert.equal(flow.full, true);
  assert.ok(flow.repeatedBy(prints(399))[0]?.label.categories.includes('several'));
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
  assert.ok(flow.bytes < 6_000_000);
  flow.add({ source: 'c', label: RESTRICTED }, prints(-2, 1));
  assert.deepEqual(flow.repeatedBy(prints(1)), [{ source: 'a', label: RESTRICTED }], 'a known label still rises');
  const unread = new TaskFlow();
  unread.add({ source: 'a', label: INTERNAL }, undefined);
  assert.equal(unread.full, true);
});
