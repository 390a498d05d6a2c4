import type { RecordedEvent } from '../event-log/port.js';
import { verifySealed } from '../event-log/verify.js';

/** The log does not hold what it should: evidence that it was damaged or edited, never a reason to guess. */
export class Damage extends Error {
  override readonly name = 'Damage';
}

/** How many events of a stream, which follow upon revision `after`, are what was sealed and stand where they were written. */
export function soundPrefix(stream: string, events: readonly RecordedEvent[], after = 0): number {
  const broken = events.findIndex(({ json, type }, index) => {
    const head = verifySealed(json);
    return head?.stream !== stream || head.revision !== after + index + 1 || head.type !== type;
  });
  return broken < 0 ? events.length : broken;
}
