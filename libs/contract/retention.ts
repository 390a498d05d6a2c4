import { z } from 'zod';
import { Label, Reason, Uuid } from '../vocabulary/ids.js';
import { named } from './components.js';
import { operation } from './operation.js';
import { Position } from './shapes.js';

const Because = named('EraseRequest', z.strictObject({ reason: Reason }), {
  description: 'The reason stays in the log for auditors to read: do not name the user in it.',
  examples: [{ reason: 'request 4711 of the data protection office' }],
});

export const shredTask = operation({
  id: 'shredTask',
  tag: 'retention',
  summary: 'Erase the content of a task',
  description:
    'The purpose, the attributes of the user, arguments, context, responses and free texts of the task become unreadable ' +
    'permanently: the event `TaskShredded` is recorded, and then the key is destroyed. Decisions, digests and proofs ' +
    'remain. An open task is closed first. The same request again changes nothing.',
  method: 'POST',
  path: '/v1/tasks/{taskId}/shred',
  roles: ['admin'],
  params: z.object({ taskId: Uuid }),
  body: Because,
  answers: { 200: named('TaskShredded', z.object({ taskId: Uuid, position: Position })) },
});

export const eraseUser = operation({
  id: 'eraseUser',
  tag: 'retention',
  summary: 'Erase a user',
  description:
    'The key of the pseudonym is destroyed, so nothing in the log leads to the person, and the content of all tasks of ' +
    'the user is erased. Open tasks are closed first. `UserErased` is recorded before. The same request again continues ' +
    'an erasure that failed, and changes nothing if nothing is known about the user.',
  method: 'POST',
  path: '/v1/users/{user}/erase',
  roles: ['admin'],
  params: z.object({ user: Label.describe('The id of the user, as hosts name it.') }),
  body: Because,
  answers: {
    200: named(
      'UserErased',
      z.object({
        shreddedTasks: z.int().min(0).describe('Tasks whose content this request erased.'),
        position: Position,
      }),
    ),
  },
  problems: ['view_stale'],
});
