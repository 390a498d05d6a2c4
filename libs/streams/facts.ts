import { sealEvent, type Event, type SealedEvent } from '../event-log/event.js';
import type { StreamWrite } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { familyOf } from './catalogue.js';

/** An event as a decider returns it: without stream, revision and id. */
export interface Fact {
  readonly type: string;
  readonly data: unknown;
  readonly actor: string;
  readonly time: Instant;
  readonly traceId?: string | undefined;
}

/** The trace of an event, the call that it is about, and the event that caused it. */
export interface Links {
  readonly traceId?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
}

/** Gives a fact its place in a stream. Throws `RangeError` if the stream is not of the family of the fact's type. */
export function sealFact(
  stream: string,
  revision: number,
  fact: Fact,
  more: Links & { readonly payload?: Uint8Array } = {},
): SealedEvent {
  const { payload, ...links } = more;
  const traceId = more.traceId ?? fact.traceId;
  const { type, data, actor, time } = fact;
  const event = { stream, revision, type, time, actor, data, ...links, ...(traceId ? { traceId } : {}) };
  const written = writtenIn(event);
  const sealed = sealEvent({ ...event, ...written }, payload);
  // A caller that folds the fact gets its data, and not the shorter form.
  return written.data === data ? sealed : { ...sealed, event: { ...sealed.event, data } };
}

/** The write that appends facts to a stream whose last revision is `expected`. */
export function writeOf(stream: string, expected: number, facts: readonly Fact[], links: Links = {}): StreamWrite {
  const events = facts.map((fact, index) => sealFact(stream, expected + 1 + index, fact, links));
  return { stream, expected, events };
}

function writtenIn(event: Omit<Event, 'id' | 'schemaVersion'>): Pick<Event, 'schemaVersion' | 'data'> {
  const family = familyOf(event.stream);
  if (family === undefined) throw new RangeError(`${event.stream} is not a stream of the catalogue`);
  return family.written(event);
}
