import type { Event } from '../event-log/event.js';

/**
 * - `unknown_type`: the catalogue has no such type in the family of the event's stream.
 * - `newer_version`: a newer version of Sallyport wrote the event.
 * - `malformed`: the text is no event, or its data does not have the shape of its type.
 */
export type UnreadableReason = 'unknown_type' | 'newer_version' | 'malformed';

const MEANINGS: Readonly<Record<UnreadableReason, string>> = {
  unknown_type: 'is no event that this version knows',
  newer_version: 'was written by a newer version of Sallyport',
  malformed: 'does not have the shape of an event of its type',
};

/**
 * An event that this version cannot read. No decision may use a history with such an event: skipping it could turn a
 * deny into an allow. The text names the event's place and type, and none of its data.
 */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';

  constructor(
    readonly reason: UnreadableReason,
    event?: Place,
  ) {
    super(`${event === undefined ? 'a text' : placeOf(event)} ${MEANINGS[reason]}`);
  }
}

type Place = Pick<Event, 'stream' | 'revision' | 'type' | 'schemaVersion'>;

const placeOf = ({ stream, revision, type, schemaVersion }: Place): string =>
  `${type} version ${schemaVersion} at ${stream}@${revision}`;
