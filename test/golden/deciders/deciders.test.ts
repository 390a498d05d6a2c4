import assert from 'node:assert/strict';
import { CURRENT_DECIDER, deciders } from '../../../libs/decision/deciders/registry.js';
import { namesIn, readJson } from '../files.js';
import { CASES, goldenOf } from './cases.js';
import { test } from '../../support/testing.js';

type Golden = Readonly<Record<string, ReturnType<typeof goldenOf>>>;

const versions = Object.keys(deciders).map(Number);
const goldenFile = (decider: number): Golden => readJson('deciders', `v${decider}.json`);

// A difference means: records of this decider would not replay. Keep its rules as they were, and number the new ones.
for (const decider of versions) {
  test(`decider ${decider} decides every golden case as it always has`, () => {
    const golden = goldenFile(decider);
    const now = Object.keys(golden).map((name) => [name, goldenOf(CASES[name] ?? missing(name), decider)]);
    assert.deepEqual(Object.fromEntries(now), golden);
  });
}

test('the file of the current decider has every case', () => {
  assert.deepEqual(Object.keys(goldenFile(CURRENT_DECIDER)).sort(), Object.keys(CASES).sort());
});

function missing(name: string): never {
  throw new Error(`the case ${name} is gone: a case is never removed`);
}

test('each decider has its golden file, the current one is the last, and each differs from the one before', () => {
  const files = namesIn('deciders').filter((name) => name.endsWith('.json'));
  assert.deepEqual(files, versions.map((decider) => `v${decider}.json`).sort());
  assert.equal(CURRENT_DECIDER, Math.max(...versions));
  for (const decider of versions.slice(1)) assert.notDeepEqual(goldenFile(decider), goldenFile(decider - 1));
});
