import { z } from 'zod';
import type { Json } from '../kernel/canonical-json.js';
import { DigestText } from '../vocabulary/ids.js';
import { Level, ServerMethod } from '../vocabulary/words.js';

/**
 * The kinds of findings. `schema`: the pinned output schema. `cap`: a limit of size, depth, time or cost. `disabled`: the
 * call was stopped meanwhile. `failure`: the validator itself failed. The detector names the exact rule.
 */
export const FindingKind = z.enum([
  'override',
  'role_marker',
  'tool_directive',
  'exfiltration',
  'memory_directive',
  'hidden_text',
  'encoded_instruction',
  'authority_claim',
  'secret',
  'pii',
  'schema',
  'cap',
  'disabled',
  'linear_model',
  'failure',
]);
export type FindingKind = z.infer<typeof FindingKind>;

const TextSpan = z.tuple([z.int().min(0), z.int().min(0)]);

/**
 * A finding about content: place and kind, never the content itself. `span` counts UTF-16 units of the text as the server
 * sent it. `key`: that text is the name of the member that `path` points to. Readers accept a kind of another release.
 */
export const Finding = z.object({
  detector: z.string(),
  kind: z.string(),
  path: z.string(),
  span: TextSpan.optional(),
  severity: z.enum(['info', 'low', 'high']),
  key: z.literal(true).optional(),
  /** Of the linear model: its score, its threshold, and the n-grams that weigh most, by their spans in the same text. */
  model: z.object({ score: z.number(), threshold: z.number(), spans: z.array(TextSpan) }).optional(),
});
export type Finding = z.infer<typeof Finding>;

/** A finding as this release writes it. */
export interface NewFinding extends Finding {
  readonly kind: FindingKind;
}

/** A finding about a response as a whole, or about one place of it. It delivers nothing. */
export const refusing = (kind: FindingKind, detector: string, path = ''): NewFinding => ({
  detector,
  kind,
  path,
  severity: 'high',
});

/** The digests of the rules that searched something. */
export const SearchedBy = z.strictObject({ instructions: DigestText, pack: DigestText });

/** How sensitive content is, and what it holds: names of kinds, such as `pii:email`. */
export const ContentLabel = z.strictObject({ level: Level, categories: z.array(z.string().max(128)) });
export type ContentLabel = z.infer<typeof ContentLabel>;

/** The source of content. `operation` is cleaned for display: an attacker may have chosen it. */
export const ContentSource = z.object({
  capability: z.string(),
  version: z.string(),
  operation: z.string(),
  server: z.object({ method: ServerMethod, result: z.enum(['verified', 'mismatch', 'unauthenticated']) }),
});
export type ContentSource = z.infer<typeof ContentSource>;

const FreeJson = z.unknown() as z.ZodType<Json>;

/** One piece of quoted evidence. */
export const Part = z.discriminatedUnion('type', [
  /** Begins with the line `<<untrusted BOUNDARY capability@version operation>>`, ends with `<<end BOUNDARY>>`. */
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('structured'), value: FreeJson }),
  /** `data` is base64; `size` and `digest` are of the bytes. */
  z.object({
    type: z.literal('blob'),
    mimeType: z.string(),
    size: z.int().min(0),
    digest: DigestText,
    data: z.string(),
  }),
]);
export type Part = z.infer<typeof Part>;

/**
 * A span that holds an instruction. `part` is an index of `parts`, `finding` one of the answer's findings. `span` counts
 * UTF-16 units: of a text part in its text, of a structured part in the string or key that `path` names, of a blob in the
 * text of its bytes. `path` has the names that a finding's own path leaves out, because this is content.
 */
export const Flag = z.object({
  part: z.int().min(0),
  path: z.string().optional(),
  span: z.tuple([z.int().min(0), z.int().min(0)]),
  finding: z.int().min(0),
});
export type Flag = z.infer<typeof Flag>;

/** The only form in which anything from a server reaches an agent. `digest` is of the JCS of all the other members. */
export const Envelope = z.object({
  integrity: z.literal('untrusted'),
  source: ContentSource,
  /** 128 random bits in hex, found nowhere in the content. */
  boundary: z.string().regex(/^[0-9a-f]{32}$/),
  parts: z.array(Part),
  /** The response holds an instruction. */
  quarantined: z.literal(true).optional(),
  /** Each run of white space inside of these spans is `^` and the first digits of the boundary. */
  flagged: z.array(Flag).optional(),
  digest: DigestText,
});
export type Envelope = z.infer<typeof Envelope>;
