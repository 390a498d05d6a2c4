import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../test/support/root.js';
import { test } from '../../../test/support/testing.js';
import { digestOf } from '../../kernel/digest.js';
import manifest from '../packs/1/pack.json' with { type: 'json' };
import { CURRENT_PACK, madeFrom, packOf } from './packs.js';
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
    [`C:\\npm_${'a1B2c3D4e5F6'.repeat(3)}`, 'C:\\[redacted secret:npm_token]'],
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

/** The digest of every pack that was released. A line never changes and never goes: records name packs by it. */
const RELEASED: Readonly<Record<number, string>> = {
  1: 'sha256:9370a3414d7de4b334d949dddc54703bde9889783fc1240693a53fef3981f808',
};

test('a released pack never changes', () => {
  const digests = Object.keys(RELEASED).map((number) => [number, packOf(Number(number))?.digest]);
  assert.deepEqual(Object.fromEntries(digests), RELEASED);
  assert.equal(packOf(Object.keys(RELEASED).length + 1), undefined);
});

const tiny = {
  prefix: 'secret',
  fragments: {},
  contexts: {},
  guards: [],
  rules: [{ kind: 'old_key', level: 'restricted', at: 'keyword', keywords: ['old-'], pattern: 'old-[0-9]{4}' }],
  fields: [],
};
const tinyManifest = (files: Readonly<Record<string, unknown>>): unknown => ({
  number: 7,
  files: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, digestOf(file)])),
  libraries: {},
});

test('each pack answers by its own rules, whichever is current', () => {
  const files = { secrets: tiny, pii: { ...tiny, prefix: 'pii' } };
  const old = madeFrom({ manifest: tinyManifest(files), files });
  const text = `old-1234 ${TOKEN}`;
  assert.deepEqual(
    old.detect(text).map(({ type }) => type),
    ['secret:old_key'],
  );
  assert.deepEqual(
    pack.detect(text).map(({ type }) => type),
    ['secret:github_token'],
  );
  assert.equal(old.levelOf('secret:github_token'), undefined);
});

test('a pack with a file that its manifest does not name is not made', () => {
  const files = { secrets: tiny, pii: { ...tiny, prefix: 'pii' } };
  const changed = { ...files, secrets: { ...tiny, guards: ['x'] } };
  assert.throws(() => madeFrom({ manifest: tinyManifest(files), files: changed }), /was changed/);
});

test('the libraries that the current pack calls are installed in the versions that it names', () => {
  const { dependencies } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const [name, version] of Object.entries(manifest.libraries)) assert.equal(dependencies[name], version);
});
