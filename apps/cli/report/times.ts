/** Instants of the record are RFC 3339 in UTC with milliseconds. A text that is none is shown as it is. */
const INSTANT = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(\.\d+)?Z$/;

/** The day of an instant in UTC; empty if it is no instant. */
export const dayOf = (instant: string): string => INSTANT.exec(instant)?.[1] ?? '';

/** `20:29:22`, or with its date if that is not `day`. */
export function clockOf(instant: string, day?: string): string {
  const [, date, time] = INSTANT.exec(instant) ?? [];
  if (date === undefined || time === undefined) return instant;
  return date === day ? time : `${time} on ${date}`;
}

/** `20:29:22.041`, for a row under its date. */
export function timeOf(instant: string): string {
  const [, , time, fraction = ''] = INSTANT.exec(instant) ?? [];
  return time === undefined ? instant : `${time}${fraction}`;
}
