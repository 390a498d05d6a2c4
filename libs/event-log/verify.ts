import { UUID_PATTERN, uuidV5 } from '../kernel/ids.js';
import { EVENT_NAMESPACE } from './event.js';

/** The head of an event's text, after its id has been found to match its content. */
export interface VerifiedHead {
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
}

const ID_KEY = ',"id":"';
const ID_LENGTH = 36;

/**
 * Checks that the text of an event is what `sealEvent` wrote: its id is the UUIDv5 over all other members, so a bit
 * that flipped on a disk shows. Undefined if it does not match. This finds damage, not forgery: anyone who can write an
 * event can derive its id.
 */
export function verifySealed(json: string): VerifiedHead | undefined {
  // Inside a JSON string a quote is escaped, and after the id come scalars only: the last match is the event's own id.
  const at = json.lastIndexOf(ID_KEY);
  if (at < 0) return undefined;
  const start = at + ID_KEY.length;
  const id = json.slice(start, start + ID_LENGTH);
  if (!UUID_PATTERN.test(id) || json[start + ID_LENGTH] !== '"') return undefined;
  const tail = json.slice(start + ID_LENGTH + 1);
  if (uuidV5(EVENT_NAMESPACE, json.slice(0, at) + tail) !== id) return undefined;
  try {
    const { stream, revision, type } = JSON.parse(`{${tail.slice(1)}`) as VerifiedHead;
    return { id, stream, revision, type };
  } catch {
    return undefined;
  }
}

/** The id in the text of an event whose text has been verified. */
export function idIn(json: string): string {
  const start = json.lastIndexOf(ID_KEY) + ID_KEY.length;
  return json.slice(start, start + ID_LENGTH);
}
