import type { Event } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import { verifySealed } from '../event-log/verify.js';
import type { Result } from '../kernel/result.js';
import { familyOf } from '../streams/catalogue.js';
import type { Role } from '../streams/family.js';
import type { UnreadableEvent } from '../streams/unreadable.js';

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
  if (!READ_WHOLE.has(familyOf(event.stream)?.role)) return true;
  const read = readOnce(event);
  return read?.ok !== false || read.error.reason !== 'malformed';
}

/** The whole schema costs more than all else that is done with an event, and traces need its result twice. */
const READ = new WeakMap<RecordedEvent, Result<Event, UnreadableEvent>>();

/** An event that is whole, read by the schema of its family; undefined if the catalogue does not have the family. */
export function readOnce(event: RecordedEvent): Result<Event, UnreadableEvent> | undefined {
  const known = READ.get(event);
  if (known !== undefined) return known;
  const read = familyOf(event.stream)?.readWhole(event.json);
  if (read !== undefined) READ.set(event, read);
  return read;
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
