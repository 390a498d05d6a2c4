import { z } from 'zod';
import { OutcomeRecorded, ResponseValidated } from '../calls/events.js';
import { OutcomeRequest } from '../calls/requests.js';
import { Source } from '../capability/manifest.js';
import { ContentLabel, ContentSource, Envelope, Finding } from '../content/shapes.js';
import { Pin, TaskStatus } from '../task/decider.js';
import { ScopeEntry } from '../task/scope.js';
import { DigestText, InstantText } from '../vocabulary/ids.js';
import { Handling } from '../vocabulary/quarantine.js';
import { ApprovalGrade, Kind, ResponseVerdict } from '../vocabulary/words.js';
import { Check, Evidence, Outbound } from './calls.js';
import { named } from './components.js';
import type { Shape } from './shape.js';
import { Review } from './registry.js';
import { Position } from './shapes.js';
import { Integrity, NoContent, PSEUDONYM, TaskView } from './tasks.js';

/** The shapes of audit evidence. Content that is gone or damaged is named, never left out silently. */

export const StoredEvent = named(
  'StoredEvent',
  z.object({
    position: Position,
    stream: z.string(),
    revision: z.int().min(1),
    id: z.string(),
    type: z.string(),
    schemaVersion: z.int().min(1),
    time: z.string(),
    actor: z.string(),
    traceId: z.string().optional(),
    correlationId: z.string().optional(),
    causationId: z.string().optional(),
    data: z.unknown(),
  }),
  { description: 'An event as it was written, with its position. `docs` describes the data of each type.' },
);

export type StoredEvent = Shape<typeof StoredEvent>;

export const OcsfEvent = named(
  'OcsfEvent',
  z.looseObject({
    class_uid: z.int(),
    category_uid: z.int(),
    activity_id: z.int(),
    type_uid: z.int(),
    severity_id: z.int(),
    time: z.int().describe('Milliseconds since 1970.'),
    metadata: z.looseObject({ version: z.string(), uid: z.string().describe('The id of the event.') }),
  }),
  {
    description:
      'An event in the form of OCSF 1.9, for a SIEM, without content. `docs/operate/siem.md` lists its parts.',
  },
);
const PLACE = { position: Position, stream: z.string(), revision: z.int().min(1) };

export const DamagedEvent = named('DamagedEvent', z.object({ ...PLACE, damaged: z.literal(true) }), {
  description: 'An event whose bytes are not those that were written, or that is gone, in its place.',
});
export type DamagedEvent = Shape<typeof DamagedEvent>;

export const MissingEvent = named('MissingEvent', z.object({ ...PLACE, missing: z.literal(true) }), {
  description: 'An event that the index of calls names and the log does not have.',
});
export type MissingEvent = Shape<typeof MissingEvent>;

/** An item of a list of events. */
export const ListedEvent = z.union([StoredEvent, DamagedEvent]);

export const RegistryEvidence = named(
  'RegistryEvidence',
  z.object({
    capability: z.string(),
    kind: Kind,
    category: z.string(),
    owner: z.string(),
    source: Source.nullable(),
    version: z.string().nullable(),
    definitionDigest: z.string().nullable(),
    signature: Evidence.nullable(),
    review: Review.nullable(),
    trust: z.literal('low').optional().describe('A reviewer accepted that nothing proves which server this is.'),
  }),
  { description: 'A1: the registry as of the decision. Members are null if no registered version was reached.' },
);
export type RegistryEvidence = Shape<typeof RegistryEvidence>;

export const ResponseEvidence = named(
  'ResponseEvidence',
  z.object({
    raw: z.unknown().describe('`{result}` or `{error}`, as the server sent it.'),
    validated: Envelope.nullable().describe(
      'The envelope that the agent was given, a held one only after its release; null if nothing was delivered.',
    ),
    sourceLabel: ContentSource.nullable(),
    verdict: ResponseVerdict,
    handling: Handling.nullable().describe('The handling of a response that holds an instruction; null for any other.'),
    findings: z.array(Finding),
    leftOut: z.int().min(1).optional().describe('How many further findings there are.'),
    label: ContentLabel.nullable().describe('null if the response was not searched.'),
    engines: ResponseValidated.shape.engines.unwrap().nullable().describe('The digests of the rules that searched it.'),
    released: z
      .object({ by: z.string(), at: InstantText, reason: z.string(), position: Position })
      .nullable()
      .describe('Who let the host have a held response.'),
  }),
);
export type ResponseEvidence = Shape<typeof ResponseEvidence>;

