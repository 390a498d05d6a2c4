import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { BUCKET_BITS, CompletenessMap, MemoryLeaves } from './completeness-map.js';
import {
  bitOf,
  CHAIN_START,
  chained,
  mapLeafHash,
  mapSubtree,
  provenState,
  streamKey,
  type MapLeaf,
} from './completeness.js';
import { leafHash, pairHash, type Hash } from './hash.js';
import { test } from '../../test/support/testing.js';

const leafOf = (stream: string, revision: number): MapLeaf => ({
  key: streamKey(stream),
  revision,
  chain: chained(CHAIN_START, leafHash(`${stream}@${revision}`)),
});

/** The definition: a set of leaves at a depth, split by the bit of the depth. Undefined for an empty set. */
function naive(leaves: readonly MapLeaf[], depth = 0): Hash {
  const [only] = leaves;
  if (only === undefined) return new Uint8Array(32);
  if (leaves.length === 1) return mapLeafHash(only);
  const side = (bit: 0 | 1) =>
    naive(
      leaves.filter(({ key }) => bitOf(key, depth) === bit),
      depth + 1,
    );
  return pairHash(0x03, side(0), side(1));
}

const streams = fc.uniqueArray(fc.integer({ min: 0, max: 5_000 }), { minLength: 0, maxLength: 300 });

/** Enough streams that some buckets have several. */
const MANY = Array.from({ length: 2_500 }, (_, at) => `task-${at}`);

test('the root follows from the set of leaves alone', () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 1, max: 50 }), (numbers, step) => {
      const map = new CompletenessMap(new MemoryLeaves());
      const leaves = new Map<string, MapLeaf>();
      for (let at = 0; at < numbers.length; at += step) {
        const some = numbers.slice(at, at + step).map((number) => `task-${number % 40 === 0 ? 'same' : number}`);
        const changed = new Map(some.map((stream) => [stream, leafOf(stream, at + 1)]));
        for (const [stream, leaf] of changed) leaves.set(stream, leaf);
        map.update([...changed.values()]);
      }
      assert.deepEqual(map.root, Buffer.from(naive([...leaves.values()])));
    }),
    { numRuns: 30 },
  );
});

test('a proof shows the state of a stream, or that there is none', () => {
  const memory = new MemoryLeaves();
  const map = new CompletenessMap(memory);
  assert.equal(provenState('task-1', map.root, map.prove('task-1')), 'absent');
  map.update([leafOf('task-1', 1)]);
  assert.equal(provenState('task-2', map.root, map.prove('task-2')), 'absent');
  map.update(MANY.map((stream, at) => leafOf(stream, at + 1)));
  assert.ok(
    MANY.some((stream) => map.prove(stream).siblings.length > BUCKET_BITS),
    'no bucket has two leaves',
  );
  const { root } = map;
  for (const [at, stream] of MANY.entries()) {
    const { revision, chain } = leafOf(stream, at + 1);
    assert.deepEqual(provenState(stream, root, map.prove(stream)), { revision, chain });
    const absent = `refusals-${at}`;
    assert.equal(provenState(absent, root, map.prove(absent)), 'absent');
    // The proof of one stream is none of another.
    assert.notDeepEqual(provenState(absent, root, map.prove(stream)), { revision, chain });
  }
  assert.deepEqual(new CompletenessMap(memory).root, root);
  const sorted = MANY.map((stream, at) => leafOf(stream, at + 1)).sort((a, b) => Buffer.compare(a.key, b.key));
  assert.deepEqual(Buffer.from(mapSubtree(sorted, 0).hash), root);
});

test('a changed proof shows nothing', () => {
  const map = new CompletenessMap(new MemoryLeaves());
  map.update(MANY.slice(0, 200).map((stream, at) => leafOf(stream, at + 1)));
  const { root } = map;
  for (const stream of ['task-7', 'task-none', 'refusals-1']) {
    const proof = map.prove(stream);
    assert.notEqual(provenState(stream, root, proof), undefined);
    const { siblings, leaf } = proof;
    const wrong = [
      { siblings: siblings.slice(1) },
      { siblings: [...siblings, leafHash('x')] },
      { siblings: siblings.map((hash, at) => (at === 2 ? leafHash('x') : hash)) },
      { siblings: siblings.map((hash) => hash.subarray(1)) },
      { siblings: Array.from({ length: 257 }, () => leafHash('x')) },
      { siblings, leaf: leafOf(stream, 1_000) },
      { siblings, leaf: leafOf('directives', 1) },
      { siblings, ...(leaf === undefined ? { leaf: leafOf(stream, 1) } : {}) },
    ];
    for (const each of wrong) {
      const kept = leaf === undefined || 'leaf' in each || each.siblings === siblings ? {} : { leaf };
      assert.equal(provenState(stream, root, { ...each, ...kept }), undefined);
    }
    if (leaf === undefined) continue;
    assert.equal(provenState(stream, root, { siblings, leaf: { ...leaf, revision: leaf.revision - 1 } }), undefined);
    assert.equal(provenState(stream, root, { siblings, leaf: { ...leaf, revision: 0.5 } }), undefined);
  }
});

test('the chain of a stream depends on each event and their order', () => {
  const chainOf = (...events: string[]) => events.map(leafHash).reduce<Hash>(chained, CHAIN_START);
  assert.notDeepEqual(chainOf('a', 'b'), chainOf('b', 'a'));
  assert.notDeepEqual(chainOf('a', 'b'), chainOf('a'));
});
