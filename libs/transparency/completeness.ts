import { HASH_BYTES, pairHash, sameHash, sha256, type Hash } from './hash.js';

/**
 * The completeness map: from the name of a stream to its last revision and the chain of its events. It is a binary trie
 * over `SHA-256(stream)`. A subtree with one leaf is that leaf, so a leaf has the shortest prefix that no other shares.
 * The set of leaves alone determines the root. The prefixes differ from those of the log, so no hash is of both.
 *
 * - leaf: `SHA-256(0x02 || SHA-256(stream) || revision, 8 bytes, big-endian || chain)`
 * - inner node: `SHA-256(0x03 || left || right)`
 * - no leaf: 32 zero bytes
 */
export interface MapLeaf {
  /** `SHA-256(stream)`. */
  readonly key: Hash;
  /** The last revision of the stream. */
  readonly revision: number;
  /** The chain of the stream's events up to that revision. */
  readonly chain: Hash;
}

/** A subtree, as its parent sees it. */
export interface MapNode {
  readonly kind: 'none' | 'leaf' | 'inner';
  readonly hash: Hash;
}

const LEAF = 0x02;
const INNER = 0x03;
const REVISION_BYTES = 8;
export const KEY_BITS = HASH_BYTES * 8;

export const NO_LEAF: MapNode = { kind: 'none', hash: new Uint8Array(HASH_BYTES) };

export const streamKey = (stream: string): Hash => sha256(stream);

/** The chain of a stream without events. */
export const CHAIN_START: Hash = new Uint8Array(HASH_BYTES);

/** The chain after one more event: `SHA-256(chain || leaf hash)`. */
export const chained = (chain: Hash, leaf: Hash): Hash => sha256(Buffer.concat([chain, leaf]));

const leafBytes = Buffer.alloc(1 + HASH_BYTES + REVISION_BYTES + HASH_BYTES, LEAF);

export function mapLeafHash({ key, revision, chain }: MapLeaf): Hash {
  leafBytes.set(key, 1);
  leafBytes.writeBigUInt64BE(BigInt(revision), 1 + HASH_BYTES);
  leafBytes.set(chain, 1 + HASH_BYTES + REVISION_BYTES);
  return sha256(leafBytes);
}

export const mapLeafNode = (leaf: MapLeaf): MapNode => ({ kind: 'leaf', hash: mapLeafHash(leaf) });

/** The parent of two subtrees. A leaf without a sibling moves up. */
export function mapParent(left: MapNode, right: MapNode): MapNode {
  if (left.kind === 'none' && right.kind !== 'inner') return right;
  if (right.kind === 'none' && left.kind !== 'inner') return left;
  return { kind: 'inner', hash: pairHash(INNER, left.hash, right.hash) };
}

/** Bit `at` of a key, from the most significant bit of its first byte on. */
export const bitOf = (key: Hash, at: number): 0 | 1 => (((key[at >> 3] ?? 0) >> (7 - (at & 7))) & 1 ? 1 : 0);

/** The subtree of leaves that share the first `depth` bits, in order of their keys, each key once. */
export function mapSubtree(leaves: readonly MapLeaf[], depth: number): MapNode {
  const [first] = leaves;
  if (first === undefined) return NO_LEAF;
  if (leaves.length === 1) return mapLeafNode(first);
  const [left, right] = splitLeaves(leaves, depth);
  return mapParent(mapSubtree(left, depth + 1), mapSubtree(right, depth + 1));
}

/** The leaves whose bit `depth` is 0, and the others. */
export function splitLeaves(leaves: readonly MapLeaf[], depth: number): readonly [MapLeaf[], MapLeaf[]] {
  const at = leaves.findIndex(({ key }) => bitOf(key, depth) === 1);
  return at < 0 ? [[...leaves], []] : [leaves.slice(0, at), leaves.slice(at)];
}

/**
 * A proof of what the map has under one key. `siblings` are those of the path from the root down, one for each bit of
 * the key. The path ends at the leaf of the key, at `other` (the only leaf below), or at nothing.
 */
export interface MapProof {
  readonly siblings: readonly Hash[];
  /** The leaf at which the path ends. Absent if it ends at nothing. */
  readonly leaf?: MapLeaf;
}

/**
 * The state of a stream that a proof shows under a root: its last revision and chain, `'absent'`, or undefined if the
 * proof is wrong. One root shows one thing of each stream, unless somebody finds a collision of SHA-256.
 */
export function provenState(
  stream: string,
  root: Hash,
  { siblings, leaf }: MapProof,
): Pick<MapLeaf, 'revision' | 'chain'> | 'absent' | undefined {
  const key = streamKey(stream);
  if (siblings.length > KEY_BITS || siblings.some(({ byteLength }) => byteLength !== HASH_BYTES)) return undefined;
  if (leaf !== undefined && !isLeafBelow(leaf, key, siblings.length)) return undefined;
  let hash = leaf === undefined ? NO_LEAF.hash : mapLeafHash(leaf);
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = siblings[depth] ?? NO_LEAF.hash;
    hash = bitOf(key, depth) === 1 ? pairHash(INNER, sibling, hash) : pairHash(INNER, hash, sibling);
  }
  if (!sameHash(hash, root)) return undefined;
  return leaf !== undefined && sameHash(leaf.key, key) ? { revision: leaf.revision, chain: leaf.chain } : 'absent';
}

function isLeafBelow({ key, revision, chain }: MapLeaf, path: Hash, depth: number): boolean {
  if (key.byteLength !== HASH_BYTES || chain.byteLength !== HASH_BYTES) return false;
  if (!Number.isSafeInteger(revision) || revision < 1) return false;
  for (let at = 0; at < depth; at += 1) if (bitOf(key, at) !== bitOf(path, at)) return false;
  return true;
}
