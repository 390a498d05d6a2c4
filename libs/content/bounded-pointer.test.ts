import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { test } from '../../test/support/testing.js';
import { pointerTo } from '../kernel/pointer.js';
import { BoundedPath, boundedPointer } from './bounded-pointer.js';

test('the path of a walk is the bounded pointer of its segments, on the way down and up', () => {
  const name = fc.oneof(
    fc.string({ maxLength: 120, unit: 'grapheme' }),
    fc.constantFrom('a/b~c', '\u200b', '', 'x'.repeat(256)),
  );
  const segments = fc.array(fc.oneof(name, fc.nat(1e6)), { maxLength: 12 });
  fc.assert(
    fc.property(segments, (all) => {
      const path = new BoundedPath('arguments');
      const expected = (count: number) => boundedPointer(pointerTo('arguments', ...all.slice(0, count)));
      for (const [index, segment] of all.entries()) {
        path.push(segment);
        assert.equal(path.text, expected(index + 1));
      }
      for (let count = all.length - 1; count >= 0; count -= 1) {
        path.pop();
        assert.equal(path.text, expected(count));
      }
    }),
  );
});

test('a deep walk keeps no pointer longer than its bound', () => {
  const path = new BoundedPath('arguments');
  for (let depth = 0; depth < 100_000; depth += 1) path.push('name'.repeat(10));
  assert.ok(path.text.length <= 256);
});
