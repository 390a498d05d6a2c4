import { z } from 'zod';
import type { Json } from '../kernel/canonical-json.js';
import { DigestText } from '../vocabulary/ids.js';
import { ServerMethod } from '../vocabulary/words.js';

/** A finding about content: place and kind, never the content itself. `span` counts UTF-16 units. */
export const Finding = z.object({
  detector: z.string(),
  kind: z.string(),
  path: z.string(),
  span: z.tuple([z.int().min(0), z.int().min(0)]).optional(),
  severity: z.enum(['info', 'low', 'high']),
});
export type Finding = z.infer<typeof Finding>;

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

/** The only form in which anything from a server reaches an agent. `digest` is of the JCS of all the other members. */
export const Envelope = z.object({
  integrity: z.literal('untrusted'),
  source: ContentSource,
  /** 128 random bits in hex, found nowhere in the content. */
  boundary: z.string().regex(/^[0-9a-f]{32}$/),
  parts: z.array(Part),
  digest: DigestText,
});
export type Envelope = z.infer<typeof Envelope>;
