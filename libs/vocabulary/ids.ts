import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../kernel/canonical-json.js';
import { DIGEST_PATTERN, type Digest } from '../kernel/digest.js';
import { PLAIN } from './messages.js';
import { NAME_PATTERN, TRACE_ID_PATTERN, UUID_PATTERN, VERSION_PATTERN } from '../kernel/ids.js';

/** The id of a capability, publisher, policy set or principal. */
export const NameId = z.string().regex(NAME_PATTERN, 'needs lower-case letters, digits, ".", "_" or "-"');
export const VersionId = z.string().regex(VERSION_PATTERN, 'needs 1 to 64 letters, digits, ".", "+", "_" or "-"');
/** The id of a publisher's key: part of a path, and wide enough for the hex of a digest. */
export const KeyId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'needs 1 to 128 letters, digits, ".", "_", ":" or "-"');
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

/** RFC 3339, section 5.6. The groups are the parts of the time, and the offset if it is not `Z`. */
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const NEEDS_TIME =
  'needs an RFC 3339 time, as 2026-11-22T10:00:00Z or 2026-11-22T12:00:00.5+02:00 (in a query, + is %2B)';

/**
 * A time as a caller gives it, in any form of RFC 3339. It becomes UTC with milliseconds; finer fractions are cut off. The
 * clock of the service has no leap seconds, so second 60 is refused.
 */
export const GivenInstant = z
  .string()
  .regex(RFC_3339, NEEDS_TIME)
  .transform((text, context) => {
    const fault = (message: string): never => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] =
      RFC_3339.exec(text) ?? [];
    if (second === '60') return fault('names a leap second: use second 59, or the next minute');
    const date = `${year}-${month}-${day}`;
    const utcMs = Date.parse(`${date}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`);
    // A day that its month does not have would become a day of the next month.
    const isDay = !Number.isNaN(utcMs) && hour !== '24' && new Date(utcMs).toISOString().startsWith(date);
    if (!isDay || Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return fault('is no date');
    const offsetMs = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000;
    const instant = new Date(sign === '-' ? utcMs + offsetMs : utcMs - offsetMs).toISOString();
    return /^\d{4}-/.test(instant) ? instant : fault('is outside of the years 0000 to 9999');
  });

/** Free text that a person writes: bounded, and never empty. */
export const Reason = z.string().min(1).max(2000);
/** A name that comes from outside and is no id: an operation, an agent, a user. */
export const Label = z.string().min(1).max(512);

/** Any JSON object, kept as it came. Its keys are attacker-controlled: look them up with `ownValue`. */
export const FreeObject = z.custom<JsonObject>(isJsonObject, {
  error: ({ input }) => (input === undefined ? 'is required' : 'needs an object'),
});

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
      const parsed = value.safeParse(object[name], PLAIN);
      if (parsed.success) entries.set(name, parsed.data);
      else for (const issue of parsed.error.issues) context.addIssue({ ...issue, path: [name, ...issue.path] });
    }
    return entries;
  });
}
