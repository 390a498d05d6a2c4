import assert from 'node:assert/strict';
import { RestingStates } from './resting-states.js';
import { TextSlots } from './text-slots.js';
import { test } from '../../test/support/testing.js';

interface Counter {
  count: number;
}

function counters(maxAwake: number) {
  let woken = 0;
  const states = new RestingStates<Counter>(
    {
      rest: ({ count }) => String(count),
      wake: (text) => {
        woken += 1;
        return { count: Number(text) };
      },
    },
    maxAwake,
  );
  return { states, woken: () => woken };
}

test('a state that was not asked for lately rests, and comes back as it was', () => {
  const { states, woken } = counters(2);
  for (const name of ['a', 'b', 'c']) states.set(name, { revision: name.length, state: { count: name.charCodeAt(0) } });
  assert.equal(woken(), 0);
  assert.deepEqual(states.get('a'), { revision: 1, state: { count: 97 } });
  assert.equal(woken(), 1);
  assert.deepEqual(states.streams().sort(), ['a', 'b', 'c']);
  assert.equal(states.get('d'), undefined);
});

test('a state in use is one object, and what was changed in it is kept', () => {
  const { states, woken } = counters(2);
  for (const name of ['a', 'b', 'c']) states.set(name, { revision: 1, state: { count: 0 } });
  const held = states.get('a');
  assert.ok(held);
  held.state.count += 1;
  held.revision += 1;
  assert.equal(states.get('a'), held);
  states.rest(0);
  assert.deepEqual(states.get('a'), { revision: 2, state: { count: 1 } });
  assert.equal(woken(), 2);
});

test('looking at all of them wakes none for good, and using one keeps it from its rest', () => {
  const { states, woken } = counters(2);
  for (const name of ['a', 'b', 'c']) states.set(name, { revision: 1, state: { count: 0 } });
  states.peek('a');
  states.peek('a');
  assert.equal(woken(), 2);
  states.get('b');
  states.get('a');
  assert.equal(woken(), 3);
  // `c` was the longest unused.
  states.get('b');
  assert.equal(woken(), 3);
  states.get('c');
  assert.equal(woken(), 4);
});

test('slots hold texts of any length and alphabet, and are used again', () => {
  const slots = new TextSlots();
  const texts = [
    '',
    'a',
    'ä\u0000€🙂',
    'x'.repeat(3_000_000),
    ...Array.from({ length: 50 }, (_, i) => 'y'.repeat(i * 997)),
  ];
  const placed = texts.map((text) => slots.put(text));
  assert.equal(new Set(placed).size, texts.length);
  placed.forEach((slot, index) => assert.equal(slots.get(slot), texts[index]));
  const [, , third = 0] = placed;
  slots.delete(third);
  assert.equal(slots.put('another'), third);
  placed.forEach((slot, index) => assert.equal(slots.get(slot), slot === third ? 'another' : texts[index]));
});
