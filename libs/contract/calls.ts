import { z } from 'zod';
import { AuthorizeRequest, ContextItem, OutcomeRequest, ResponseRequest } from '../calls/requests.js';
import { ServerEvidence } from '../calls/events.js';
import { Envelope, Finding, FindingKind } from '../content/shapes.js';
import { DigestText, FreeObject, InstantText, TraceId, Uuid } from '../vocabulary/ids.js';
import { ApprovalCause, ApprovalGrade, CheckName, Level, ReasonCode, ResponseVerdict } from '../vocabulary/words.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { Position } from './shapes.js';

named('ReasonCode', ReasonCode, { description: 'Why a call is denied; the code of the check that failed.' });
named('ServerEvidence', ServerEvidence, { description: 'The proof of identity that the host saw of the server.' });
named('ContextItem', ContextItem, { description: 'Content that the host would like to send along.' });
named('AuthorizeRequest', AuthorizeRequest, {
  description: 'One call that an agent wants to make. Unknown members are ignored.',
  examples: [
    {
      callId: '7d0f1f8c-2f43-4c3f-8a53-5a3f0f1d7a11',
      taskId: '0b9bdb52-8f0e-4b8e-9d5c-0f5c2f9a4a10',
      capability: 'memory',
      operation: 'recall',
      arguments: { key: 'shopping' },
      observed: {
        definitionDigest: 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
        server: { method: 'package', integrity: 'sha512-bWVtb3J5' },
      },
    },
  ],
});
named('ResponseRequest', ResponseRequest, { description: 'Either a `result` or an `error`, as the server sent it.' });
named('OutcomeRequest', OutcomeRequest, { description: 'The outcome of the call, in the words of the host.' });
named('Envelope', Envelope, {
  description:
    'The only form in which anything from a server may reach an agent: quoted evidence, marked as untrusted.',
});
named('Finding', Finding, {
  description: `Something noticed about a response: its place and kind, never the content. Kinds: ${FindingKind.options.join(', ')}.`,
});

export const Evidence = named('Evidence', z.record(z.string(), z.unknown()), {
  description: 'The facts that a check looked at; the members depend on the check.',
});
export type Evidence = Shape<typeof Evidence>;

export const Check = named(
  'Check',
  z.object({ check: CheckName, outcome: z.enum(['pass', 'fail', 'skipped']), evidence: Evidence.optional() }),
  { description: 'A check of the decision. The checks are listed in order, up to the first that failed.' },
);

const Path = z.string().describe('A JSON Pointer (RFC 6901).');

export const Outbound = named(
  'Outbound',
  z.object({
    arguments: FreeObject,
    context: z.array(ContextItem),
    redactions: z.array(z.object({ path: Path, type: z.string(), count: z.int() })),
    refusals: z.array(z.object({ path: Path, reason: ReasonCode })),
    labels: z
      .array(z.object({ path: Path, level: Level, categories: z.array(z.string()), source: z.string() }))
      .describe('The labels of what is sent. Forward them in `_meta["dev.sallyport/labels"]` of the request.'),
  }),
  { description: 'The only thing that may be sent to the server.' },
);
export type Outbound = Shape<typeof Outbound>;

export const AskedApproval = named(
  'AskedApproval',
  z.object({
    id: Uuid,
    state: z.enum(['pending', 'denied', 'used']),
    by: ApprovalGrade.describe('Who must approve: the client, the user of the task, or somebody else.'),
    why: z.array(ApprovalCause),
    url: z.string().optional().describe('The approval at the service, if the service knows its own address.'),
    expiresAt: InstantText,
  }),
  { description: 'The approval that the call needs. It counts for exactly this content, and for one allow.' },
);
export type AskedApproval = Shape<typeof AskedApproval>;

