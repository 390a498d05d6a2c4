import { z } from 'zod';
import { FreeObject, Uuid } from '../vocabulary/ids.js';
import { OutcomeRecorded } from './events.js';

/** A server's response, handed over for validation: either a result or an error, as the server sent it. */
export const ResponseRequest = z
  .object({ taskId: Uuid, result: FreeObject.optional(), error: FreeObject.optional() })
  .refine(({ result, error }) => (result === undefined) !== (error === undefined), 'needs either a result or an error');
export type ResponseRequest = z.infer<typeof ResponseRequest>;

export const OutcomeRequest = z.object({
  taskId: Uuid,
  status: OutcomeRecorded.shape.status,
  effect: OutcomeRecorded.shape.effect.unwrap().strip().optional(),
  control: OutcomeRecorded.shape.control.unwrap().strip().optional(),
});
export type OutcomeRequest = z.infer<typeof OutcomeRequest>;
