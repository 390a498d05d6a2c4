import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { sampleOf, SECRET_FORMATS, seeded } from '../../../test/eval/secret-formats.js';
import { SECRET_LIKE } from '../../../test/support/hostile-texts.js';
import { test } from '../../../test/support/testing.js';
import { CURRENT_PACK, packOf } from './packs.js';
import { redacted, redactionOf } from './spans.js';

/** Properties of every text. */

const pack = packOf(CURRENT_PACK);
assert.ok(pack);

const PIECES = [
  'password=', 'api_key: "', 'card ', 'ssn ', 'phone ', ' 4111 1111 1111 1111', '078-05-1120', '+44 20 7946 0958', 'bob@example.org',
  'https://a:', '@host/', '\\n', '\\u002d', '%20', '&#64;', 'AKIA', 'eyJ', '-----BEGIN PRIVATE KEY-----', '１２', '\u200b', '::', '10.0.0.1',
  '[redacted pii:card]', '[redacted secret:password]', 'x', '-', '"', "'", ' ', '\n',
]; // prettier-ignore

const secret = fc
  .tuple(fc.constantFrom(...SECRET_FORMATS), fc.nat(1_000_000))
  .map(([format, seed]) => sampleOf(format, seeded(seed)));
const piece = fc.oneof(
  fc.constantFrom(...PIECES),
  fc.string({ unit: 'binary', maxLength: 8 }),
  secret.map(({ text }) => text),
);
const anyText = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
const anyField = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom('password', 'ssn', 'card', 'note', 'api_key'),
  anyText,
);

const options = (field: string | undefined): { field?: string } => (field === undefined ? {} : { field });

test('spans are in the text, sorted, apart, and of a known type and level', () => {
  fc.assert(
    fc.property(anyText, anyField, (text, field) => {
      let last = 0;
      for (const { start, end, type, level } of pack.detect(text, options(field))) {
        assert.ok(start >= last && end > start && end <= text.length);
        assert.ok(pack.levelOf(type) !== undefined && level !== 'public');
        last = end;
      }
    }),
    { numRuns: 2000 },
  );
});

test('a redacted text is clean', () => {
  fc.assert(
    fc.property(anyText, anyField, (text, field) => {
      const clean = redacted(text, pack.detect(text, options(field)));
      assert.deepEqual(pack.detect(clean, options(field)), [], clean);
    }),
    { numRuns: 2000 },
  );
});

test('a text in the form of a redaction is one only if the pack finds its type', () => {
  assert.deepEqual(pack.detect('[redacted pii:card]'), []);
  const types = pack.detect('[redacted pii:4111111111111111]').map(({ type }) => type);
  assert.deepEqual(types, ['pii:card']);
});

test('the same text has the same spans', () => {
  fc.assert(fc.property(anyText, (text) => assert.deepEqual(pack.detect(text), pack.detect(text))));
});

test('a secret is found in any text around it', () => {
  fc.assert(
    fc.property(anyText, secret, anyText, (before, { text, start, end }, after) => {
      const from = before.length + 1 + start;
      const whole = `${before}\n${text}\n${after}`;
      const left = redacted(whole, pack.detect(whole));
      assert.ok(!left.includes(whole.slice(from, from + end - start)), left);
    }),
    { numRuns: 2000 },
  );
});

test('no redaction is itself found, whatever field it is in', () => {
  for (const { kind } of SECRET_FORMATS) {
    for (const field of ['', 'password', 'api_key', 'token', 'note']) {
      assert.deepEqual(pack.detect(redactionOf(`secret:${kind}`), { field }), []);
    }
  }
});

/** CPU time, which other work on the machine does not lengthen, of the fastest of three. */
function millisecondsOf(text: string): number {
  const times = Array.from({ length: 3 }, () => {
    const before = process.cpuUsage();
    pack?.detect(text);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

test('time grows with the length of a hostile text, and not with its square', (t) => {
  const [short, long] = [16_384, 131_072];
  let slowest = '';
  let most = 0;
  for (const unit of SECRET_LIKE) {
    const textOf = (length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
    const [few, many] = [millisecondsOf(textOf(short)), millisecondsOf(textOf(long))];
    // Eight times the text: a square would take 64 times as long. Below 20 ms the clock is too coarse.
    assert.ok(many <= 24 * Math.max(few, 20), `${JSON.stringify(unit)}: ${few} ms, then ${many} ms`);
    if (many > most) [most, slowest] = [many, unit];
  }
  t.diagnostic(`slowest: ${JSON.stringify(slowest)}, ${((most / long) * 4096).toFixed(1)} ms for 4 KiB`);
});