export const AuthorizeAnswer = named(
  'Decision',
  z.object({
    callId: Uuid,
    taskId: Uuid,
    traceId: TraceId,
    decision: z.enum(['allow', 'deny']),
    reason: z.union([z.literal('ok'), ReasonCode]),
    rule: z.string().optional().describe('The policy or directive that determined the decision.'),
    capability: z.string(),
    version: z.string().optional(),
    operation: z.string(),
    checks: z.array(Check),
    outbound: Outbound.optional().describe('Present if the call is allowed.'),
    targets: z.array(z.string()).optional().describe('A later directive against any of these voids the allow.'),
    obligations: z.array(z.string()).describe('Duties of the host, such as `submit_definition` or `request_approval`.'),
    approval: AskedApproval.optional().describe(
      "The approval that a denied call needs, or that an allow rests on. A client's word without a request has none.",
    ),
    epoch: z.int().min(0).describe('The epoch of the directives that the decision rests on.'),
    leaseMs: z.int().min(1),
    expiresAt: InstantText.optional().describe('An allow is void from then on.'),
    position: Position,
  }),
  {
    description:
      'A decision, recorded durably before it is answered. Treat anything but `"decision": "allow"` as a deny.',
  },
);
export type AuthorizeAnswer = Shape<typeof AuthorizeAnswer>;

export const ResponseAnswer = named(
  'ResponseAnswer',
  z.object({
    callId: Uuid,
    verdict: ResponseVerdict,
    findings: z.array(Finding),
    rawDigest: DigestText,
    position: Position,
    content: Envelope.optional().describe(
      'The content that the agent may be given; absent if the response was rejected, or is held.',
    ),
    held: z.literal(true).optional().describe('The content waits for a release by a reviewer or an operator.'),
    leftOut: z.int().min(1).optional().describe('How many further findings there are, none of them more severe.'),
  }),
);

export const OutcomeAnswer = named('OutcomeAnswer', z.object({ callId: Uuid, position: Position }));
export type OutcomeAnswer = Shape<typeof OutcomeAnswer>;

const OfCall = z.object({ callId: Uuid });

export const authorizeCall = operation({
  id: 'authorizeCall',
  tag: 'calls',
  summary: 'Ask whether a call may be made',
  description:
    'Ask before the first byte to a server (operation `$connect`) and before each call. A decision is a 200, allow or ' +
    'deny. The same `callId` with the same body is decided again on the present state; with another body it is ' +
    '`call_conflict`.',
  method: 'POST',
  path: '/v1/calls/authorize',
  rpc: 'Decisions/Authorize',
  rpcStream: 'Decisions/AuthorizeStream',
  roles: ['host'],
  admission: 'calls',
  // The body may carry a definition.
  bodyLimit: 'definitionBytes',
  body: AuthorizeRequest,
  answers: { 200: AuthorizeAnswer },
  problems: ['call_conflict', 'call_finished'],
});

export const validateResponse = operation({
  id: 'validateResponse',
  tag: 'calls',
  summary: "Hand in a server's response",
  description:
    'The service validates the response once and answers it as quoted evidence. One that holds an instruction is ' +
    '`quarantined`: its content is marked, held until a release, or refused, as the review of the version says. If the ' +
    'call was stopped meanwhile, nothing of it is delivered. The same body again gets the recorded answer.',
  method: 'POST',
  path: '/v1/calls/{callId}/response',
  rpc: 'Decisions/ValidateResponse',
  roles: ['host'],
  admission: 'calls',
  bodyLimit: 'responseBytes',
  params: OfCall,
  body: ResponseRequest,
  rawBody: true,
  answers: { 200: ResponseAnswer },
  problems: ['call_conflict', 'invalid_transition'],
});

export const recordOutcome = operation({
  id: 'recordOutcome',
  tag: 'calls',
  summary: 'Record the outcome of a call',
  description: 'The outcome `unknown` may be replaced once; every other outcome is final.',
  method: 'POST',
  path: '/v1/calls/{callId}/outcome',
  rpc: 'Decisions/RecordOutcome',
  roles: ['host'],
  admission: 'calls',
  params: OfCall,
  body: OutcomeRequest,
  answers: { 200: OutcomeAnswer },
  problems: ['invalid_transition', 'call_conflict'],
});
