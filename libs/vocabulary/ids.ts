import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../kernel/canonical-json.js';
import { DIGEST_PATTERN, type Digest } from '../kernel/digest.js';
import { NAME_PATTERN, TRACE_ID_PATTERN, UUID_PATTERN, VERSION_PATTERN } from '../kernel/ids.js';

/** The id of a capability, publisher, policy set or principal. */
export const NameId = z.string().regex(NAME_PATTERN, 'needs lower-case letters, digits, ".", "_" or "-"');
export const VersionId = z.string().regex(VERSION_PATTERN, 'needs 1 to 64 letters, digits, ".", "+", "_" or "-"');
/** A UUID; lower case from the moment it enters. */
export const Uuid = z.string().regex(UUID_PATTERN, 'needs a UUID').toLowerCase();
export const TraceId = z.string().regex(TRACE_ID_PATTERN, 'needs 32 lower-case hex digits, not all zero');
export const DigestText = z
  .string()
  .regex(DIGEST_PATTERN, 'needs sha256: and 64 hex digits')
  .transform((text) => text as Digest);
const MAX_POSITION = 2n ** 63n - 1n;
/** A position of the log, as a decimal integer. */
export const PositionText = z
  .string()
  .refine((text) => /^\d{1,19}$/.test(text) && BigInt(text) <= MAX_POSITION, 'needs a decimal position');
/** RFC 3339 in UTC with milliseconds. */
export const InstantText = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'needs RFC 3339 UTC with milliseconds')
  .refine((text) => !Number.isNaN(Date.parse(text)), 'is no date');

/** Free text that a person writes: bounded, and never empty. */
export const Reason = z.string().min(1).max(2000);
/** A name that comes from outside and is no id: an operation, an agent, a user. */
export const Label = z.string().min(1).max(512);

/** Any JSON object, kept as it came. Its keys are attacker-controlled: look them up with `ownValue`. */
export const FreeObject = z.custom<JsonObject>(isJsonObject, 'needs an object');

/** An object whose keys are names from outside (`__proto__` is a name like any other), as a Map in order of arrival. */
export function namesTo<Value>(value: z.ZodType<Value>, maxNames: number) {
  return FreeObject.transform((object, context) => {
    const entries = new Map<string, Value>();
    const names = Object.keys(object);
    if (names.length > maxNames) {
      context.addIssue({ code: 'custom', message: `needs at most ${maxNames} names` });
      return z.NEVER;
    }
    for (const name of names) {
      const parsed = value.safeParse(object[name]);
      if (parsed.success) entries.set(name, parsed.data);
      else for (const issue of parsed.error.issues) context.addIssue({ ...issue, path: [name, ...issue.path] });
    }
    return entries;
  });
}
