import { z } from 'zod';
import { TaskStatus } from '../task/decider.js';
import { GivenInstant, Label, NameId, PositionText, TraceId, Uuid, VersionId } from '../vocabulary/ids.js';
import { ReasonCode, VersionStatus } from '../vocabulary/words.js';
import { named } from './components.js';
import {
  CallEvidence,
  CallSummary,
  OcsfEvent,
  ReplayedCall,
  StoredEvent,
  TaskSummary,
  TracedTask,
} from './evidence.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { pageOf } from './shapes.js';

/**
 * All conditions that are given must hold. `reviewStatus` is the status that the version has now: after a revocation an
 * auditor asks which calls went to it, and no other condition answers that.
 */
export const CallQuery = z.object({
  capability: NameId.optional(),
  version: VersionId.optional(),
  task: Uuid.optional(),
  identity: Label.optional().describe('Matches the user (by id or pseudonym), the agent, the host or the actor.'),
  host: NameId.optional(),
  reviewStatus: VersionStatus.optional().describe('The status that the version has now.'),
  decision: z.enum(['allow', 'deny']).optional(),
  reason: z.union([z.literal('ok'), ReasonCode]).optional(),
  from: GivenInstant.optional().describe('Included.'),
  to: GivenInstant.optional().describe('Included.'),
});
export type CallQuery = z.infer<typeof CallQuery>;

export const TaskQuery = z.object({ host: NameId.optional(), status: TaskStatus.optional() });
export type TaskQuery = z.infer<typeof TaskQuery>;

/** Events of one page at most, apart from those that share the last position. */
export const MAX_EVENTS = 1000;

export const EventsQuery = z.object({
  after: PositionText.optional().describe('A position; the events after it are answered.'),
  cursor: PositionText.optional().describe('`next` of the page before; it goes before `after`.'),
  types: z
    .string()
    .max(2000)
    .regex(/^[A-Za-z]+(,[A-Za-z]+)*$/, 'needs names parted by commas')
    .optional()
    .describe('Event types, comma-separated.'),
  capability: NameId.optional(),
  format: z.enum(['json', 'ocsf']).optional().describe('`ocsf`: each event in the form for a SIEM.'),
  limit: z.coerce.number().int().min(1).max(MAX_EVENTS).optional().describe('Events of a page at most.'),
});
export type EventsQuery = z.infer<typeof EventsQuery>;

/** Of a list of calls or tasks. */
export const AUDIT_PAGE = { defaultLimit: 50, maxLimit: 200 } as const;

export const TraceEvidence = named(
  'TraceEvidence',
  z.object({
    traceId: TraceId,
    tasks: z.array(TracedTask),
    calls: z.array(CallEvidence),
    events: z.array(StoredEvent),
  }),
  { description: 'Everything that was recorded under a trace id.' },
);

export type TraceEvidence = Shape<typeof TraceEvidence>;

export const TraceReplay = named(
  'TraceReplay',
  z.object({
    traceId: TraceId,
    identical: z
      .union([z.boolean(), z.literal('engine_gone')])
      .describe(
        'true if no call came out otherwise, no key is missing, and no event of the trace is damaged or missing. engine_gone if the same ' +
          'holds, but this build lacks an engine that a call was decided with.',
      ),
    calls: z.array(ReplayedCall),
  }),
);
export type TraceReplay = Shape<typeof TraceReplay>;

const audit = { tag: 'audit', method: 'GET', roles: ['auditor'], admission: 'audits' } as const;
const OfTrace = z.object({ traceId: TraceId });

export const getTrace = operation({
  ...audit,
  id: 'getTrace',
  summary: 'Get all evidence of a trace',
  path: '/v1/audit/traces/{traceId}',
  params: OfTrace,
  answers: { 200: TraceEvidence },
  problems: ['too_large'],
});

export const replayTrace = operation({
  ...audit,
  id: 'replayTrace',
  summary: 'Decide every call of a trace again',
  description: 'Each decision is made again from the log, at the revisions and the time of then, and compared.',
  path: '/v1/audit/traces/{traceId}/replay',
  params: OfTrace,
  answers: { 200: TraceReplay },
  problems: ['too_large'],
});

export const findCalls = operation({
  ...audit,
  id: 'findCalls',
  summary: 'Find recorded calls',
  description: 'The newest first.',
  path: '/v1/audit/calls',
  query: CallQuery,
  paging: AUDIT_PAGE,
  answers: { 200: pageOf(CallSummary) },
});

export const findTasks = operation({
  ...audit,
  id: 'findTasks',
  summary: 'Find tasks of any host',
  description: 'The newest first.',
  path: '/v1/audit/tasks',
  query: TaskQuery,
  paging: AUDIT_PAGE,
  answers: { 200: pageOf(TaskSummary) },
});

export const listEvents = operation({
  ...audit,
  id: 'listEvents',
  summary: 'Read events of the log',
  description: 'In the order of the log. Follow `next` also if a page is empty: a page ends after a bounded search.',
  path: '/v1/audit/events',
  query: EventsQuery,
  answers: { 200: pageOf(z.union([StoredEvent, OcsfEvent])) },
});
