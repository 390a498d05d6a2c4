import { sealEvent, type SealedEvent } from '../event-log/event.js';
import type { StreamWrite } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';

/** What a decider answers with: a fact that does not know its stream, revision and id yet. */
export interface Fact {
  readonly type: string;
  readonly data: unknown;
  readonly actor: string;
  readonly time: Instant;
  readonly traceId?: string | undefined;
}

/** Version of the data of every event type so far. An event that changes shape gets the next number and an upcaster. */
const SCHEMA_VERSION = 1;

/** What an event belongs to: its trace, the call that it is about, the event that brought it about. */
export interface Links {
  readonly traceId?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
}

/** Gives a fact its place in a stream. */
export function sealFact(
  stream: string,
  revision: number,
  fact: Fact,
  more: Links & { readonly payload?: Uint8Array } = {},
): SealedEvent {
  const { payload, ...links } = more;
  const traceId = more.traceId ?? fact.traceId;
  const { type, data, actor, time } = fact;
  return sealEvent(
    {
      stream,
      revision,
      type,
      schemaVersion: SCHEMA_VERSION,
      time,
      actor,
      data,
      ...links,
      ...(traceId ? { traceId } : {}),
    },
    payload,
  );
}

/** Facts as the next events of a stream whose last revision is `expected`. */
export function writeOf(stream: string, expected: number, facts: readonly Fact[], links: Links = {}): StreamWrite {
  const events = facts.map((fact, index) => sealFact(stream, expected + 1 + index, fact, links));
  return { stream, expected, events };
}
