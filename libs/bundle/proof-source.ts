import type { RecordedEvent } from '../event-log/port.js';
import type { MapProof } from '../transparency/completeness.js';
import type { NodeReader } from '../transparency/tree.js';

/** The log as of one checkpoint. Everything that it answers belongs to that checkpoint, also while the log grows. */
export interface SealedLog {
  /** The signed note. */
  readonly checkpoint: string;
  /** The leaves of its tree. */
  readonly size: number;
  /** The position of the last event in it. */
  readonly through: bigint;
  /** Its last leaf: the canonical JSON with the root of the completeness map. */
  readonly mapLeaf: string;
  /** The proofs of the last revisions of the streams that were asked for, in the same order. */
  readonly completeness: readonly MapProof[];
  /** The verifier keys of the checkpoint's signatures. */
  readonly keys: readonly string[];
  /** The numbers of the leaves of events, in the same order. Undefined for an event that is not in the tree. */
  leavesOf(events: readonly Pick<RecordedEvent, 'position' | 'stream' | 'revision'>[]): readonly (number | undefined)[];
  /** Reads the nodes of the tree, as `rangeRoot` does. */
  readonly node: NodeReader;
}

/** The sealed log, as far as an export needs it. */
export interface ProofSource {
  /**
   * The log as of its latest checkpoint, with the completeness of these streams. Undefined if nothing was sealed yet.
   */
  sealed(streams: readonly string[]): Promise<SealedLog | undefined>;
}
