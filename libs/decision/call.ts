import { z } from 'zod';
import type { JsonObject } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import type { Instant } from '../kernel/time.js';
import { ServerEvidence } from '../calls/events.js';
import { ObservedDefinition, Probe } from '../capability/definition.js';
import type { ShownProbe } from '../capability/probe.js';
import { DigestText, FreeObject, Label, NameId, Uuid, VersionId } from '../vocabulary/ids.js';
import { Level } from '../vocabulary/words.js';

/** A piece of content that the host would like to send along. */
export const ContextItem = z.object({
  id: z.string().min(1).max(256),
  source: z.string().min(1).max(1024),
  level: Level.optional(),
  categories: z.array(z.string().min(1).max(128)).max(64).optional(),
  content: z.string(),
});
export type ContextItem = z.infer<typeof ContextItem>;

/**
 * The body of an authorize request. Unknown fields are dropped; what is left is what a repeat is compared by. The fields
 * stand in the order of RFC 8785, in which they are written fastest.
 */
export const AuthorizeRequest = z.object({
  arguments: FreeObject,
  callId: Uuid,
  capability: NameId,
  context: z.array(ContextItem).optional(),
  explain: z.boolean().optional(),
  instanceId: Uuid.optional(),
  observed: z.object({
    definition: ObservedDefinition.optional(),
    definitionDigest: DigestText.optional(),
    probe: Probe.strip().optional(),
    server: ServerEvidence,
  }),
  operation: Label,
  taskId: Uuid,
  version: VersionId.optional(),
});
export type AuthorizeRequest = z.infer<typeof AuthorizeRequest>;

/** A call as it is decided: the request, whose it is, and when. Replay makes the same one from the record. */
export interface Call {
  readonly callId: string;
  readonly taskId: string;
  readonly host: string;
  readonly capability: string;
  readonly version?: string | undefined;
  readonly operation: string;
  readonly arguments: JsonObject;
  /** How many context items came along. */
  readonly contextItems: number;
  readonly observed: {
    /** What the server was asked with. A record holds it only if the definition differs under another probe. */
    readonly asked?: Probe | ShownProbe | undefined;
    readonly definition?: Digest | undefined;
    /** A whole definition came along, not only its digest. */
    readonly whole?: true | undefined;
    readonly probe?: Digest | undefined;
    readonly server: ServerEvidence;
  };
  readonly decidedAt: Instant;
}
