import type { z } from 'zod';
import { pointerTo } from '../kernel/pointer.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { PLAIN } from './messages.js';
import { err, ok, type Result } from '../kernel/result.js';

const MAX_ERRORS = 20;

/** Parses a value from outside, or names the wrong fields. An error never quotes the value. */
export function shapeOf<Schema extends z.ZodType>(schema: Schema, value: unknown): Result<z.infer<Schema>, Refusal> {
  const parsed = schema.safeParse(value, PLAIN);
  if (parsed.success) return ok(parsed.data);
  const errors = parsed.error.issues.slice(0, MAX_ERRORS).map(({ path, message, code }) => ({
    path: pointerTo(...path.map(String))
      .slice(0, 500)
      .toWellFormed(),
    // A check may miss a member that is optional by itself, and then says more.
    message: code !== 'custom' && valueAt(value, path) === undefined ? 'is required' : message.slice(0, 200),
  }));
  return err(refusal('malformed_request', 'the request does not have the expected shape', errors));
}

/** The value at a path; undefined if there is none. A path may name a member that a check misses. */
function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[name];
  }
  return at;
}
