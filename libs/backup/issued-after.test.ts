import assert from 'node:assert/strict';
import { feedModel } from '../../test/support/feed-model.js';
import { uuid } from '../../test/support/given.js';
import { test } from '../../test/support/testing.js';
import { beatText, signBeat, type Beat } from '../feed/beat.js';
import { defined } from '../kernel/defined.js';
import { DirectivesAfter, EventsAfter } from './issued-after.js';

const category = (name: string) => ({ type: 'category', category: name }) as const;
const recordOf = (beat: Beat) => ({ value: beatText(beat), headers: {} });

test('the directives after a backup are those of its incarnation above its epoch, signed by its key', () => {
  const model = feedModel(Date.now, 5000, () => false, { incarnation: 10 });
  const restated = (old: Beat): Beat => {
    const { kid: _, signature: _signature, signed: _jws, ...now } = model.heartbeat();
    return signBeat(defined({ ...now, directive: old.directive }), model.key);
  };
  const earlier = feedModel(Date.now, 5000, () => false, { incarnation: 3, signedBy: model.key });
  const stranger = feedModel(Date.now, 5000, () => false, { incarnation: 10 });
  const after = new DirectivesAfter({ incarnation: 10, epoch: 2, head: 9n }, model.keys);
  const known = [model.issue(uuid(1), category('a')), model.issue(uuid(2), category('b'))] as const;
  for (const beat of [
    ...known,
    model.heartbeat(),
    model.issue(uuid(3), category('c')),
    restated(known[1]),
    model.lift(uuid(1)),
    earlier.issue(uuid(7), category('x')),
    earlier.issue(uuid(8), category('y')),
    earlier.issue(uuid(9), category('z')),
    ...[4, 5, 6].map((id) => stranger.issue(uuid(id), category('forged'))),
  ])
    after.take(recordOf(beat));
  after.take({ value: null, headers: {} });
  after.take({ value: 'no beat', headers: {} });
  const { directives, epoch, incarnation } = after.found();
  assert.deepEqual(
    directives.map(({ id, state }) => [id, state]),
    [
      [uuid(3), 'active'],
      [uuid(1), 'lifted'],
    ],
  );
  assert.deepEqual([epoch, incarnation], [4, 10]);
});

test('a service that was restored before left records of a later incarnation: the next one is above it', () => {
  const model = feedModel(Date.now, 5000, () => false, { incarnation: 40 });
  const after = new DirectivesAfter({ incarnation: 10, epoch: 0, head: 0n }, model.keys);
  after.take(recordOf(model.heartbeat()));
  assert.equal(after.found().incarnation, 40);
});

test('the events after a backup are counted by type: those of its source above its position, each once', () => {
  const after = new EventsAfter({ incarnation: 10, epoch: 2, head: 9n }, 'urn:sallyport:k:10');
  const take = (position: number, type: string, source = 'urn:sallyport:k:10') =>
    after.take({
      value: '{}',
      headers: { ce_source: source, ce_position: String(position), ce_type: type, ce_id: `id-${position}` },
    });
  take(9, 'sallyport.TaskOpened.v1');
  for (const position of [10, 11, 11, 12]) take(position, 'sallyport.CallDecided.v1');
  take(13, 'sallyport.TaskOpened.v1');
  take(14, 'sallyport.TaskOpened.v1', 'urn:sallyport:k:11');
  after.take({ value: '{}', headers: {} });
  assert.deepEqual(after.counts(), { 'sallyport.CallDecided.v1': 3, 'sallyport.TaskOpened.v1': 1 });
});
