import { z } from 'zod';
import { ShownProbe } from '../capability/probe.js';
import { ContentLabel, Finding, SearchedBy } from '../content/shapes.js';
import { DigestText, InstantText, Label, NameId, Reason, Uuid, VersionId } from '../vocabulary/ids.js';
import { Handling } from '../vocabulary/quarantine.js';
import {
  ApprovalCause,
  ApprovalGrade,
  ApprovalVerdict,
  CheckName,
  Effect,
  Level,
  ReasonCode,
  ResponseVerdict,
  ServerMethod,
} from '../vocabulary/words.js';

/**
 * The host's evidence about the server, by the method it used. Attackers can influence it: it is compared, never
 * trusted.
 */
export const ServerEvidence = z.object({
  command: z.string().max(4096).optional(),
  id: z.string().max(2048).optional(),
  integrity: z.string().max(512).optional(),
  method: ServerMethod,
  resource: z.string().max(2048).optional(),
  spki: z.string().max(512).optional(),
  subject: z.string().max(1024).optional(),
  url: z.string().max(2048).optional(),
});
export type ServerEvidence = z.infer<typeof ServerEvidence>;

/**
 * A recorded check. To keep CallDecided small, a passed check is its bare name, else `[check, outcome]` or `[check,
 * outcome, evidence]`.
 */
export const RecordedCheck = z.union([
  CheckName,
  z.tuple([CheckName, z.enum(['fail', 'skipped'])]),
  z.tuple([CheckName, z.enum(['fail', 'skipped']), z.record(z.string(), z.unknown())]),
]);
export type RecordedCheck = z.infer<typeof RecordedCheck>;

/** A label that a part of a request has because of earlier content of the task. */
export const FlowLabel = z.strictObject({
  /**
   * `/context/<index>`, or `/arguments` and the ordinals of the members that lead to the value, in the order of their
   * names (RFC 8785): a name itself may be content.
   */
  path: z.string(),
  level: Level,
  categories: z.array(z.string()),
  /**
   * The content that it repeats or is derived from: the id of a call for its response, `<call>/context/<index>` for a
   * context item, `derived` for another item that it is derived from, `several`, or `task` for the high-water mark of the task.
   */
  source: z.string(),
});
export type FlowLabel = z.infer<typeof FlowLabel>;

/** The host's word that a client approved, in time, and the keyed digest of the content that was approved. */
export const ClientApproval = z.strictObject({ at: InstantText, contentDigest: DigestText });
export type ClientApproval = z.infer<typeof ClientApproval>;

/** The labels and the word of the host that the service added to a call before its decision. Replay reads the record. */
export const DecisionInputs = z.strictObject({
  clientApproval: ClientApproval.optional(),
  /** The level of context items without one. Absent if every item has one. */
  contextLevel: Level.optional(),
  flow: z.array(FlowLabel).optional(),
  /** The task holds more content than can be compared, so that its arguments have its high-water mark. */
  flowIsFull: z.literal(true).optional(),
});
export type DecisionInputs = z.infer<typeof DecisionInputs>;

/**
 * A decision and its evidence. These are facts of stream `calls-<taskId>`. A CallRefused in `refusals-<host>` has the
 * same fields, for a call that belongs to no task of that host. Values that the basis pins (expected digest, reviewer,
 * signature) are in the streams that it names and are not repeated here.
 */
export const CallDecided = z.strictObject({
  /** The approval that an allow used, or that a deny asks for or was refused by. Absent before version 4. */
  approval: Uuid.optional(),
  callId: Uuid,
  taskId: Uuid,
  attempt: z.int().min(1),
  host: NameId,
  /** The agent and the id of the user, as the task names them. Absent without a task, and in version 1. */
  agent: Label.optional(),
  user: Label.optional(),
  capability: NameId,
  version: VersionId.optional(),
  operation: Label,
  /** The effects of the operation, if it is registered. */
  effects: z.array(Effect).optional(),
  decision: z.enum(['allow', 'deny']),
  reason: z.union([z.literal('ok'), ReasonCode]),
  rule: z.string().optional(),
  checks: z.array(RecordedCheck),
  /** Stream and revision of everything that the decision relied on. */
  basis: z.record(z.string(), z.int().min(0)),
  observed: z.strictObject({
    /** The probe that the host sent to the server. Present if both the definition and the probe differ. */
    asked: ShownProbe.optional(),
    definition: DigestText.optional(),
    /** The request held the whole definition, which could therefore suspend the version. */
    whole: z.literal(true).optional(),
    /** That definition differs from the pinned one, and is equal to it if a member that is null counts as absent. */
    equalButForNulls: z.literal(true).optional(),
    probe: DigestText.optional(),
    server: ServerEvidence,
  }),
  /** How many context items were offered; their content is in the payload record. */
  contextItems: z.int().min(0),
  commitments: z.strictObject({ arguments: DigestText, context: DigestText, labels: DigestText }).partial(),
  /**
   * Keyed digest of the request, which tells a repeat from a conflict. A refused call has none, because it has no key.
   */
  requestDigest: DigestText.optional(),
  /** Scope entry whose `maxCalls` this allow counts against. */
  counts: z.int().min(0).optional(),
  expiresAt: InstantText.optional(),
  /** A ContextFiltered comes right before this event, in the same append. */
  filtered: z.literal(true).optional(),
  /** Labels that the service worked out before the decision, and that no content of the call holds. */
  inputs: DecisionInputs.optional(),
  instanceId: Uuid.optional(),
  /**
   * Versions of the deciding software. `pack` is the digest of the rule pack that found secrets and personal data. A
   * member of another name is an engine that this build does not know.
   */
  engines: z.looseObject({ decider: z.int(), cedar: z.string(), pack: DigestText.optional() }),
});
export type CallDecided = z.infer<typeof CallDecided>;