const GivenApproval = named(
  'GivenApproval',
  z.object({
    id: z.string().optional(),
    decision: z.literal('granted'),
    by: z.string().describe('The principal that approved; the host, if only its client did.'),
    grade: ApprovalGrade,
    at: InstantText,
  }),
  { description: 'The approval that the call rested on, as the service recorded it.' },
);
export type GivenApproval = Shape<typeof GivenApproval>;

/** Without its texts, which are content. */
const OutcomeFacts = z.object({
  status: OutcomeRecorded.shape.status,
  effect: OutcomeRecorded.shape.effect.unwrap().nullable(),
  control: OutcomeRecorded.shape.control.unwrap().extend({ approval: GivenApproval.optional() }).nullable(),
});

const { effect: ToldEffect, control: ToldControl } = OutcomeRequest.shape;
const Outcome = OutcomeFacts.extend({
  effect: ToldEffect.unwrap().nullable(),
  control: ToldControl.unwrap().extend({ approval: GivenApproval.optional() }).nullable(),
});

const AttestedUser = z.object({
  id: z.string(),
  pseudonym: z.string().optional().describe(PSEUDONYM),
  roles: z.array(z.string()),
  attestedBy: z.string(),
});

export const CallFacts = z.object({
  callId: z.string(),
  taskId: z.string(),
  traceId: z.string().nullable(),
  host: z.string(),
  agent: z.string().nullable().describe('null if the call belongs to no task of the host.'),
  user: AttestedUser.nullable().describe('On the word of the host; null if the call belongs to no task of the host.'),
  purpose: z.string().nullable().describe('Of the task. If its text is gone, `shredded`, `key_missing` or `damaged`.'),
  attestedBy: z.string().describe('The host, on whose word agent, user, purpose and all that was observed are.'),
  policyVersion: z.int().nullable().describe('The version of the policies that was in force; null if none was.'),
  damaged: z
    .literal(true)
    .optional()
    .describe(
      'Something that the decision rests on, or what the filter took out, or its response or outcome, cannot be read from the log.',
    ),
  time: InstantText,
  attempt: z.int(),
  capability: z.string(),
  version: z.string().nullable(),
  operation: z.string(),
  decision: z.enum(['allow', 'deny']),
  reason: z.string(),
  position: Position,
  checks: z
    .array(Check)
    .describe('With all evidence, by deciding again; with the recorded evidence if that does not come out the same.'),
  engine: z
    .literal('engine_gone')
    .optional()
    .describe('Present if this build lacks an engine that the record names: what it said is shown as recorded.'),
  registry: RegistryEvidence.nullable(),
  serverAuthentication: Evidence.nullable().describe('A2; null if the check was not reached.'),
  scopeCheck: z
    .object({
      capability: Evidence.nullable(),
      task: Evidence.nullable(),
      user: Evidence.nullable(),
      rule: z.string().nullable(),
      reason: z.string(),
    })
    .describe('A3: the evidence of each check; null if it was not reached.'),
  credential: z.null().describe('A5: no credential is issued yet.'),
  outcome: OutcomeFacts.nullable().describe('A7, without its texts.'),
});
export type CallFacts = Shape<typeof CallFacts>;

export const CallEvidence = named(
  'CallEvidence',
  CallFacts.extend({
    outbound: z
      .union([Outbound, NoContent])
      .nullable()
      .describe('A4: the arguments and context that the host was given to send.'),
    response: z.union([ResponseEvidence, NoContent]).nullable().describe('A6: the response of the server.'),
    outcome: Outcome.nullable().describe('A7. If its texts were erased, `shredded` replaces each of them.'),
    capabilityHistory: z
      .array(Position)
      .describe('A8: the events about the capability around the task, by their positions in `histories`.'),
  }),
  { description: 'The evidence of one recorded attempt.' },
);
export type CallEvidence = Shape<typeof CallEvidence>;

/** The events about each capability that the calls of an answer concern, once for all of them. */
export const Histories = z
  .record(z.string(), z.array(ListedEvent))
  .describe('By capability: its changes, reviews and stops, from its registration on, in order of position.');

