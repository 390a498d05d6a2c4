import type { RecordedEvent } from '../event-log/port.js';
import { verifySealed } from '../event-log/verify.js';

/** The log lacks events or holds different ones, which proves damage or edits. Callers must not guess the content. */
export class Damage extends Error {
  override readonly name = 'Damage';
}

/** Whether an event is unaltered, and in its place. */
export function isWhole({ stream, revision, type, json }: RecordedEvent): boolean {
  const head = verifySealed(json);
  return head?.stream === stream && head.revision === revision && head.type === type;
}

/**
 * The number of events after revision `after` of a stream, from the first on, that are unaltered and in their place.
 */
export function soundPrefix(stream: string, events: readonly RecordedEvent[], after = 0): number {
  const broken = events.findIndex(
    (event, index) => event.stream !== stream || event.revision !== after + index + 1 || !isWhole(event),
  );
  return broken < 0 ? events.length : broken;
}
