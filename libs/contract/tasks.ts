import { z } from 'zod';
import { ApproveRule, Pin, TaskStatus, Unresolved } from '../task/decider.js';
import { CloseTask, OpenTask } from '../task/request.js';
import { ScopeEntry } from '../task/scope.js';
import { FreeObject, InstantText, TraceId, Uuid } from '../vocabulary/ids.js';
import { named } from './components.js';
import { operation } from './operation.js';
import type { Shape } from './shape.js';
import { Position } from './shapes.js';

named('ScopeEntry', ScopeEntry, {
  description:
    'The part of a capability that a task may use. Without `operations` it covers those whose effects are all in `effects`; ' +
    'with both, both must hold; with neither, it covers nothing.',
});
named('OpenTask', OpenTask, {
  description: 'The agent, the user that it acts for, the purpose, and the capabilities that it may use.',
  examples: [
    {
      agent: 'assistant',
      user: { id: 'ada', roles: ['staff'] },
      purpose: 'answer a question about last week',
      scope: [{ capability: 'memory', effects: ['read'] }],
    },
  ],
});
named('CloseTask', CloseTask);
named('ApproveRule', ApproveRule, {
  description: 'Calls with one of these effects need an approval, in addition to those that the policies ask for.',
});
named('Pin', Pin, { description: 'The version of a capability that the task is bound to.' });
named('Unresolved', Unresolved, { description: 'A capability without a usable version, and why.' });

const opened = {
  taskId: Uuid,
  traceId: TraceId,
  pins: z.array(Pin),
  unresolved: z.array(Unresolved),
  expiresAt: InstantText,
  epoch: z.int().min(0),
};

export const TaskOpened = named('TaskOpened', z.object({ ...opened, position: Position }));
export type TaskOpened = Shape<typeof TaskOpened>;

/**
 * Why content is not there.
 * - `shredded`: it was erased, and the log has the `TaskShredded` that says so.
 * - `key_missing`: the key is gone, and the log does not say why. This is damage.
 * - `damaged`: it is not what its event committed to.
 * - `archived`: it was archived and removed, and the log has the `TracesArchived` that says so.
 */
export const NoContent = z.enum(['shredded', 'key_missing', 'damaged', 'archived']);
export type NoContent = z.infer<typeof NoContent>;

/** Of a member of users. */
export const PSEUDONYM = 'The name of the user in events. If the user was erased, `id` is the same.';

export const Integrity = z
  .enum(['clean', 'tainted'])
  .describe('`tainted` once a response of the task held an instruction, delivered or not.');

export const TaskView = named(
  'Task',
  z.object({
    ...opened,
    position: Position.optional(),
    host: z.string(),
    agent: z.string(),
    user: z.object({
      id: z.string(),
      pseudonym: z.string().optional().describe(PSEUDONYM),
      roles: z.array(z.string()),
      attributes: z.union([FreeObject, NoContent]),
      attestedBy: z.string(),
    }),
    purpose: z.string(),
    scope: z.array(ScopeEntry),
    approve: ApproveRule.optional(),
    status: TaskStatus,
    integrity: Integrity,
    taintedAt: InstantText.optional(),
  }),
  { description: 'A task. If its content was erased, `shredded` replaces the purpose and the attributes.' },
);
export type TaskView = Shape<typeof TaskView>;

const OfTask = z.object({ taskId: Uuid });

export const openTask = operation({
  id: 'openTask',
  tag: 'tasks',
  summary: 'Open a task',
  description:
    'A task states who acts for whom and what it may use. Opening it pins one version of each capability. The same ' +
    '`taskId` or `Idempotency-Key` with the same body answers what was recorded.',
  method: 'POST',
  path: '/v1/tasks',
  rpc: 'Tasks/Open',
  roles: ['host'],
  admission: 'calls',
  idempotencyKey: true,
  body: OpenTask,
  answers: { 201: TaskOpened },
  location: '/v1/tasks/{taskId}',
  problems: ['beyond_ceiling', 'already_exists'],
});

export const getTask = operation({
  id: 'getTask',
  tag: 'tasks',
  summary: 'Get a task',
  description: 'A task belongs to the host that opened it; another host gets `not_found`.',
  method: 'GET',
  path: '/v1/tasks/{taskId}',
  rpc: 'Tasks/Get',
  roles: ['host'],
  admission: 'calls',
  params: OfTask,
  answers: { 200: TaskView },
});

export const closeTask = operation({
  id: 'closeTask',
  tag: 'tasks',
  summary: 'Close a task',
  description: 'No call of a closed task is allowed. Closing it again changes nothing.',
  method: 'POST',
  path: '/v1/tasks/{taskId}/close',
  rpc: 'Tasks/Close',
  roles: ['host'],
  params: OfTask,
  body: CloseTask.nullish(),
  answers: { 200: TaskView },
});
