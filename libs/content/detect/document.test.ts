import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../test/support/root.js';
import { test } from '../../../test/support/testing.js';
import pii from '../packs/1/pii.json' with { type: 'json' };
import secrets from '../packs/1/secrets.json' with { type: 'json' };
import { CURRENT_PACK, packOf } from './packs.js';

const page = readFileSync(join(projectRoot, 'docs', 'reference', 'detectors.md'), 'utf8');
const pack = packOf(CURRENT_PACK);

test('the page lists each type of the current pack with its level, and no other', () => {
  const types = [
    ...secrets.rules.map(({ kind }) => `secret:${kind}`),
    ...secrets.fields.map(({ kind }) => `secret:${kind}`),
    ...pii.rules.map(({ kind }) => `pii:${kind}`),
  ];
  const listed = [...page.matchAll(/`((?:secret|pii):[a-z0-9_]+)`/g)].map(([, type]) => type);
  assert.deepEqual([...listed].sort(), [...new Set(types)].sort());
  for (const [, type = '', level] of page.matchAll(/^\| `([a-z0-9:_]+)` \| ([a-z]+) \|/gm)) {
    assert.equal(pack?.levelOf(type), level);
  }
  for (const type of types.filter((each) => each.startsWith('secret:'))) {
    assert.equal(pack?.levelOf(type), 'restricted');
  }
});
