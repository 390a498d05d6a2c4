import type { Json } from '../../../libs/kernel/canonical-json.js';
import { at, dig, list } from '../print.js';
import { clockOf, dayOf } from './times.js';
import { numberOf } from './trace-evidence.js';

/** A call with everything that its sentence may rest on. */
export interface CallFile {
  /** A `CallEvidence`, or a `CallSummary`. */
  readonly call: Json;
  /** A `TracedTask`, if it is known. */
  readonly task?: Json | undefined;
  /** The events about its capability. */
  readonly history: readonly Json[];
  /** The events of its trace. */
  readonly events: readonly Json[];
}

/** The evidence of the check that failed. */
export function failedEvidence({ call }: CallFile): Json | undefined {
  return dig(failedCheck(call), 'evidence');
}

/** The check that failed; undefined if none did. */
export const failedCheck = (call: Json): Json | undefined =>
  list(call, 'checks').find((check) => at(check, 'outcome') === 'fail');

/** The last event of these types in the history before the decision, about the version of the call. */
export function lastBefore({ call, history }: CallFile, ...types: readonly string[]): Json | undefined {
  const decided = numberOf(dig(call, 'position'));
  const version = at(call, 'version');
  return history.findLast(
    (event) =>
      types.includes(at(event, 'type')) &&
      (decided === 0n || numberOf(dig(event, 'position')) <= decided) &&
      [version, ''].includes(at(event, 'data', 'version')),
  );
}

/** ` by olga at 20:29:22, CVE-2026-1111`: who recorded an event, when and why. Empty if the event is not known. */
export function toldOf({ call }: CallFile, event: Json | undefined): string {
  if (event === undefined) return '';
  const reason = at(event, 'data', 'reason');
  return ` by ${at(event, 'actor')} at ${clockIn(call, at(event, 'time'))}${reason === '' ? '' : `, ${reason}`}`;
}

/** The time of something about a call, with its date if that is not the day of the call. */
export const clockIn = (call: Json, instant: string): string => clockOf(instant, dayOf(at(call, 'time')));

/** A name that an agent or a host may have chosen. It is quoted if it could be read as part of the sentence. */
export const named = (text: string): string => (/^[\w$.:/{}@+-]{1,300}$/.test(text) ? text : JSON.stringify(text));

/** `<capability>/<operation>`. */
export const operationNameOf = (call: Json): string =>
  [at(call, 'capability') || at(call, 'registry', 'capability'), at(call, 'operation')]
    .filter((word) => word !== '')
    .map(named)
    .join('/');

/** The user of a call, in words. */
export const userOf = (call: Json): string => {
  const id = at(call, 'user', 'id');
  return id === '' ? 'an unknown user' : `user ${named(id)}`;
};