export const OneCall = named(
  'OneCall',
  CallEvidence.extend({
    histories: Histories,
    attempts: z
      .array(
        z.union([
          z.object({ attempt: z.int(), position: Position, decision: z.string(), reason: z.string() }),
          DamagedEvent,
          MissingEvent,
        ]),
      )
      .describe('All recorded attempts at the call. The evidence is that of the last one.'),
  }),
  { description: 'The evidence of one call.' },
);
export type OneCall = Shape<typeof OneCall>;

export const CallSummary = named(
  'CallSummary',
  CallFacts.extend({
    outbound: z.union([Outbound.pick({ redactions: true, refusals: true }), z.literal('damaged')]).nullable(),
    response: z
      .union([ResponseEvidence.omit({ raw: true, validated: true, sourceLabel: true }), z.literal('damaged')])
      .nullable(),
  }),
  { description: 'The evidence of an attempt without content and history.' },
);
export type CallSummary = Shape<typeof CallSummary>;

export const ArchivedPlace = named(
  'ArchivedPlace',
  z.object({
    position: Position.describe('Of the `TracesArchived` that names the archive.'),
    time: InstantText,
    file: z.string().describe('The bundle in the folder of the archive.'),
    digest: z.string().describe('SHA-256 of the bundle.'),
  }),
  { description: 'The archive to which a trace was moved: its calls and its content are no longer in the log.' },
);
export type ArchivedPlace = Shape<typeof ArchivedPlace>;

export const TracedTask = named(
  'TracedTask',
  TaskView.extend({
    closeReason: z.string().optional().describe('The words of the host; `shredded` if they were erased.'),
    archived: ArchivedPlace.optional().describe('Present if its calls and its content were archived and removed.'),
  }),
  { description: 'A task, and why its host closed it.' },
);
export type TracedTask = Shape<typeof TracedTask>;

export const DamagedTask = named('DamagedTask', z.object({ taskId: z.string(), ...PLACE, damaged: z.literal(true) }), {
  description: 'A task whose state cannot be read, with the place of the first event that is damaged or missing.',
});
export type DamagedTask = Shape<typeof DamagedTask>;

export const TaskSummary = named(
  'TaskSummary',
  TaskView.pick({ taskId: true, traceId: true, host: true, agent: true, expiresAt: true }).extend({
    user: AttestedUser,
    scope: z.array(ScopeEntry),
    pins: z.array(Pin),
    openedAt: InstantText,
    status: TaskStatus,
    integrity: Integrity,
    taintedAt: InstantText.optional(),
  }),
  { description: 'A task without its content.' },
);
export type TaskSummary = Shape<typeof TaskSummary>;

const ComparedDecision = z.object({
  decision: z.enum(['allow', 'deny']),
  reason: z.string(),
  digest: DigestText.describe('SHA-256 of the RFC 8785 form of {decision, reason, rule, checks, commitments, basis}.'),
});
export type ComparedDecision = Shape<typeof ComparedDecision>;

const ReplayedResponse = z.object({
  position: Position,
  verdict: ResponseVerdict.describe('As recorded.'),
  again: z
    .enum(['same', 'differs', 'damaged', 'unchecked'])
    .describe(
      'The verdict, the findings and the envelope, made again from the content. damaged: an event that they rest on cannot be read. unchecked: the content is gone, or the ' +
        'verdict rested on something that the record does not hold.',
    ),
});
export type ReplayedResponse = Shape<typeof ReplayedResponse>;

export const ReplayedCall = named(
  'ReplayedCall',
  z.object({
    callId: z.string(),
    attempt: z.int(),
    position: Position,
    recorded: ComparedDecision,
    redecided: ComparedDecision,
    response: ReplayedResponse.optional().describe('The validation of its response, again; absent if it has none.'),
    damaged: z
      .literal(true)
      .optional()
      .describe('Something that the decision rests on, or its response or outcome, cannot be read from the log.'),
    identical: z
      .union([z.boolean(), z.enum(['shredded', 'key_missing', 'engine_gone'])])
      .describe(
        'shredded: the content was erased, as a TaskShredded says, and all else agrees. key_missing: the key is gone ' +
          'without such an event, and all else agrees: the trace is not identical. engine_gone: this build lacks the decider, the ' +
          'Cedar or another engine of the record; record and content are whole, and what that engine said is as recorded.',
      ),
  }),
);
export type ReplayedCall = Shape<typeof ReplayedCall>;
