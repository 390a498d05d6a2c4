import { digestOfBytes } from '../kernel/digest.js';
import type { Batch, StreamWrite } from './port.js';

/** The largest event; facts are small, and content belongs in payloads and blobs. In UTF-16 units. */
export const MAX_EVENT_CHARS = 262_144;
export const MAX_PAYLOAD_BYTES = 33_554_432;
export const MAX_BLOB_BYTES = 8_388_608;
/** Streams that one batch may write and check. A task pins up to 200 capabilities, each with its publisher. */
export const MAX_STREAMS = 1_024;
export const MAX_EVENTS = 1_024;

/**
 * An event, payload or blob exceeds the size limit of the port; nothing was sent. The request that produced it was too
 * large.
 */
export class EventTooLarge extends TypeError {
  override readonly name = 'EventTooLarge';
}

/** Lower case, so that a store that matches names without case sees the same streams as one that does not. */
const STREAM_PATTERN = /^[a-z][a-z0-9._:-]{0,254}$/;

/**
 * Throws a TypeError if a batch breaks the rules of the port, which is a bug in the caller and never a bad input.
 * Throws `EventTooLarge` if the input was too large. Returns its weight: about how many bytes it holds in a queue.
 */
export function checkBatch({ writes, checks, blobs = [] }: Batch): number {
  const streams = new Set<string>();
  for (const { stream, expected } of [...writes, ...checks]) {
    if (!STREAM_PATTERN.test(stream)) throw new TypeError('a stream with an unfit name');
    if (!Number.isSafeInteger(expected) || expected < 0) throw new TypeError(`${stream}: an unfit expected revision`);
    if (streams.has(stream)) throw new TypeError(`${stream} occurs twice in one batch`);
    streams.add(stream);
  }
  if (streams.size > MAX_STREAMS) throw new TypeError(`more than ${MAX_STREAMS} streams in one batch`);
  if (writes.length === 0 && blobs.length > 0) throw new TypeError('blobs without an event');

  let weight = 64 * (1 + streams.size);
  let events = 0;
  for (const write of writes) {
    weight += weightOf(write);
    events += write.events.length;
  }
  if (events > MAX_EVENTS) throw new TypeError(`more than ${MAX_EVENTS} events in one batch`);
  for (const { digest, bytes } of blobs) {
    if (bytes.byteLength > MAX_BLOB_BYTES) throw new EventTooLarge('a blob that is too large');
    if (digestOfBytes(bytes) !== digest) throw new TypeError('a blob under a digest that is not its own');
    weight += bytes.byteLength;
  }
  return weight;
}

function weightOf({ stream, expected, events }: StreamWrite): number {
  if (events.length === 0) throw new TypeError(`${stream}: a write without events`);
  let weight = 0;
  for (const [index, event] of events.entries()) {
    if (event.stream !== stream || event.revision !== expected + index + 1) {
      throw new TypeError(`${stream}: an event of another stream or revision`);
    }
    if (event.json.length > MAX_EVENT_CHARS) throw new EventTooLarge(`${stream}: an event that is too large`);
    const payloadBytes = event.payload?.byteLength ?? 0;
    if (payloadBytes > MAX_PAYLOAD_BYTES) throw new EventTooLarge(`${stream}: a payload that is too large`);
    weight += event.json.length + payloadBytes;
  }
  return weight;
}
