import type { z } from 'zod';
import { pointerTo } from '../kernel/pointer.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';

const MAX_ERRORS = 20;

/** Parses a value from outside, or names the wrong fields. An error never quotes the value. */
export function shapeOf<Schema extends z.ZodType>(schema: Schema, value: unknown): Result<z.infer<Schema>, Refusal> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const errors = parsed.error.issues.slice(0, MAX_ERRORS).map(({ path, message, code }) => ({
    path: pointerTo(...path.map(String))
      .slice(0, 500)
      .toWellFormed(),
    message: code === 'unrecognized_keys' ? 'has unknown fields' : message.slice(0, 200),
  }));
  return err(refusal('malformed_request', 'the request does not have the expected shape', errors));
}
