import assert from 'node:assert/strict';
import { MAX_ACTIVE } from '../feed/beat.js';
import { OwnRecords } from './own-records.js';
import { test } from '../../test/support/testing.js';

/** The records of this process, as it finds them on the topic. */

const value = (signature: string): string => JSON.stringify({ signature });

test('its own are ours as often as they are read, until a later one of the same key was', () => {
  const own = new OwnRecords();
  for (const signature of ['a', 'b', 'c']) own.add('key', value(signature));
  own.add('other', value('d'));
  assert.deepEqual(
    ['a', 'a', 'c', 'c', 'b', 'a'].map((signature) => own.isNext('key', value(signature))),
    [true, true, true, true, false, false],
  );
  own.add('key', value('e'));
  assert.deepEqual(
    ['c', 'd', 'e', 'c'].map((signature) => own.isNext('key', value(signature))),
    [true, false, true, false],
  );
  assert.ok(own.isNext('other', value('d')));
});

test('what is no record of ours is not', () => {
  const own = new OwnRecords();
  own.add('key', value('a'));
  for (const wrong of [null, '', '{}', 'null', '[]', '{"signature":1}', value('b'), '{"signature":"a","epoch":9}']) {
    assert.equal(own.isNext('key', wrong), false);
  }
  assert.equal(own.isNext('another', value('a')), false);
});

test('a restatement of as many as there may be knows its own, and those of the one before', () => {
  const own = new OwnRecords();
  const all = ['first', 'second'].flatMap((said) =>
    Array.from({ length: MAX_ACTIVE }, (_, index) => [`key-${index}`, `${said}-${index}`] as const),
  );
  for (const [key, signature] of all) own.add(key, value(signature));
  assert.ok(all.every(([key, signature]) => own.isNext(key, value(signature))));
});

test('of a key that nobody reads the latest are kept', () => {
  const own = new OwnRecords();
  for (let index = 0; index < 1_000; index += 1) own.add('heartbeat', value(`s-${index}`));
  assert.deepEqual([own.isNext('heartbeat', value('s-0')), own.isNext('heartbeat', value('s-960'))], [false, true]);
});
