import { z } from 'zod';
import { ObservedDefinition, Probe } from '../capability/definition.js';
import { DigestText, FreeObject, GivenInstant, Label, NameId, Uuid, VersionId } from '../vocabulary/ids.js';
import { ApprovalGrade, Effect, Level } from '../vocabulary/words.js';
import { OutcomeRecorded, ServerEvidence } from './events.js';

/** Context items of one call. A record of the filter holds as many. */
export const MAX_CONTEXT_ITEMS = 256;

const Categories = z.array(z.string().min(1).max(128)).max(64);

/** A piece of content that the host would like to send along. */
export const ContextItem = z.object({
  id: z.string().min(1).max(256),
  source: z.string().min(1).max(1024),
  level: Level.optional(),
  categories: Categories.optional(),
  content: z.string(),
  /** Ids of earlier context items or calls of the task whose labels it inherits. */
  derivedFrom: z.array(z.string().min(1).max(256)).max(64).optional(),
  mimeType: z.string().max(256).optional(),
  /** The call makes no sense without it: if it may not be sent, the call is denied. */
  required: z.boolean().optional(),
});
export type ContextItem = z.infer<typeof ContextItem>;

/** Each id once: `derivedFrom` names an item by it. A list that is too long is refused as such, after this. */
const ContextItems = z.array(ContextItem).superRefine((items, context) => {
  if (items.length > MAX_CONTEXT_ITEMS) return;
  const known = new Set<string>();
  for (const [index, { id }] of items.entries()) {
    if (known.has(id))
      return context.addIssue({ code: 'custom', path: [index, 'id'], message: 'is the id of an earlier item' });
    known.add(id);
  }
});

/** The caller's word about a value of the arguments. Detection can only raise it. */
export const ArgumentLabel = z.object({
  path: z.string().max(1024),
  level: Level.optional(),
  categories: Categories.optional(),
  source: z.string().min(1).max(1024).optional(),
});
export type ArgumentLabel = z.infer<typeof ArgumentLabel>;

/** A label as a host states it now. Records may hold paths of any form. */
const StatedLabel = ArgumentLabel.extend({
  path: ArgumentLabel.shape.path.regex(
    /^(\/([^~/]|~[01])*)*$/,
    'needs a JSON Pointer into the arguments, such as /body',
  ),
});

/**
 * The body of an authorize request. Unknown fields are dropped, and a repeat is compared by the others. The fields are
 * in the order of RFC 8785, which serialises fastest.
 */
export const AuthorizeRequest = z.object({
  approval: z.object({ at: GivenInstant, grade: ApprovalGrade.extract(['client']) }).optional(),
  arguments: FreeObject,
  callId: Uuid,
  capability: NameId,
  context: ContextItems.optional(),
  explain: z.boolean().optional(),
  instanceId: Uuid.optional(),
  labels: z.array(StatedLabel).max(256).optional(),
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

/** A server's response, handed over for validation: either a result or an error, as the server sent it. */
export const ResponseRequest = z
  .object({ taskId: Uuid, result: FreeObject.optional(), error: FreeObject.optional() })
  .refine(({ result, error }) => (result === undefined) !== (error === undefined), 'needs either a result or an error');
export type ResponseRequest = z.infer<typeof ResponseRequest>;

const OutcomeText = z.string().max(500);

export const OutcomeRequest = z.object({
  taskId: Uuid,
  status: OutcomeRecorded.shape.status,
  effect: z.object({ type: Effect, summary: OutcomeText.optional(), reference: OutcomeText.optional() }).optional(),
  control: OutcomeRecorded.shape.control.unwrap().strip().extend({ reason: OutcomeText.optional() }).optional(),
});
export type OutcomeRequest = z.infer<typeof OutcomeRequest>;
