import { z } from 'zod';
import { Finding } from '../content/shapes.js';
import { TaskStatus } from '../task/decider.js';
import { InstantText, NameId, Reason, TraceId, Uuid, VersionId } from '../vocabulary/ids.js';
import { ResponseAnswer } from './calls.js';
import { named } from './components.js';
import { DamagedEvent, MissingEvent } from './evidence.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { MAX_PAGE, pageOf, Position, WaitMs } from './shapes.js';

/** Recorded responses: those that are held, their release, and their delivery afterwards. */

const OfCall = z.object({ callId: Uuid });

export const getResponse = operation({
  id: 'getResponse',
  tag: 'calls',
  summary: 'Get a recorded response',
  description:
    'The answer of a response that was handed in. One that is `held` has content once somebody has released it. If the ' +
    'call was stopped meanwhile, or its task is closed, the verdict is `rejected` and nothing is delivered. `waitMs` waits ' +
    'for the release.',
  method: 'GET',
  path: '/v1/calls/{callId}/response',
  rpc: 'Decisions/GetResponse',
  roles: ['host'],
  admission: 'calls',
  params: OfCall,
  query: z.object({
    taskId: Uuid,
    waitMs: WaitMs.describe('How long the answer may wait while the response is held.'),
  }),
  answers: { 200: ResponseAnswer },
});

const ReleaseResponse = named('ReleaseResponse', z.strictObject({ taskId: Uuid, reason: Reason }));

export const ReleaseAnswer = named(
  'ReleaseAnswer',
  z.object({ callId: Uuid, taskId: Uuid, releasedBy: z.string(), position: Position }),
);
export type ReleaseAnswer = Shape<typeof ReleaseAnswer>;

export const releaseResponse = operation({
  id: 'releaseResponse',
  tag: 'calls',
  summary: 'Release a held response',
  description:
    'The host of the call can then fetch the content, as marked evidence. A second release changes nothing. The task ' +
    'stays tainted.',
  method: 'POST',
  path: '/v1/calls/{callId}/release',
  roles: ['reviewer', 'operator'],
  params: OfCall,
  body: ReleaseResponse,
  answers: { 200: ReleaseAnswer },
  problems: ['invalid_transition'],
});

export const HeldResponse = named(
  'HeldResponse',
  z.object({
    callId: Uuid,
    taskId: Uuid,
    traceId: TraceId.nullable(),
    host: NameId,
    capability: NameId,
    version: VersionId.nullable(),
    operation: z.string(),
    state: z.enum(['held', 'released']),
    taskStatus: TaskStatus.optional().describe(
      'Of the task. A response of a task that has ended cannot be released. Absent if the task cannot be read.',
    ),
    heldAt: InstantText,
    findings: z.array(Finding),
    leftOut: z.int().min(1).optional(),
    released: z.object({ by: z.string(), at: InstantText, reason: z.string(), position: Position }).nullable(),
    position: Position.describe('Of the `ResponseValidated`.'),
  }),
  { description: 'A response that waits for a release, or waited for one, without its content.' },
);
export type HeldResponse = Shape<typeof HeldResponse>;

export const ResponseQuery = z.object({ state: z.enum(['held', 'released']).optional(), task: Uuid.optional() });
export type ResponseQuery = z.infer<typeof ResponseQuery>;

export const listResponses = operation({
  id: 'listResponses',
  tag: 'calls',
  summary: 'List held responses',
  description: 'The responses that are held now, or those that were released. The newest call first.',
  method: 'GET',
  path: '/v1/responses',
  roles: ['reviewer', 'operator'],
  admission: 'audits',
  query: ResponseQuery,
  paging: MAX_PAGE,
  answers: { 200: pageOf(z.union([HeldResponse, DamagedEvent, MissingEvent])) },
});
