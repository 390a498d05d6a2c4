import { z } from 'zod';
import { TaskStatus } from '../task/decider.js';
import { GivenInstant, Label, NameId, PositionText, TraceId, Uuid, VersionId } from '../vocabulary/ids.js';
import { ReasonCode, VersionStatus } from '../vocabulary/words.js';
import { named } from './components.js';
import {
  ArchivedPlace,
  CallEvidence,
  CallSummary,
  DamagedEvent,
  DamagedTask,
  Histories,
  ListedEvent,
  MissingEvent,
  OcsfEvent,
  OneCall,
  ReplayedCall,
  TaskSummary,
  TracedTask,
} from './evidence.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { pageOf } from './shapes.js';

/** `csv` and `jsonl` answer the whole list at once, as a stream. */
export const ListFormat = z
  .enum(['json', 'csv', 'jsonl'])
  .describe('csv (RFC 4180) and jsonl (one JSON object a line) answer the whole list from the cursor on, as a stream.');
export type ListFormat = z.infer<typeof ListFormat>;

export const EventFormat = z
  .enum(['json', 'csv', 'jsonl', 'ocsf'])
  .describe(
    'csv and jsonl answer the whole list from the cursor on, as a stream. ocsf: each event in the form for a SIEM.',
  );
export type EventFormat = z.infer<typeof EventFormat>;

/**
 * All conditions that are given must hold. `reviewStatus` is the status that the version has now. After a revocation an
 * auditor asks which calls went to it, and no other condition answers that.
 */
export const CallQuery = z.object({
  call: Uuid.optional(),
  trace: TraceId.optional(),
  task: Uuid.optional(),
  capability: NameId.optional(),
  version: VersionId.optional(),
  operation: Label.optional(),
  user: Label.optional().describe('By id or pseudonym.'),
  agent: Label.optional(),
  policyVersion: z.coerce.number().int().min(1).optional().describe('The version of the policies in force.'),
  identity: Label.optional().describe('Matches the user (by id or pseudonym), the agent, the host or the actor.'),
  host: NameId.optional(),
  reviewStatus: VersionStatus.optional().describe('The status that the version has now.'),
  decision: z.enum(['allow', 'deny']).optional(),
  reason: z.union([z.literal('ok'), ReasonCode]).optional(),
  from: GivenInstant.optional().describe('Included.'),
  to: GivenInstant.optional().describe('Included.'),
  format: ListFormat.optional(),
});
export type CallQuery = z.infer<typeof CallQuery>;

export const TaskQuery = z.object({ host: NameId.optional(), status: TaskStatus.optional() });
export type TaskQuery = z.infer<typeof TaskQuery>;

/** Events of one page at most, apart from those that share the last position. */
export const MAX_EVENTS = 1000;

export const EventsQuery = z.object({
  after: PositionText.optional().describe('A position; the events after it are answered.'),
  cursor: z.string().max(1024).optional().describe('`next` of the page before; it goes before `after`.'),
  types: z
    .string()
    .max(2000)
    .regex(/^[A-Za-z]+(,[A-Za-z]+)*$/, 'needs names parted by commas')
    .optional()
    .describe('Event types, comma-separated.'),
  capability: NameId.optional(),
  actor: Label.optional(),
  stream: z.string().max(200).optional(),
  from: GivenInstant.optional().describe('Included.'),
  to: GivenInstant.optional().describe('Included.'),
  format: EventFormat.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_EVENTS).optional().describe('Events of a page at most.'),
});
export type EventsQuery = z.infer<typeof EventsQuery>;

/** Of a list of calls or tasks. */
export const TRACE_PAGE = { defaultLimit: 500, maxLimit: 1000 } as const;
export const AUDIT_PAGE = { defaultLimit: 50, maxLimit: 200 } as const;

const Next = z.string().optional().describe('The `cursor` of the next page; absent on the last one.');

