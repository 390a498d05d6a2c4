import assert from 'node:assert/strict';
import { test } from '../../../test/support/testing.js';
import { CURRENT_PACK, packOf } from './packs.js';
import { redacted } from './spans.js';

const pack = packOf(CURRENT_PACK);
assert.ok(pack);

/** As a filter would leave it. */
const cleaned = (text: string, field?: string): string =>
  redacted(text, pack.detect(text, field === undefined ? {} : { field }));

const TOKEN = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;

test('spans are places of the original text, however it is written', () => {
  const cases = [
    [`key ${TOKEN} end`, 'key [redacted secret:github_token] end'],
    [`"line\\n${TOKEN}"`, '"line\\n[redacted secret:github_token]"'],
    ['card 4111 1111 1111 1111, exp 12/25', 'card [redacted pii:card], exp 12/25'],
    ['４１１１ 1111 1111 1111 full width', '[redacted pii:card] full width'],
    ['41\u200b11111111111111 zero width', '[redacted pii:card] zero width'],
    ['bob%40example.org', '[redacted pii:email]'],
    ['5678 is no card', '5678 is no card'],
  ] as const;
  for (const [text, expected] of cases) assert.equal(cleaned(text), expected);
});

test('the name of a field is a context for its value', () => {
  assert.equal(cleaned('078051120'), '078051120');
  assert.equal(cleaned('078051120', 'ssn'), '[redacted pii:ssn]');
  assert.equal(cleaned('hunter2', 'userPassword'), '[redacted secret:password]');
});

test('a pack is found by its number and by its digest, and knows the level of each of its types', () => {
  assert.equal(packOf(pack.digest), pack);
  assert.equal(packOf(0), undefined);
  assert.equal(packOf(`sha256:${'0'.repeat(64)}`), undefined);
  assert.equal(pack.levelOf('pii:email'), 'confidential');
  assert.equal(pack.levelOf('pii:nothing'), undefined);
});
