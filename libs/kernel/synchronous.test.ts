import assert from 'node:assert/strict';
import { inOneTurn } from './synchronous.js';
import { test } from '../../test/support/testing.js';

test('a section runs at once and answers what it returns', () => {
  const answer: number | 'again' = inOneTurn(() => (Date.now() > 0 ? 1 : 'again'));
  assert.equal(answer, 1);
  assert.equal(
    inOneTurn(() => undefined),
    undefined,
  );
  assert.deepEqual(
    inOneTurn(() => ({ ok: true, value: { writes: [] } })),
    { ok: true, value: { writes: [] } },
  );
});

interface Thenable {
  then(done: (value: number) => void): void;
}

test('a section that may wait does not compile', () => {
  // Each line below is an error of the compiler. This file fails to compile if one of them compiles.
  const sections = (): void => {
    // @ts-expect-error An async section waits.
    inOneTurn(async () => 1);
    // @ts-expect-error So does one that returns a promise,
    inOneTurn(() => Promise.resolve());
    // @ts-expect-error or may return one,
    inOneTurn(() => (Date.now() > 0 ? 1 : Promise.resolve(1)));
    // @ts-expect-error or anything that can be awaited,
    inOneTurn((): Thenable => ({}) as never);
    // @ts-expect-error or an object that holds a promise,
    inOneTurn(() => ({ ok: true, value: Promise.resolve(1) }));
    // @ts-expect-error or what nobody knows.
    inOneTurn(() => JSON.parse('1'));
  };
  assert.equal(typeof sections, 'function');
});
