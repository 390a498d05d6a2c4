import { z } from 'zod';
import { FreeObject, Label, Reason, TraceId, Uuid } from '../vocabulary/ids.js';
import { ApproveRule } from './decider.js';
import { ScopeEntry } from './scope.js';

const MAX_TTL_MS = 86_400_000;
export const DEFAULT_TTL_MS = 3_600_000;
/** Of a user's attributes, as canonical JSON: they are held in memory while the task is in use. */
export const MAX_ATTRIBUTES_BYTES = 65_536;

/** The body of a request to open a task. */
export const OpenTask = z.strictObject({
  approve: ApproveRule.optional(),
  taskId: Uuid.optional(),
  traceId: TraceId.optional(),
  agent: Label,
  user: z.strictObject({ id: Label, roles: z.array(Label).max(200), attributes: FreeObject.optional() }),
  purpose: z.string().max(4000),
  scope: z.array(ScopeEntry),
  ttlMs: z.int().min(1).max(MAX_TTL_MS).optional(),
});
export type OpenTask = z.infer<typeof OpenTask>;

export const CloseTask = z.strictObject({ reason: Reason.optional() });
