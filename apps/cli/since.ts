import { InvalidArgumentError } from 'commander';
import { toInstant } from '../../libs/kernel/time.js';
import { GivenInstant } from '../../libs/vocabulary/ids.js';

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const NEEDS = 'needs a time before now (30m, 2h, 7d), a date in UTC (2026-11-29), or an RFC 3339 time';

/**
 * An instant from an option: a time before now, a date in UTC, or RFC 3339. A date is its first millisecond, or its last
 * one if `end` says so. Throws what commander shows for a wrong option.
 */
export function instantOption(text: string, end: 'first' | 'last', nowMs = Date.now()): string {
  const [, amount, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  if (amount !== undefined) return checked(nowMs - Number(amount) * (UNIT_MS[unit] ?? 0));
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    const day = checked(Date.parse(`${text}T00:00:00.000Z`));
    // `Date.parse` takes 30 February for 2 March.
    if (day.slice(0, 10) !== text) throw new InvalidArgumentError(NEEDS);
    return end === 'first' ? day : `${text}T23:59:59.999Z`;
  }
  const given = GivenInstant.safeParse(text);
  if (given.success) return given.data;
  throw new InvalidArgumentError(NEEDS);
}

/** The option of the earliest time. */
export const fromOption = (text: string): string => instantOption(text, 'first');

/** The option of the latest time. */
export const toOption = (text: string): string => instantOption(text, 'last');

function checked(ms: number): string {
  if (Number.isNaN(ms) || ms < 0) throw new InvalidArgumentError(NEEDS);
  return toInstant(ms);
}
