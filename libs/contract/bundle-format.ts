import { z } from 'zod';
import { canonicalJson, type Json } from '../kernel/canonical-json.js';
import { digestOfBytes, type Digest } from '../kernel/digest.js';
import { err, ok, type Result } from '../kernel/result.js';
import { parseStrictJson } from '../kernel/strict-json.js';
import { TraceId } from '../vocabulary/ids.js';

/**
 * The evidence of one trace in one file, which `sallyport verify` checks without a service. Everything in it can be
 * derived from sealed events or is checked against them, so nothing in it is believed.
 */

/** Bytes of a bundle at most: one text of V8 cannot be much larger. */
export const MAX_BUNDLE_BYTES = 480 * 1024 * 1024;
/** Events of a bundle at most. */
export const MAX_BUNDLE_EVENTS = 300_000;
/** Content may be nested as deep as the settings of a service allow, within a few levels of the bundle. */
const MAX_DEPTH = 1024;
/** Values of a bundle at most, counted before anything is built. */
const MAX_VALUES = 40_000_000;

const Text = z.string();
/** Standard base64 of 32 bytes. */
const Hash32 = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'needs 32 bytes in base64');
const FreeJson = z.unknown() as z.ZodType<Json>;

/** One part of a payload record: its name, its salt in base64, and its value in clear. */
const PayloadPart = z.tuple([Text, Hash32, FreeJson]);
export type PayloadPart = z.infer<typeof PayloadPart>;

const StreamProof = z.strictObject({
  /** From the root down. */
  siblings: z.array(Hash32).max(256),
  leaf: z.strictObject({ key: Hash32, revision: z.int().min(1), chain: Hash32 }).optional(),
});
export type StreamProof = z.infer<typeof StreamProof>;

const DamagedPlace = z.strictObject({
  position: Text,
  stream: Text,
  revision: z.int(),
  damaged: z.literal(true),
});

export const Bundle = z.strictObject({
  format: z.literal(1),
  traceId: TraceId,
  /**
   * Each event as it was written, its canonical JSON. Events of one stream are in their order, one after another. A damaged
   * one is in its place without its text. Its number in `leaves` is 0, and the bundle is not sound.
   */
  events: z.array(z.union([Text, DamagedPlace])).max(MAX_BUNDLE_EVENTS),
  /** By plain SHA-256: of the RFC 8785 form of a value, or of the UTF-8 of a text. */
  documents: z.record(Text, FreeJson),
  /** By `<stream>@<revision>`, the parts in order of their names. Absent if the bundle was exported without content. */
  payloads: z.record(Text, z.array(PayloadPart)).optional(),
  proofs: z.strictObject({
    /** The number of each event's leaf in the log, in the order of `events`. */
    leaves: z.array(z.int().min(0)).max(MAX_BUNDLE_EVENTS),
    /** Hashes of subtrees by their leaves, `<from>-<to>`, the last one not included. Each is there once. */
    nodes: z.record(Text, Hash32),
  }),
  completeness: z.strictObject({
    /** The last leaf of the checkpoint: the canonical JSON that holds the root of the completeness map. */
    leaf: Text,
    /** The proof of the last revision of each stream of the trace. */
    streams: z.record(Text, StreamProof),
  }),
  /** A C2SP signed note. */
  checkpoint: Text,
  /** The keys of its signatures, as C2SP verifier keys. */
  keys: z.array(Text).min(1).max(16),
  /** The engines that decided the calls, each once, in order of their canonical JSON. */
  engines: z.array(z.record(Text, FreeJson)),
});
export type Bundle = z.infer<typeof Bundle>;

/**
 * Reads a bundle strictly. Attacker-controlled input: time and memory are linear in the text. The error is one phrase
 * with the place in it, and quotes nothing.
 */
export function readBundle(text: string): Result<Bundle, string> {
  if (text.length > MAX_BUNDLE_BYTES) return err(`the file has more than ${MAX_BUNDLE_BYTES} characters`);
  const parsed = parseStrictJson(text, MAX_DEPTH, { most: MAX_VALUES });
  if (!parsed.ok) {
    const { message, path, offset } = parsed.error;
    const where = offset === undefined ? '' : ` at character ${offset}`;
    return err(`${path === undefined || path === '' ? '' : `${path}: `}${message}${where}`);
  }
  const read = Bundle.safeParse(parsed.value);
  if (isBundle(parsed.value, read)) return ok(parsed.value);
  const [issue] = read.error?.issues ?? [];
  const path = (issue?.path ?? []).map((step) => `/${String(step).slice(0, 100)}`).join('');
  return err(`${path === '' ? '' : `${path}: `}${issue?.message ?? 'has another form'}`);
}

/** The value itself is taken, and not the copy of the schema, which would drop a member called `__proto__`. */
const isBundle = (_value: unknown, { success }: { success: boolean }): _value is Bundle => success;

/** The digest by which `documents` names a document. A text is a policy set, and is digested as it is. */
export const documentDigest = (document: Json): Digest =>
  digestOfBytes(typeof document === 'string' ? document : canonicalJson(document));
