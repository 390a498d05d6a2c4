import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { test } from '../../../test/support/testing.js';
import { Fingerprinter, MIN_RUN, normalised } from './fingerprints.js';

/** Winnowed fingerprints against a slow search of every run. */

const key = (byte: number) => createSecretKey(Buffer.alloc(32, byte));
const prints = new Fingerprinter(key(1));

const shares = (one: string, other: string): boolean => {
  const known = new Set(prints.of(one));
  return prints.of(other).some((each) => known.has(each));
};

/** The obvious search: is any run of `length` characters of one text in the other? */
function sharesRun(one: string, other: string, length: number): boolean {
  const [a, b] = [normalised(one), normalised(other)];
  for (let at = 0; at + length <= a.length; at += 1) if (b.includes(a.slice(at, at + length))) return true;
  return false;
}

/** A generator with a seed, so that a failure repeats. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('a shared run of 32 characters is always found, and a shorter one than a gram never', () => {
  const random = randomOf(7);
  const alphabets = ['ab', 'abcdefgh ', 'äÖß ﬁ٣漢字\u{1f600}x', ' \n\tabcABC'];
  let found = 0;
  for (let run = 0; run < 3000; run += 1) {
    const alphabet = Array.from(alphabets[run % alphabets.length] ?? 'ab');
    const text = (length: number) =>
      Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('');
    const [one, other] = [text(random() * 90), text(random() * 90)];
    const shared = text(10 + random() * 40);
    const a = one + shared + text(random() * 30);
    const b = other + shared.toUpperCase() + text(random() * 30);
    if (sharesRun(a, b, MIN_RUN)) {
      found += 1;
      assert.ok(shares(a, b), JSON.stringify([a, b]));
    }
    if (!sharesRun(a, b, 24)) assert.ok(!shares(a, b), JSON.stringify([a, b]));
  }
  assert.ok(found > 300, `${found} pairs share a run`);
});

test('white space, case and compatibility forms are folded', () => {
  const text = 'The Quick Brown Fox jumps over the lazy dog';
  assert.ok(shares(text, 'xx the  quick\nbrown fox JUMPS over\tthe lazy dog yy'));
  assert.ok(shares('ﬁnancial results of the second quarter', 'FINANCIAL RESULTS OF THE SECOND QUARTER'));
});

test('fingerprints need the key, and are few', () => {
  const text = randomBytes(6000).toString('base64');
  const other = new Set(new Fingerprinter(key(2)).of(text));
  const own = prints.of(text);
  assert.ok(own.every((each) => !other.has(each)));
  assert.ok(own.length < text.length / 3 && own.length > text.length / 9, `${own.length} of ${text.length}`);
  assert.equal(prints.of('short').length, 0);
});
