import type { RecordedEvent } from '../event-log/port.js';
import { verifySealed } from '../event-log/verify.js';
import { familyOf } from '../streams/catalogue.js';
import type { Role } from '../streams/family.js';

/** The log lacks events or holds different ones, which proves damage or edits. Callers must not guess the content. */
export class Damage extends Error {
  override readonly name = 'Damage';
}

/** Whether an event is unaltered, and in its place. */
export function isWhole({ stream, revision, type, json }: RecordedEvent): boolean {
  const head = verifySealed(json);
  return head?.stream === stream && head.revision === revision && head.type === type;
}

/** The roles whose events evidence reads by their whole schema. States are folded from the others without it. */
const READ_WHOLE: ReadonlySet<Role | undefined> = new Set<Role>(['task', 'evidence']);

/**
 * Whether an event may be shown to auditors: it is whole, and evidence can read it. The text of any other event is damaged:
 * nothing of it is shown, and nothing is derived from it. An event of a newer version is no damage.
 */
export function isShowable(event: RecordedEvent): boolean {
  if (!isWhole(event)) return false;
  const family = familyOf(event.stream);
  if (!READ_WHOLE.has(family?.role)) return true;
  const read = family?.readWhole(event.json);
  return read?.ok !== false || read.error.reason !== 'malformed';
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
