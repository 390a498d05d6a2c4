import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { families } from '../streams/catalogue.js';
import type { Event } from '../event-log/event.js';

/**
 * The capabilities that an event names: its own, those of a decision, of the scope of a task, and of the target of a
 * directive. Responses and outcomes name their call only: they are found by their trace.
 */
export function* namedCapabilities({ stream, data }: Pick<Event, 'stream' | 'data'>): Generator<string> {
  const own = families.capability.idOf(stream);
  if (own !== undefined) yield own;
  yield* namedIn(data);
  yield* namedIn(memberOf(data, 'target'));
  const scope = memberOf(data, 'scope');
  if (Array.isArray(scope)) for (const entry of scope) yield* namedIn(entry);
}

/** The member of an object with this name. */
export function memberOf(data: unknown, name: string): Json | undefined {
  return isJsonObject(data) ? ownValue(data, name) : undefined;
}

function* namedIn(value: unknown): Generator<string> {
  const capability = memberOf(value, 'capability');
  if (typeof capability === 'string') yield capability;
}
