import { canonicalJson } from '../kernel/canonical-json.js';
import { uuidV5 } from '../kernel/ids.js';
import type { Instant } from '../kernel/time.js';

/**
 * One immutable fact. Everything provable about it is in its one canonical JSON string; a store adds a position and
 * nothing else.
 */
export interface Event<Type extends string = string, Data = unknown> {
  /** `<category>-<id>` in lower case, or one word if there is only one stream of the category. */
  readonly stream: string;
  /** 1 for the first event of its stream. */
  readonly revision: number;
  /** UUIDv5 over all other members, so that two different facts never share an id. */
  readonly id: string;
  readonly type: Type;
  readonly schemaVersion: number;
  readonly time: Instant;
  /** The principal who caused it, or `system:<part>`. */
  readonly actor: string;
  readonly traceId?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly data: Data;
}

/** An event as stores take it: its canonical JSON, and the fields that they index. */
export interface SealedEvent {
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly json: string;
  /** The same fact as an object, for a caller that folds it at once; stores take only the text. */
  readonly event: Omit<Event, 'id'>;
  /** Encrypted content of the event, kept outside of the event; the event holds commitments to it. */
  readonly payload?: Uint8Array | undefined;
}

/** The namespace of event ids; it never changes. */
export const EVENT_NAMESPACE = '6f1d0a5e-9c43-5b0e-8f53-0d6a1f6c2b7e';

/** Writes an event as its one JCS string and derives its id. The members are spelled here in the order of RFC 8785. */
export function sealEvent(event: Omit<Event, 'id'>, payload?: Uint8Array): SealedEvent {
  const { stream, revision, type } = event;
  const head =
    `{"actor":${JSON.stringify(event.actor)}` +
    member('causationId', event.causationId) +
    member('correlationId', event.correlationId) +
    `,"data":${canonicalJson(event.data)}`;
  const tail =
    `,"revision":${revision},"schemaVersion":${event.schemaVersion},"stream":${JSON.stringify(stream)}` +
    `,"time":${JSON.stringify(event.time)}` +
    member('traceId', event.traceId) +
    `,"type":${JSON.stringify(type)}}`;
  const id = uuidV5(EVENT_NAMESPACE, head + tail);
  return { stream, revision, id, type, json: `${head},"id":"${id}"${tail}`, event, payload };
}

function member(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
}

/** Reads an event back. The text comes from our own log, so it is trusted to be what `sealEvent` wrote. */
export function parseEvent(json: string): Event {
  return JSON.parse(json) as Event;
}

/** The part of a stream's name before the first `-`. */
export function categoryOf(stream: string): string {
  const dash = stream.indexOf('-');
  return dash < 0 ? stream : stream.slice(0, dash);
}