const FilterRedaction = z.strictObject({ path: z.string(), type: z.string(), count: z.int().min(1) });
const FilterRefusal = z.strictObject({ path: z.string(), reason: ReasonCode });
const FilteredItem = z.strictObject({
  path: z.string(),
  bytes: z.int().min(0),
  level: Level,
  categories: z.array(z.string()),
  sent: z.boolean(),
  need: z.string().optional(),
});
const FilteredLabel = z.strictObject({
  path: z.string(),
  level: Level,
  categories: z.array(z.string()),
  by: z.enum(['stated', 'default', 'flow', 'detected']),
});

/**
 * The parts of a request that the filter took out, refused, or found to be above `public`; the decision is the next event. It
 * holds pointers into the request, and never a value. `*` in a pointer is a name that only the caller has.
 */
export const ContextFiltered = z.strictObject({
  callId: Uuid,
  taskId: Uuid,
  attempt: z.int().min(1),
  capability: NameId,
  version: VersionId.optional(),
  operation: Label,
  redactions: z.array(FilterRedaction),
  refusals: z.array(FilterRefusal),
  items: z.array(FilteredItem),
  labels: z.array(FilteredLabel),
  /** Whose word the stated labels are. */
  attestedBy: NameId,
  /** The task holds more content than can be compared: it counts as `strict`. */
  flow: z.literal('full').optional(),
  /** The rule pack. */
  pack: DigestText,
});
export type ContextFiltered = z.infer<typeof ContextFiltered>;

/** The verdict on a response. Raw response and envelope are content, in the event's payload record. */
export const ResponseValidated = z.strictObject({
  callId: Uuid,
  taskId: Uuid,
  attempt: z.int().min(1),
  verdict: ResponseVerdict,
  findings: z.array(Finding),
  /** Further findings, of no higher severity. */
  leftOut: z.int().min(1).optional(),
  /** The handling of a response that holds an instruction. Present only then: it taints the task. */
  handling: Handling.optional(),
  /** Present if the response was searched, as `engines` is: the digests of the rules that searched it. */
  label: ContentLabel.optional(),
  engines: SearchedBy.optional(),
  commitments: z.strictObject({ raw: DigestText, validated: DigestText.optional() }),
  requestDigest: DigestText,
  epoch: z.int().min(0),
});
export type ResponseValidated = z.infer<typeof ResponseValidated>;

/** Somebody lets the host have the content of a response that was held. */
export const ResponseReleased = z.strictObject({
  callId: Uuid,
  taskId: Uuid,
  attempt: z.int().min(1),
  reason: Reason,
  epoch: z.int().min(0),
});
export type ResponseReleased = z.infer<typeof ResponseReleased>;

/**
 * The downstream result of a call, as the host reports it. Its free texts are content, in the event's payload record:
 * `commitments` has one member for each.
 */
export const OutcomeRecorded = z.strictObject({
  callId: Uuid,
  taskId: Uuid,
  status: z.enum(['succeeded', 'failed', 'unknown']),
  effect: z.strictObject({ type: Effect }).optional(),
  control: z.strictObject({ decision: z.string().max(200), by: z.string().max(200).optional() }).optional(),
  commitments: z.strictObject({ summary: DigestText, reference: DigestText, reason: DigestText }).partial().optional(),
  /** Keyed digest of the request; of an event of version 1, the plain digest of its data. */
  requestDigest: DigestText,
});
export type OutcomeRecorded = z.infer<typeof OutcomeRecorded>;

/**
 * A call needs an approval that nobody has given. It is recorded in the append of the deny, just before it. The record of
 * the deny has the content, and `contentDigest` is a digest of it under the task's key.
 */
export const ApprovalRequested = z.strictObject({
  approvalId: Uuid,
  callId: Uuid,
  taskId: Uuid,
  capability: NameId,
  version: VersionId,
  operation: Label,
  effects: z.array(Effect),
  contentDigest: DigestText,
  /** Who must approve. */
  grade: ApprovalGrade,
  why: z.array(ApprovalCause).readonly(),
  /** The policies that ask for it. */
  rule: z.string().optional(),
  expiresAt: InstantText,
});
export type ApprovalRequested = z.infer<typeof ApprovalRequested>;

/** An approver, the actor, has decided. The reason is written to be read by auditors, so it stays in the event. */
export const ApprovalDecided = z.strictObject({
  approvalId: Uuid,
  callId: Uuid,
  taskId: Uuid,
  verdict: ApprovalVerdict,
  /** The approver's relation to the task. Absent if the approver is nobody's human. */
  grade: ApprovalGrade.optional(),
  reason: Reason.optional(),
});
export type ApprovalDecided = z.infer<typeof ApprovalDecided>;

/** Facts of stream `calls-<taskId>`. */
export const callsEventSchemas = {
  CallDecided,
  ContextFiltered,
  ResponseValidated,
  ResponseReleased,
  OutcomeRecorded,
  ApprovalRequested,
  ApprovalDecided,
} as const;

/** Facts of stream `refusals-<host>`. */
export const refusalsEventSchemas = { CallRefused: CallDecided } as const;
