import { EMPTY_ROOT, nodeHash, type Hash } from './hash.js';

/**
 * The hash of a complete subtree: of the leaves from `index * 2^height` on, `2^height` of them. Height 0 are the
 * leaves.
 */
export type NodeReader = (height: number, index: number) => Hash;

/** Hears of each node of a growing tree once it is complete, leaves included. */
export type NodeListener = (height: number, index: number, hash: Hash) => void;

/**
 * A Merkle tree (RFC 9162, 2.1) that grows at its right edge. It keeps one hash for each set bit of its size, which is
 * all that the root and further leaves need: at most 53.
 */
export class GrowingTree {
  private constructor(
    private leaves: number,
    /** From the largest complete subtree, on the left, to the smallest. */
    private readonly edge: Hash[],
  ) {}

  static empty(): GrowingTree {
    return new GrowingTree(0, []);
  }

  /** The tree with the first `size` leaves of one whose nodes can be read. */
  static at(size: number, node: NodeReader): GrowingTree {
    return new GrowingTree(
      size,
      subtreesOf(0, size).map(([height, index]) => node(height, index)),
    );
  }

  get size(): number {
    return this.leaves;
  }

  /** Adds the hash of the next leaf. */
  append(leaf: Hash, onNode?: NodeListener): void {
    let [hash, height, index] = [leaf, 0, this.leaves];
    onNode?.(height, index, hash);
    // Each set bit at the end of the old size is a subtree that the new leaf completes.
    for (; index % 2 === 1; height += 1) {
      hash = nodeHash(this.edge.pop() ?? EMPTY_ROOT, hash);
      index = (index - 1) / 2;
      onNode?.(height + 1, index, hash);
    }
    this.edge.push(hash);
    this.leaves += 1;
  }

  root(): Hash {
    return joined(this.edge);
  }
}

/** The root of a tree with these leaf hashes. */
export function rootOf(leaves: Iterable<Hash>): Hash {
  const tree = GrowingTree.empty();
  for (const leaf of leaves) tree.append(leaf);
  return tree.root();
}

/** The root of the leaves from `from` to before `to`, which is a node of a tree as RFC 9162 splits it. */
export const rangeRoot = (from: number, to: number, node: NodeReader): Hash =>
  joined(subtreesOf(from, to).map(([height, index]) => node(height, index)));

/** The largest power of two below `count`, which is at least 2: the leaves on the left of a split (RFC 9162, 2.1.1). */
export function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** The complete subtrees of a range, from left to right, as height and index. */
function subtreesOf(from: number, to: number): (readonly [height: number, index: number])[] {
  const found: (readonly [number, number])[] = [];
  for (let at = from; at < to;) {
    let [height, width] = [0, 1];
    while (at % (width * 2) === 0 && at + width * 2 <= to) [height, width] = [height + 1, width * 2];
    found.push([height, at / width]);
    at += width;
  }
  return found;
}

/** Joins subtrees from the right, because the smallest ones are deepest. */
const joined = (subtrees: readonly Hash[]): Hash =>
  subtrees.reduceRight<Hash | undefined>(
    (right, left) => (right === undefined ? left : nodeHash(left, right)),
    undefined,
  ) ?? EMPTY_ROOT;