export const TraceEvidence = named(
  'TraceEvidence',
  z.object({
    traceId: TraceId,
    tasks: z.array(z.union([TracedTask, DamagedTask])),
    calls: z.array(z.union([CallEvidence, DamagedEvent])),
    histories: Histories,
    events: z.array(ListedEvent),
    next: Next,
  }),
  { description: 'Everything that was recorded under a trace id.' },
);

export type TraceEvidence = Shape<typeof TraceEvidence>;

export const TraceReplay = named(
  'TraceReplay',
  z.object({
    traceId: TraceId,
    identical: z
      .union([z.boolean(), z.enum(['engine_gone', 'archived'])])
      .describe(
        'true if no call came out otherwise, no key is missing, and no event of the trace is damaged or missing. engine_gone if the same ' +
          'holds, but this build lacks an engine that a call was decided with. archived if calls were archived and removed, and ' +
          'the others are identical.',
      ),
    calls: z.array(z.union([ReplayedCall, DamagedEvent])),
    archived: z
      .array(ArchivedPlace.extend({ taskId: z.string() }))
      .optional()
      .describe(
        'Tasks whose calls were archived and removed. `sallyport verify` decides them again from their bundles.',
      ),
    unchecked: z.array(z.string()).describe('In words: what a replay cannot show.'),
    next: Next,
  }),
);
export type TraceReplay = Shape<typeof TraceReplay>;

/** Of a list that `format` streams. */
const STREAMED = ['text/csv', 'application/jsonl'] as const;

const audit = { tag: 'audit', method: 'GET', roles: ['auditor'], admission: 'audits' } as const;
const OfTrace = z.object({ traceId: TraceId });

export const getTrace = operation({
  ...audit,
  id: 'getTrace',
  summary: 'Get all evidence of a trace',
  description: 'In pages, in order of the log: a call is on the page of its decision, with its response and outcome.',
  path: '/v1/audit/traces/{traceId}',
  params: OfTrace,
  paging: TRACE_PAGE,
  answers: { 200: TraceEvidence },
});

export const replayTrace = operation({
  ...audit,
  id: 'replayTrace',
  summary: 'Decide every call of a trace again',
  description: 'Each decision is made again from the log, at the revisions and the time of then, and compared.',
  path: '/v1/audit/traces/{traceId}/replay',
  params: OfTrace,
  paging: TRACE_PAGE,
  answers: { 200: TraceReplay },
});

export const findCalls = operation({
  ...audit,
  id: 'findCalls',
  summary: 'Find recorded calls',
  description: 'The newest first.',
  path: '/v1/audit/calls',
  query: CallQuery,
  paging: AUDIT_PAGE,
  answers: { 200: pageOf(z.union([CallSummary, DamagedEvent, MissingEvent])) },
  formats: STREAMED,
});

export const getCall = operation({
  ...audit,
  id: 'getCall',
  summary: 'Get all evidence of one call',
  description: 'Two tasks may have calls of the same id. Then `task` must name one of them.',
  path: '/v1/audit/calls/{callId}',
  params: z.object({ callId: Uuid }),
  query: z.object({ task: Uuid.optional() }),
  answers: { 200: OneCall },
  problems: ['evidence_damaged'],
});

export const findTasks = operation({
  ...audit,
  id: 'findTasks',
  summary: 'Find tasks of any host',
  description: 'The newest first.',
  path: '/v1/audit/tasks',
  query: TaskQuery,
  paging: AUDIT_PAGE,
  answers: { 200: pageOf(z.union([TaskSummary, DamagedTask])) },
});

export const listEvents = operation({
  ...audit,
  id: 'listEvents',
  summary: 'Read events of the log',
  description: 'In the order of the log. Follow `next` also if a page is empty: a page ends after a bounded search.',
  path: '/v1/audit/events',
  query: EventsQuery,
  answers: { 200: pageOf(z.union([ListedEvent, OcsfEvent])) },
  formats: STREAMED,
});
