import type { Completeness } from '../streams/seal-events.js';
import type { EventOf } from '../streams/catalogue.js';

/** Data of `CheckpointSealed`. */
export type Sealing = EventOf<'CheckpointSealed'>['data'];

/** A sealed checkpoint, as auditors get it. Hashes are standard base64. */
export interface SealedCheckpoint {
  readonly size: number;
  readonly root: string;
  readonly time: string;
  readonly note: string;
}

/** The proof of one leaf in the tree of a checkpoint. */
export interface LeafProof {
  readonly index: number;
  readonly hashes: readonly string[];
}

/** A leaf of the completeness map, and the siblings of its path from the root down (`libs/transparency/completeness.ts`). */
export interface StreamProof {
  readonly stream: string;
  readonly siblings: readonly string[];
  readonly leaf?: { readonly key: string; readonly revision: number; readonly chain: string };
}

/** Everything that proves events and whole streams under one checkpoint. */
export interface SealedEvidence {
  readonly checkpoint: string;
  /** The position of the last event in its tree, a decimal. */
  readonly through: string;
  readonly completeness: LeafProof & { readonly data: Completeness };
  /** In the order of the ids; undefined for an event that the checkpoint does not have. */
  readonly events: readonly (LeafProof | undefined)[];
  readonly streams: readonly StreamProof[];
}

/** Requests of the main thread. */
export type SealQuery =
  | { readonly kind: 'latest' }
  | { readonly kind: 'checkpoints'; readonly after: number; readonly limit: number }
  | { readonly kind: 'event'; readonly id: string }
  | { readonly kind: 'consistency'; readonly from: number; readonly to: number | undefined }
  | { readonly kind: 'tile'; readonly level: number; readonly index: number; readonly width: number }
  /** With `size`, the events are proven in the tree of that many leaves, which an earlier answer had. */
  | {
      readonly kind: 'evidence';
      readonly ids: readonly string[];
      readonly streams: readonly string[];
      readonly size?: number | undefined;
    };

/** The answer to each kind of query; undefined if the tree has nothing there. */
export interface SealAnswers {
  readonly latest: SealedCheckpoint | undefined;
  readonly checkpoints: readonly SealedCheckpoint[];
  /** A C2SP tlog-proof. */
  readonly event: string | undefined;
  readonly consistency: { readonly hashes: readonly string[] } | undefined;
  readonly tile: Uint8Array | undefined;
  readonly evidence: SealedEvidence | undefined;
}

export type AnswerTo<Query extends SealQuery> = SealAnswers[Query['kind']];

/** The state of sealing, for metrics and log lines. */
export interface SealStatus {
  /** The last checkpoint; size 0 if there is none. */
  readonly size: number;
  readonly root: string | undefined;
  /** Events of all streams in its tree. */
  readonly events: number;
  /** The position of the last event in the log, sealed or not. */
  readonly head: number;
  /** When the first event that no checkpoint has was seen, in milliseconds since 1970. */
  readonly unsealedSinceMs: number | undefined;
  /** Why no checkpoint can be made or witnessed now, in one line. */
  readonly trouble: string | undefined;
}

/** From the thread. The first message is `ready` or `refused`. */
export type FromSealer =
  | {
      readonly kind: 'ready';
      readonly origin: string;
      readonly notice: string | undefined;
      readonly status: SealStatus;
    }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'append'; readonly revision: number; readonly data: Sealing }
  | { readonly kind: 'status'; readonly status: SealStatus }
  | { readonly kind: 'answer'; readonly id: number; readonly answer?: unknown; readonly failure?: string };

/** To the thread. */
export type ToSealer =
  | { readonly kind: 'appended'; readonly failure: string | undefined }
  | { readonly kind: 'ask'; readonly id: number; readonly query: SealQuery }
  | { readonly kind: 'close' };
