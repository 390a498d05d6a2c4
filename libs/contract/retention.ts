import { z } from 'zod';
import { Reason, Uuid } from '../vocabulary/ids.js';
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
