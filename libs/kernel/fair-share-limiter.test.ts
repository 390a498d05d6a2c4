import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { FairShareLimiter } from './fair-share-limiter.js';
import { test } from '../../test/support/testing.js';

test('there is no more than there is, and one name gets half of it', () => {
  const shares = new FairShareLimiter(10);
  const [a, b, c] = [shares.hold('a'), shares.hold('b'), shares.hold('c')];
  assert.ok(a.take(5));
  assert.ok(!a.take(1));
  assert.ok(!shares.hold('a').take(1));
  assert.ok(b.take(5));
  assert.ok(!c.take(1));
  assert.deepEqual([shares.inUse, shares.refused], [10, 3]);
  a.end();
  assert.ok(c.take(1));
  b.end();
  c.end();
  assert.equal(shares.inUse, 0);
});

test('what is taken after the end is given back at once, and nothing is given back twice', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(9), fc.constantFrom('give', 'end')), { maxLength: 20 }), (steps) => {
      const shares = new FairShareLimiter(20, 20);
      const others = shares.hold('b');
      others.take(3);
      const hold = shares.hold('a');
      let ended = false;
      for (const step of steps) {
        if (typeof step === 'number') hold.take(step);
        else if (step === 'give') hold.giveBack(4);
        else {
          hold.end();
          ended = true;
        }
        assert.equal(shares.inUse, 3 + shares.of('a'));
        assert.ok(shares.of('a') <= 17 && (!ended || shares.of('a') === 0));
      }
      hold.end();
      assert.equal(shares.inUse, 3);
    }),
  );
});
