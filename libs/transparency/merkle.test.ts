import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { EMPTY_ROOT, hashText, leafHash, nodeHash, parseHash, sameHash, type Hash } from './hash.js';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proofs.js';
import { nodesOfTiles, parseTilePath, TILE_WIDTH, tilePath, tileWidthAt } from './tiles.js';
import { GrowingTree, rootOf, type NodeReader } from './tree.js';
import { test } from '../../test/support/testing.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** The test data of Certificate Transparency (RFC 6962), as its first implementation has it. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const INCLUSIONS: [index: number, size: number, ...path: string[]][] = [
  [0, 1],
  [
    0,
    8,
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ],
  [
    5,
    8,
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ],
  [2, 3, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  [
    1,
    5,
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  ],
];
const CONSISTENCIES: [from: number, to: number, ...path: string[]][] = [
  [1, 1],
  [
    1,
    8,
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ],
  [
    6,
    8,
    '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ],
  [
    2,
    5,
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  ],
];

const vectors = LEAVES.map((each) => leafHash(hex(each)));

test('roots and proofs are those of the test vectors of RFC 6962', () => {
  assert.equal(
    Buffer.from(EMPTY_ROOT).toString('hex'),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  const node = readerOf(vectors);
  ROOTS.forEach((root, at) => assert.deepEqual(rootOf(vectors.slice(0, at + 1)), hex(root)));
  for (const [index, size, ...path] of INCLUSIONS) assert.deepEqual(inclusionProof(index, size, node), path.map(hex));
  for (const [from, to, ...path] of CONSISTENCIES) assert.deepEqual(consistencyProof(from, to, node), path.map(hex));
});

/** The definitions of RFC 9162, 2.1.1, 2.1.3.1 and 2.1.4.1, word for word. */
const split = (count: number): number => 2 ** Math.ceil(Math.log2(count) - 1);
function naiveRoot(leaves: readonly Hash[]): Hash {
  if (leaves.length <= 1) return leaves[0] ?? EMPTY_ROOT;
  const k = split(leaves.length);
  return nodeHash(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}
function naivePath(index: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length <= 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...naivePath(index, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naivePath(index - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}
function naiveConsistency(first: number, leaves: readonly Hash[], isWhole: boolean): Hash[] {
  if (first === leaves.length) return isWhole ? [] : [naiveRoot(leaves)];
  const k = split(leaves.length);
  return first <= k
    ? [...naiveConsistency(first, leaves.slice(0, k), isWhole), naiveRoot(leaves.slice(k))]
    : [...naiveConsistency(first - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}

const readerOf =
  (leaves: readonly Hash[]): NodeReader =>
  (height, index) =>
    naiveRoot(leaves.slice(index * 2 ** height, (index + 1) * 2 ** height));

/** Tiles as a sealer keeps them. */
function tilesOf(leaves: readonly Hash[]): NodeReader {
  const tiles = new Map<string, Hash[]>();
  const tree = GrowingTree.empty();
  for (const leaf of leaves) {
    tree.append(leaf, (height, index, hash) => {
      if (height % 8 !== 0) return;
      const key = `${height / 8}/${Math.floor(index / TILE_WIDTH)}`;
      tiles.set(key, [...(tiles.get(key) ?? []), hash]);
    });
  }
  return nodesOfTiles((level, index) => Buffer.concat(tiles.get(`${level}/${index}`) ?? []));
}

const leafList = (count: number): Hash[] => Array.from({ length: count }, (_, at) => leafHash(`leaf ${at}`));

const sizes = fc.tuple(fc.integer({ min: 1, max: 600 }), fc.nat(), fc.nat());

test('proofs are those of a naive tree, and only they verify', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), fc.integer({ min: 0, max: 255 }), ([size, a, b], which, flip) => {
      const leaves = leafList(size);
      const node = tilesOf(leaves);
      const root = rootOf(leaves);
      assert.deepEqual(root, naiveRoot(leaves));
      assert.deepEqual(GrowingTree.at(size, node).root(), root);
      const [index, from] = [a % size, b % (size + 1)];
      const path = inclusionProof(index, size, node);
      assert.deepEqual(path, naivePath(index, leaves));
      const leaf = leaves[index] ?? EMPTY_ROOT;
      assert.ok(verifyInclusion(leaf, index, { size, root }, path));
      assert.ok(!verifyInclusion(leafHash('other'), index, { size, root }, path));
      if (size > 1) assert.ok(!verifyInclusion(leaf, (index + 1) % size, { size, root }, path));
      const older = { size: from, root: rootOf(leaves.slice(0, from)) };
      const consistency = consistencyProof(from, size, node);
      if (from > 0) assert.deepEqual(consistency, naiveConsistency(from, leaves, true));
      assert.ok(verifyConsistency(older, { size, root }, consistency));
      assert.ok(!verifyConsistency({ ...older, root: leafHash('x') }, { size, root }, consistency));
      for (const [proof, verify] of [
        [path, (changed: Hash[]) => verifyInclusion(leaf, index, { size, root }, changed)],
        [consistency, (changed: Hash[]) => verifyConsistency(older, { size, root }, changed)],
      ] as const) {
        assert.ok(!verify([...proof, leafHash('x')]));
        if (proof.length === 0) continue;
        assert.ok(!verify(proof.slice(1)));
        assert.ok(!verify(proof.map((hash, at) => (at === which % proof.length ? flipped(hash, flip) : hash))));
      }
    }),
    { numRuns: 60 },
  );
});

const flipped = (hash: Hash, bit: number): Hash =>
  Buffer.from(hash).map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

test('sizes above 32 bits are exact', () => {
  const size = 2 ** 40 + 3;
  const node: NodeReader = (height, index) => leafHash(`${height}/${index}`);
  const path = inclusionProof(size - 1, size, node);
  assert.ok(verifyInclusion(node(0, size - 1), size - 1, { size, root: GrowingTree.at(size, node).root() }, path));
});

test('the path of a tile has one form', () => {
  const place = fc
    .tuple(
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 10 ** 12 }),
      fc.integer({ min: 1, max: TILE_WIDTH }),
    )
    .map(([level, index, width]) => ({ level, index, width }));
  fc.assert(fc.property(place, (each) => assert.deepEqual(parseTilePath(tilePath(each)), each)));
  assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), 'tile/0/x001/x234/067');
  assert.equal(tilePath({ level: 1, index: 5, width: 17 }), 'tile/1/005.p/17');
  const wrong = ['tile/0/5', 'tile/0/x000/005', 'tile/7/000', 'tile/0/000.p/256', 'tile/0/000.p/0', 'tile/0/000/', ''];
  for (const path of [...wrong, 'tile/0/000.p/257', 'tile/entries/000', '/tile/0/000', 'tile/0/x1234/000'])
    assert.equal(parseTilePath(path), undefined, path);
  assert.deepEqual(
    [0, 1, 2].map((index) => tileWidthAt(0, index, 300)),
    [256, 44, 0],
  );
  assert.deepEqual([tileWidthAt(1, 0, 300), tileWidthAt(1, 0, 255)], [1, 0]);
});

test('a hash has one text', () => {
  const text = hashText(leafHash('a'));
  assert.ok(sameHash(parseHash(text) ?? EMPTY_ROOT, leafHash('a')));
  for (const wrong of [text.slice(1), `${text} `, text.replace('=', ''), `${text}\n`, text.replace(/.=$/, 'B='), ''])
    assert.equal(parseHash(wrong), undefined, wrong);
});
