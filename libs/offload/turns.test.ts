import assert from 'node:assert/strict';
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import { Turns } from './turns.js';
import { test } from '../../test/support/testing.js';

test('one has a turn at a time, and owners take them in turns', async () => {
  const turns = new Turns();
  const order: string[] = [];
  let inside = 0;
  const once = async (owner: string): Promise<void> => {
    const end = await turns.take(owner);
    inside += 1;
    assert.equal(inside, 1);
    order.push(owner);
    await turnOfLoop();
    inside -= 1;
    end();
    // Ending it twice gives nobody a second turn.
    end();
  };
  await Promise.all(['a', 'a', 'a', 'a', 'b', 'b', 'c'].map(once));
  assert.deepEqual(order, ['a', 'a', 'b', 'c', 'a', 'b', 'a']);
  await once('d');
  assert.equal(order.at(-1), 'd');
});
