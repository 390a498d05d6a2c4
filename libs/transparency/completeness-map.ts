import {
  bitOf,
  KEY_BITS,
  mapParent,
  mapSubtree,
  splitLeaves,
  streamKey,
  type MapLeaf,
  type MapNode,
  type MapProof,
} from './completeness.js';
import { HASH_BYTES, sameHash, type Hash } from './hash.js';

/** Keys that share this many bits are one bucket. */
export const BUCKET_BITS = 16;

const BUCKETS = 2 ** BUCKET_BITS;
const KINDS: readonly MapNode['kind'][] = ['none', 'leaf', 'inner'];

/** The store of the leaves. Buckets are numbered by the first bits of their keys. */
export interface MapLeaves {
  /** The buckets that have leaves, each with its leaves in order of their keys. */
  filled(): Iterable<readonly [number: number, leaves: readonly MapLeaf[]]>;
  /** The leaves of a bucket, in order of their keys. */
  bucket(number: number): readonly MapLeaf[];
  /** Sets leaves by their keys. */
  put(leaves: readonly MapLeaf[]): void;
}

/**
 * The completeness map over leaves that may be in a file. It holds the nodes above the buckets in memory (4 MiB), and
 * computes those below from the leaves of one bucket. So an update costs a bucket and 16 hashes, and the memory does not
 * grow with the number of streams.
 */
export class CompletenessMap {
  /** Nodes as a heap: the root is 1, the children of n are 2n and 2n + 1, and the buckets are the last ones. */
  private readonly hashes = Buffer.alloc(2 * BUCKETS * HASH_BYTES);
  private readonly kinds = new Uint8Array(2 * BUCKETS);

  constructor(private readonly leaves: MapLeaves) {
    const filled: number[] = [];
    for (const [number, bucket] of leaves.filled()) {
      this.set(BUCKETS + number, mapSubtree(bucket, BUCKET_BITS));
      filled.push(BUCKETS + number);
    }
    this.joinAbove(filled);
  }

  get root(): Hash {
    return Buffer.from(this.node(1).hash);
  }

  /** Sets the leaves of streams that are new or have changed. Each key occurs once. */
  update(leaves: readonly MapLeaf[]): void {
    if (leaves.length === 0) return;
    this.leaves.put(leaves);
    const numbers = new Set(leaves.map(({ key }) => bucketOf(key)));
    for (const number of numbers) this.set(BUCKETS + number, this.bucketNode(number));
    this.joinAbove([...numbers].map((number) => BUCKETS + number));
  }

  /** The proof of what the map has of a stream. */
  prove(stream: string): MapProof {
    const key = streamKey(stream);
    const siblings: Hash[] = [];
    let at = 1;
    for (let depth = 0; depth < BUCKET_BITS; depth += 1) {
      if (this.node(at).kind !== 'inner') return { siblings, ...this.leafBelow(at, depth) };
      const bit = bitOf(key, depth);
      siblings.push(Buffer.from(this.node(2 * at + 1 - bit).hash));
      at = 2 * at + bit;
    }
    return provenWithin(this.leaves.bucket(bucketOf(key)), key, siblings);
  }

  private node(at: number): MapNode {
    const hash = this.hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
    return { kind: KINDS[this.kinds[at] ?? 0] ?? 'none', hash };
  }

  private set(at: number, { kind, hash }: MapNode): void {
    this.kinds[at] = KINDS.indexOf(kind);
    this.hashes.set(hash, at * HASH_BYTES);
  }

  /** Computes all nodes above these. Level by level, so that a parent of several changed nodes is computed once. */
  private joinAbove(nodes: readonly number[]): void {
    for (let above = parentsOf(nodes); above.size > 0; above = parentsOf([...above]))
      for (const at of above) this.join(at);
  }

  private join(at: number): void {
    this.set(at, mapParent(this.node(2 * at), this.node(2 * at + 1)));
  }

  private bucketNode(number: number): MapNode {
    return mapSubtree(this.leaves.bucket(number), BUCKET_BITS);
  }

  /** The only leaf below a node above the buckets, if there is one. */
  private leafBelow(at: number, depth: number): { leaf?: MapLeaf } {
    let below = at;
    if (this.node(below).kind !== 'leaf') return {};
    for (let level = depth; level < BUCKET_BITS; level += 1)
      below = this.node(2 * below).kind === 'leaf' ? 2 * below : 2 * below + 1;
    const [leaf] = this.leaves.bucket(below - BUCKETS);
    return leaf === undefined ? {} : { leaf };
  }
}

/** The rest of a path, among the leaves of one bucket. */
function provenWithin(bucket: readonly MapLeaf[], key: Hash, above: readonly Hash[]): MapProof {
  const siblings = [...above];
  let leaves = bucket;
  for (let depth = BUCKET_BITS; depth < KEY_BITS && leaves.length > 1; depth += 1) {
    const [left, right] = splitLeaves(leaves, depth);
    const isRight = bitOf(key, depth) === 1;
    siblings.push(mapSubtree(isRight ? left : right, depth + 1).hash);
    leaves = isRight ? right : left;
  }
  const [leaf] = leaves;
  return leaf === undefined ? { siblings } : { siblings, leaf };
}

export const bucketOf = (key: Hash): number => (((key[0] ?? 0) << 8) | (key[1] ?? 0)) >> (16 - BUCKET_BITS);

const parentsOf = (nodes: readonly number[]): Set<number> =>
  new Set(nodes.filter((at) => at > 1).map((at) => Math.floor(at / 2)));

/** Leaves in memory. */
export class MemoryLeaves implements MapLeaves {
  private readonly buckets = new Map<number, MapLeaf[]>();

  filled(): Iterable<readonly [number, readonly MapLeaf[]]> {
    return this.buckets;
  }

  bucket(number: number): readonly MapLeaf[] {
    return this.buckets.get(number) ?? [];
  }

  put(leaves: readonly MapLeaf[]): void {
    for (const leaf of leaves) {
      const number = bucketOf(leaf.key);
      const bucket = this.buckets.get(number) ?? [];
      this.buckets.set(number, bucket);
      const at = bucket.findIndex(({ key }) => Buffer.compare(key, leaf.key) >= 0);
      const found = at < 0 ? undefined : bucket[at];
      if (found !== undefined && sameHash(found.key, leaf.key)) bucket[at] = leaf;
      else bucket.splice(at < 0 ? bucket.length : at, 0, leaf);
    }
  }
}
