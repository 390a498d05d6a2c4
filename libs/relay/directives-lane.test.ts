import assert from 'node:assert/strict';
import { relayGround, stateOf, until } from '../../test/relay/ground.js';
import { memoryTopic } from '../../test/relay/memory-topic.js';
import { MAX_RECORDS } from './batches.js';
import { test } from '../../test/support/testing.js';

/** More at once than the lane keeps in order. */

test('a lift that comes while as many changes wait as are kept is said, too', async (t) => {
  const ground = await relayGround(t);
  const topic = memoryTopic(60_000);
  const { open } = topic;
  const held = Promise.withResolvers<void>();
  let holds = false;
  let isHeld = false;
  topic.open = async (signal) => {
    const sender = await open(signal);
    return {
      discard: () => sender.discard(),
      async send(records) {
        if (holds && records.some(({ value }) => value.includes('"active"'))) {
          isHeld = true;
          await held.promise;
        }
        await sender.send(records);
      },
    };
  };
  const lane = ground.directives(topic);
  await until(() => topic.readers === 1);
  holds = true;
  const id = await ground.issue();
  await until(() => isHeld);
  for (let count = 1; count < MAX_RECORDS; count += 1) await ground.issue();
  await ground.lift(id);
  holds = false;
  held.resolve();
  await until(() => lane.status().epoch === MAX_RECORDS + 1 && lane.status().waiting === 0);
  assert.equal(stateOf(topic.records).get(id)?.directive?.state, 'lifted');
});
