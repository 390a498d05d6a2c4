import assert from 'node:assert/strict';
import { test } from '../../../test/support/testing.js';
import { RetentionKeeper } from './keeper.js';

test('each round completes erasures of users, also after rounds that succeeded and failed', async (t) => {
  const third = Promise.withResolvers<void>();
  let rounds = 0;
  const completing = async (): Promise<number> => {
    rounds += 1;
    if (rounds === 3) third.resolve();
    if (rounds === 2) throw new Error('the log is away');
    return 0;
  };
  const keeper = new RetentionKeeper({
    shredder: { complete: async () => undefined },
    eraser: { complete: completing },
    ageing: undefined,
    everyMs: 1,
  });
  t.after(() => keeper.stop());
  keeper.start();
  await third.promise;
  assert.ok(rounds >= 3);
});
