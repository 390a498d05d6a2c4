import { EMPTY_ROOT, nodeHash, sameHash, type Hash } from './hash.js';
import { rangeRoot, splitOf, type NodeReader } from './tree.js';

/** The most hashes of a proof. A tree of 2^53 leaves needs fewer. */
export const MAX_PROOF_HASHES = 64;

/**
 * The inclusion proof of a leaf in the tree with `size` leaves (RFC 9162, 2.1.3.1), from the leaf's sibling upwards.
 * Throws `RangeError` if the tree has no such leaf.
 */
export function inclusionProof(index: number, size: number, node: NodeReader): Hash[] {
  if (!isIndex(index) || index >= size) throw new RangeError('the tree has no such leaf');
  const path: Hash[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.push(rangeRoot(middle, to, node));
      to = middle;
    } else {
      path.push(rangeRoot(from, middle, node));
      from = middle;
    }
  }
  return path.reverse();
}

/** Whether a leaf hash is the leaf at `index` of the tree with this size and root (RFC 9162, 2.1.3.2). */
export function verifyInclusion(
  leaf: Hash,
  index: number,
  { size, root }: { readonly size: number; readonly root: Hash },
  path: readonly Hash[],
): boolean {
  if (!isIndex(index) || !isIndex(size) || index >= size) return false;
  let [at, last] = [index, size - 1];
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = nodeHash(hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameHash(hash, root);
}

/**
 * The consistency proof between the trees with `from` and `to` leaves (RFC 9162, 2.1.4.1). Empty if they are the same,
 * or the first one is empty. Throws `RangeError` if `from` is greater than `to`.
 */
export function consistencyProof(from: number, to: number, node: NodeReader): Hash[] {
  if (!isIndex(from) || !isIndex(to) || from > to) throw new RangeError('the first tree is not the smaller one');
  if (from === 0 || from === to) return [];
  const path: Hash[] = [];
  let [start, end] = [0, to];
  // Ends at the subtree whose last leaf is the last leaf of the first tree.
  while (end !== from) {
    const middle = start + splitOf(end - start);
    if (from <= middle) {
      path.push(rangeRoot(middle, end, node));
      end = middle;
    } else {
      path.push(rangeRoot(start, middle, node));
      start = middle;
    }
  }
  // A verifier has the root of the first tree already.
  if (start !== 0) path.push(rangeRoot(start, end, node));
  return path.reverse();
}

export interface TreeHead {
  readonly size: number;
  readonly root: Hash;
}

/** Whether the second tree is the first one with more leaves, or the same (RFC 9162, 2.1.4.2). */
export function verifyConsistency(first: TreeHead, second: TreeHead, path: readonly Hash[]): boolean {
  if (!isIndex(first.size) || !isIndex(second.size) || first.size > second.size) return false;
  if (first.size === second.size) return path.length === 0 && sameHash(first.root, second.root);
  if (first.size === 0) return path.length === 0 && sameHash(first.root, EMPTY_ROOT);
  if (path.length === 0) return false;
  const [start, ...rest] = isPowerOfTwo(first.size) ? [first.root, ...path] : path;
  let [at, last] = [first.size - 1, second.size - 1];
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  let [older, newer] = [start ?? EMPTY_ROOT, start ?? EMPTY_ROOT];
  for (const hash of rest) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      older = nodeHash(hash, older);
      newer = nodeHash(hash, newer);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else newer = nodeHash(newer, hash);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameHash(older, first.root) && sameHash(newer, second.root);
}

const isIndex = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const isOdd = (value: number): boolean => value % 2 === 1;
/** Sizes may exceed 32 bits, so there are no shifts. */
const half = (value: number): number => Math.floor(value / 2);
const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value)) && 2 ** Math.log2(value) === value;
