import assert from 'node:assert/strict';
import { directivesTopic, eventsTopic } from './outlets.js';
import { test } from '../../test/support/testing.js';

/** The settings of new topics, and the faults of existing ones. */

const events = eventsTopic({ partitions: 3, replication: 1 });
const directives = directivesTopic({ replication: 1 });
const ENOUGH = 1_048_588;

test('topics take the largest batch that is sent, whatever the brokers have as their default', () => {
  for (const { config } of [events, directives]) assert.equal(config['max.message.bytes'], String(ENOUGH));
});

test('one replica may be away, and of three what is acknowledged outlives the loss of one', () => {
  for (const [replication, least] of [
    [1, '1'],
    [2, '1'],
    [3, '2'],
  ] as const) {
    for (const { config } of [eventsTopic({ partitions: 3, replication }), directivesTopic({ replication })])
      assert.equal(config['min.insync.replicas'], least);
  }
});

test('an existing topic that takes less is a wrong one', () => {
  for (const [{ fault }, cleanupPolicy] of [
    [events, 'delete'],
    [directives, 'compact'],
  ] as const) {
    const said = (maxMessageBytes: number) => fault({ partitions: 1, cleanupPolicy, maxMessageBytes });
    assert.match(said(ENOUGH - 1) ?? '', /^has .*=1048587: needs max\.message\.bytes of at least 1048588$/);
    assert.deepEqual([said(ENOUGH), said(Infinity)], [undefined, undefined]);
  }
});

test('so is one that would lose events or directives', () => {
  const topic = { partitions: 1, maxMessageBytes: ENOUGH };
  assert.match(events.fault({ ...topic, cleanupPolicy: 'compact,delete' }) ?? '', /is compacted/);
  assert.match(directives.fault({ ...topic, cleanupPolicy: 'compact,delete' }) ?? '', /compact alone/);
  assert.match(directives.fault({ ...topic, cleanupPolicy: 'compact', partitions: 3 }) ?? '', /exactly 1/);
});
