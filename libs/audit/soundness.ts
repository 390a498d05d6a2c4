import type { RecordedEvent } from '../event-log/port.js';
import { verifySealed } from '../event-log/verify.js';

/** The log lacks events or holds different ones, which proves damage or edits. Callers must not guess the content. */
export class Damage extends Error {
  override readonly name = 'Damage';
}

/**
 * The number of events after revision `after` of a stream, from the first on, that are unaltered and in their place.
 */
export function soundPrefix(stream: string, events: readonly RecordedEvent[], after = 0): number {
  const broken = events.findIndex(({ json, type }, index) => {
    const head = verifySealed(json);
    return head?.stream !== stream || head.revision !== after + index + 1 || head.type !== type;
  });
  return broken < 0 ? events.length : broken;
}
