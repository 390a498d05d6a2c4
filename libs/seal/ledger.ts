import { canonicalJson } from '../kernel/canonical-json.js';
import type { Completeness } from '../streams/seal-events.js';
import { CHAIN_START, chained, streamKey, type MapLeaf } from '../transparency/completeness.js';
import { CompletenessMap, type MapLeaves } from '../transparency/completeness-map.js';
import { hashText, leafHash, type Hash } from '../transparency/hash.js';
import type { GrowingTree, NodeListener } from '../transparency/tree.js';
import { SealFault } from './fault.js';
import type { LeafEvent } from './seal-log.js';

/** The leaves of the completeness map, with a look-up by key. */
export interface SealedStreams extends MapLeaves {
  find(key: Hash): MapLeaf | undefined;
}

export type Counts = Omit<Completeness, 'root'>;

export const NO_COUNTS: Counts = { streams: 0, events: 0, tasks: 0, shredded: 0 };

export interface LedgerParts {
  readonly tree: GrowingTree;
  readonly streams: SealedStreams;
  readonly counts: Counts;
  readonly onNode?: NodeListener;
}

/** The tree at a checkpoint. */
export interface SealedHead {
  readonly size: number;
  readonly root: Hash;
  readonly completeness: Completeness;
}

/** The leaf of a checkpoint's completeness. No event has this form. */
export const completenessLeaf = (completeness: Completeness): string => canonicalJson({ completeness });

/**
 * The tree and the completeness map as the events of the log make them: events in order, then the leaf of a checkpoint,
 * then further events. The sealer and `sallyport check` share it, so both have one meaning of a checkpoint.
 */
export class Ledger {
  private readonly map: CompletenessMap;
  private readonly changed = new Map<string, MapLeaf>();
  private counts: Counts;

  constructor(private readonly parts: LedgerParts) {
    this.counts = parts.counts;
    this.map = new CompletenessMap(parts.streams);
  }

  get size(): number {
    return this.parts.tree.size;
  }

  /** Adds an event, and returns the index of its leaf. Throws `SealFault` if it is not the next one of its stream. */
  add({ position, stream, revision, type, json, pruned }: LeafEvent): number {
    const key = streamKey(stream);
    const before = this.changed.get(stream) ?? this.parts.streams.find(key);
    if (revision !== (before?.revision ?? 0) + 1)
      throw new SealFault(
        `position ${position}: ${stream}@${revision} follows ${stream}@${before?.revision ?? 0}: an event is missing or out of order`,
      );
    const leaf = pruned?.leaf ?? leafHash(json);
    this.changed.set(stream, { key, revision, chain: chained(before?.chain ?? CHAIN_START, leaf) });
    const { streams, events, tasks, shredded } = this.counts;
    this.counts = {
      streams: streams + (before === undefined ? 1 : 0),
      events: events + 1,
      tasks: tasks + (type === 'TaskOpened' ? 1 : 0),
      shredded: shredded + (type === 'TaskShredded' ? 1 : 0),
    };
    this.parts.tree.append(leaf, this.parts.onNode);
    return this.size - 1;
  }

  /** Ends a checkpoint: adds its leaf, and returns the head that is signed. */
  seal(): SealedHead {
    this.map.update([...this.changed.values()]);
    this.changed.clear();
    this.parts.tree.append(leafHash(completenessLeaf(this.head.completeness)), this.parts.onNode);
    return this.head;
  }

  /** The head of the last checkpoint, if no event was added after it. */
  get head(): SealedHead {
    const completeness = { root: hashText(this.map.root), ...this.counts };
    return { size: this.size, root: this.parts.tree.root(), completeness };
  }

  /** The root of the map at the last checkpoint, and its proofs. */
  get sealedMap(): Pick<CompletenessMap, 'root' | 'prove'> {
    return this.map;
  }
}

/**
 * Compares a checkpoint of the log with the tree that its events make. Throws `SealFault`; `revision` is that of the
 * checkpoint in the stream `seal`.
 */
export function compareHead(
  revision: number,
  recorded: { readonly size: number; readonly root: string; readonly completeness: Completeness },
  { size, root, completeness }: SealedHead,
): void {
  const at = `checkpoint ${revision} (size ${recorded.size})`;
  if (size !== recorded.size) throw new SealFault(`${at}: the log has ${size} leaves up to it`);
  if (canonicalJson(completeness) !== canonicalJson(recorded.completeness))
    throw new SealFault(`${at}: the streams up to it are not those that it seals`);
  if (hashText(root) !== recorded.root) throw new SealFault(`${at}: the events up to it are not those that it seals`);
}
