import { z } from 'zod';
import { ScopeEntry } from '../../task/scope.js';
import { FreeObject } from '../../vocabulary/ids.js';
import { Effect } from '../../vocabulary/words.js';

/** The service's answers, as far as a host reads them. Other members are dropped, so that a newer service works too. */

const Pin = z.object({ capability: z.string(), version: z.string(), definitionDigest: z.string() });

/** A task as it was opened; `scope` is what it may do. */
export const Task = z.object({
  taskId: z.string(),
  traceId: z.string(),
  pins: z.array(Pin),
  unresolved: z.array(z.object({ capability: z.string(), reason: z.string() })),
  expiresAt: z.string(),
  scope: z.array(ScopeEntry.strip()),
});
export type Task = z.infer<typeof Task>;

const Answered = z.object({
  callId: z.string(),
  traceId: z.string(),
  reason: z.string(),
  obligations: z.array(z.string()).default([]),
  epoch: z.int().min(0),
});

const ArgumentError = z.object({ path: z.string(), keyword: z.string() });
/** A JSON Pointer (RFC 6901) into the arguments and the schema keyword that fails there; never the value. */
export type ArgumentError = z.infer<typeof ArgumentError>;

const Difference = z.object({
  expected: z.string().optional(),
  observed: z.string().optional(),
  probe: z.object({ expected: FreeObject, observed: FreeObject }).optional().catch(undefined),
});
/** Digests of the reviewed and the observed definition, and the members in which the probes differ. */
export type Difference = z.infer<typeof Difference>;

/** A failed check, as far as a refusal shows its evidence. Evidence in another form is left out. */
const FailedCheck = z.object({
  check: z.string(),
  outcome: z.string(),
  evidence: Difference.extend({ errors: z.array(ArgumentError).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** An allow is complete or it is none: what may be sent, until when, and which targets stop it. */
export const Decision = z.discriminatedUnion('decision', [
  Answered.extend({
    decision: z.literal('allow'),
    outbound: z.object({ arguments: FreeObject }),
    targets: z.array(z.string()).min(1),
    expiresAt: z.iso.datetime(),
  }),
  Answered.extend({ decision: z.literal('deny'), checks: z.array(FailedCheck).default([]).catch([]) }),
]);
export type Decision = z.infer<typeof Decision>;
export type Allow = Extract<Decision, { decision: 'allow' }>;

const Part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('structured'), value: z.json() }),
  z.object({ type: z.literal('blob'), mimeType: z.string(), size: z.int(), digest: z.string(), data: z.string() }),
]);
export type Part = z.infer<typeof Part>;

/** A server's answer as quoted evidence. */
export const Envelope = z.object({
  integrity: z.literal('untrusted'),
  source: z.object({
    capability: z.string(),
    version: z.string(),
    operation: z.string(),
    server: z.object({ method: z.string(), result: z.string() }),
  }),
  boundary: z.string(),
  parts: z.array(Part),
  digest: z.string(),
});
export type Envelope = z.infer<typeof Envelope>;

const Finding = z.object({ detector: z.string(), kind: z.string(), path: z.string(), severity: z.string() });
export type Finding = z.infer<typeof Finding>;

export const Validated = z.discriminatedUnion('verdict', [
  z.object({ verdict: z.literal('accepted'), content: Envelope, findings: z.array(Finding) }),
  z.object({ verdict: z.enum(['quarantined', 'rejected']), findings: z.array(Finding) }),
]);
export type Validated = z.infer<typeof Validated>;

const Items = z.array(FreeObject).optional();

/** A version as it is registered: what it declares, and what each operation does. */
export const RegisteredVersion = z.object({
  definition: z.object({
    instructions: z.string().optional(),
    tools: Items,
    prompts: Items,
    resourceTemplates: Items,
    files: z.array(z.object({ path: z.string(), digest: z.string(), size: z.int() })).optional(),
  }),
  manifest: z.object({ operations: FreeObject }),
});
export type RegisteredVersion = z.infer<typeof RegisteredVersion>;

export const Effects = z.object({ effects: z.array(Effect).min(1) });
