import { z } from 'zod';

/** 32 bytes in standard base64. */
const HashText = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'needs 32 bytes in base64');

/**
 * The statement of a checkpoint about the log as a whole. Its canonical JSON, within `{"completeness":…}`, is the last leaf of the
 * checkpoint's tree.
 */
export const Completeness = z.strictObject({
  /** The root of the map from each stream to its last revision and chain. */
  root: HashText,
  /** Streams of the map, and events of all of them. */
  streams: z.int().min(0),
  events: z.int().min(0),
  /** Tasks that were opened: each got one key. */
  tasks: z.int().min(0),
  /** Tasks whose key was destroyed by a `TaskShredded`. */
  shredded: z.int().min(0),
});
export type Completeness = z.infer<typeof Completeness>;

/** Facts of the stream `seal`: the checkpoints of the log. They are no leaves themselves. */
export const sealEventSchemas = {
  /** A checkpoint, recorded before anybody sees it. */
  CheckpointSealed: z.strictObject({
    /** Leaves of the tree, the one of `completeness` included. */
    size: z.int().min(1),
    root: HashText,
    /** The position of the last event in the tree, a decimal. */
    through: z.string().regex(/^\d{1,20}$/, 'needs a position'),
    completeness: Completeness,
    /** The signed checkpoint (C2SP tlog-checkpoint). */
    note: z.string().min(1).max(4_000),
  }),
} as const;
