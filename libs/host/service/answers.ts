import { z } from 'zod';
import { Definition } from '../../capability/definition.js';
import { ManifestOperation } from '../../capability/manifest.js';
import * as content from '../../content/shapes.js';
import { ApprovalView } from '../../contract/approvals.js';
import { AuthorizeAnswer, Check, Outbound, ResponseAnswer } from '../../contract/calls.js';
import { ProblemDocument } from '../../contract/problem.js';
import { TaskView } from '../../contract/tasks.js';
import { tolerant } from '../../contract/tolerant.js';
import { FreeObject } from '../../vocabulary/ids.js';

/** The contract's answers, as far as a host reads them, and so that a newer service works too. */

/** Why there is no answer. */
export const Problem = tolerant(ProblemDocument.pick({ code: true })).extend({
  detail: z.string().optional().catch(undefined),
});

/** A task as it was opened; `scope` is what it may do. */
export const Task = tolerant(
  TaskView.pick({ taskId: true, traceId: true, pins: true, unresolved: true, expiresAt: true, scope: true }),
);
export type Task = z.infer<typeof Task>;

const Answered = tolerant(AuthorizeAnswer.pick({ callId: true, traceId: true, reason: true, epoch: true })).extend({
  obligations: tolerant(AuthorizeAnswer.shape.obligations).default([]),
});

const ArgumentError = z.object({ path: z.string(), keyword: z.string() });
/** A JSON Pointer (RFC 6901) into the arguments and the schema keyword that fails there; never the value. */
export type ArgumentError = z.infer<typeof ArgumentError>;

const Difference = z.object({
  expected: z.string().optional(),
  observed: z.string().optional(),
  probe: z.object({ expected: FreeObject, observed: FreeObject }).optional().catch(undefined),
  hint: z.string().optional().catch(undefined),
});
/** Digests of the reviewed and the observed definition, and the members in which the probes differ. */
export type Difference = z.infer<typeof Difference>;

/** A failed check, as far as a refusal shows its evidence. Evidence in another form is left out. */
const FailedCheck = tolerant(Check.pick({ check: true, outcome: true })).extend({
  evidence: Difference.extend({ errors: z.array(ArgumentError).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** A value that was taken out of what is sent, whole or in part. `type` says why. */
const Redaction = tolerant(Outbound.shape.redactions.element);
export type Redaction = z.infer<typeof Redaction>;
/** A context item or argument that was not sent. `reason` is a reason code. */
const OutboundRefusal = tolerant(Outbound.shape.refusals.element);
export type OutboundRefusal = z.infer<typeof OutboundRefusal>;

/** The approval that a call needs: its id, who must give it, and until when. */
const AskedApproval = tolerant(AuthorizeAnswer.shape.approval.unwrap());
export type AskedApproval = z.infer<typeof AskedApproval>;

/** An approval as the host that asked for it sees it. `state` is a word of the contract, or a newer one. */
export const Approval = tolerant(ApprovalView.pick({ id: true, state: true, expiresAt: true }));
export type Approval = z.infer<typeof Approval>;

/** An allow is complete or it is none: what may be sent, until when, and which targets stop it. */
export const Decision = z.discriminatedUnion('decision', [
  Answered.extend({
    decision: z.literal('allow'),
    outbound: tolerant(Outbound.pick({ arguments: true })).extend({
      context: z.array(FreeObject).default([]),
      labels: z.array(FreeObject).default([]),
      redactions: z.array(Redaction).default([]),
      refusals: z.array(OutboundRefusal).default([]),
    }),
    targets: AuthorizeAnswer.shape.targets.unwrap().min(1),
    expiresAt: AuthorizeAnswer.shape.expiresAt.unwrap(),
  }),
  Answered.extend({
    decision: z.literal('deny'),
    checks: z.array(FailedCheck).default([]).catch([]),
    approval: AskedApproval.optional().catch(undefined),
  }),
]);
export type Decision = z.infer<typeof Decision>;
export type Allow = Extract<Decision, { decision: 'allow' }>;

/** A server's answer as quoted evidence. */
export const Envelope = tolerant(content.Envelope);
export type Envelope = z.infer<typeof Envelope>;
export type Part = Envelope['parts'][number];

const Finding = tolerant(content.Finding.omit({ span: true }));
export type Finding = z.infer<typeof Finding>;

const { verdict } = ResponseAnswer.shape;
/** A rejected response has no content. A quarantined one has none while it is held. */
export const Validated = z.discriminatedUnion('verdict', [
  z.object({ verdict: verdict.extract(['accepted']), content: Envelope, findings: z.array(Finding) }),
  z.object({ verdict: verdict.extract(['quarantined']), content: Envelope.optional(), findings: z.array(Finding) }),
  z.object({ verdict: verdict.extract(['rejected']), content: z.undefined().optional(), findings: z.array(Finding) }),
]);
export type Validated = z.infer<typeof Validated>;

/** A version as it is registered: what it declares, and what each operation does. Operations are read one by one. */
export const RegisteredVersion = z.object({
  definition: tolerant(
    Definition.pick({ instructions: true, tools: true, prompts: true, resourceTemplates: true, files: true }),
  ),
  manifest: z.object({ operations: FreeObject }),
  /** Of the search of its texts. */
  findings: z.array(tolerant(content.Finding)).optional(),
});
export type RegisteredVersion = z.infer<typeof RegisteredVersion>;

/** Closed: an operation with an unknown effect counts as one without effects, so no agent sees it. */
export const Effects = ManifestOperation.pick({ effects: true }).strip();
