import type { Digest } from '../../../kernel/digest.js';
import type { Batch, Blob, StreamCheck } from '../../port.js';
import { joined, Packer, Unpacker, type Packed } from './packing.js';
import { NO_PAYLOAD } from './query.js';
import { PART_BYTES } from './settings.js';

/**
 * A group of batches on its way to the writer. A structured clone costs by the piece, so it is three pieces: texts and
 * numbers packed, and all bytes in one buffer that is transferred. Large payloads in shared memory are not copied.
 */
export interface Group extends Packed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly shared: readonly Uint8Array[];
}

/** A batch as the writer takes it. The sender has checked that its events follow on `expected`. */
export interface PostedBatch {
  readonly writes: readonly PostedWrite[];
  readonly checks: readonly StreamCheck[];
  readonly blobs: readonly Blob[];
  /** Its cell in `Claims`. A part has none. */
  readonly cell: number;
  readonly part?: PayloadPart;
}

/** Bytes of a payload that come before its event. */
export interface PayloadPart {
  /** Identifies the payload among the sender's appends since it started. */
  readonly token: number;
  readonly part: number;
  readonly bytes: Uint8Array;
}

/** How many parts a payload has. */
export const partsOf = (payload: Uint8Array): number => Math.ceil(payload.byteLength / PART_BYTES);

/** A batch with its cell in `Claims`, and with the token of its payload if that was written in parts before. */
export interface ClaimableBatch {
  readonly batch: Batch;
  readonly cell: number;
  readonly token?: number | undefined;
  readonly part?: undefined;
}

/** One item of a group. */
export type Writing = ClaimableBatch | { readonly part: PayloadPart };

export interface PostedEvent {
  readonly type: string;
  readonly json: string;
  readonly payload?: Uint8Array;
  /** Its payload was written before it, in this many parts. */
  readonly parted?: { readonly token: number; readonly parts: number };
}

export interface PostedWrite {
  readonly stream: string;
  readonly expected: number;
  readonly events: readonly PostedEvent[];
}

/** In place of the length of a payload that is not among the bytes, because it is in shared memory. */
const SHARED_PAYLOAD = -2;
/** In place of the length of a payload that was written in parts. */
const PARTED_PAYLOAD = -3;
/** In place of the cell of a batch: this is a part of a payload. */
const PART = -1;

export function encodeGroup(group: readonly Writing[]): Group {
  const output = new Packer();
  const parts: Uint8Array[] = [];
  const shared: Uint8Array[] = [];
  const put = (bytes: Uint8Array): void => {
    const isShared = bytes.buffer instanceof SharedArrayBuffer;
    output.number(isShared ? SHARED_PAYLOAD : bytes.byteLength);
    (isShared ? shared : parts).push(bytes);
  };
  output.number(group.length);
  for (const writing of group) {
    if (writing.part !== undefined) {
      output.number(PART);
      output.number(writing.part.token);
      output.number(writing.part.part);
      put(writing.part.bytes);
      continue;
    }
    const { writes, checks, blobs = [] } = writing.batch;
    output.number(writing.cell);
    output.number(writes.length);
    for (const { stream, expected, events } of writes) {
      output.text(stream);
      output.number(expected);
      output.number(events.length);
      for (const { type, json, payload } of events) {
        output.text(type);
        output.text(json);
        if (payload === undefined) output.number(NO_PAYLOAD);
        else if (writing.token === undefined || payload.byteLength <= PART_BYTES) put(payload);
        else {
          output.number(PARTED_PAYLOAD);
          output.number(writing.token);
          output.number(partsOf(payload));
        }
      }
    }
    output.number(checks.length);
    for (const { stream, expected } of checks) {
      output.text(stream);
      output.number(expected);
    }
    output.number(blobs.length);
    for (const { digest, bytes } of blobs) {
      output.text(digest);
      output.number(bytes.byteLength);
      parts.push(bytes);
    }
  }
  return { ...output.packed(), bytes: joined(parts), shared };
}

export function decodeGroup({ bytes, shared, ...packed }: Group): PostedBatch[] {
  const ofShared = shared.values();
  const input = new Unpacker(packed);
  let offset = 0;
  const take = (length: number): Uint8Array => bytes.subarray(offset, (offset += length));
  const found = (length: number): Uint8Array => {
    const bytes = length === SHARED_PAYLOAD ? ofShared.next().value : take(length);
    if (bytes === undefined) throw new TypeError('a message that does not hold what it should');
    return bytes;
  };
  const event = (): PostedEvent => {
    const [type, json, length] = [input.text(), input.text(), input.number()];
    if (length === NO_PAYLOAD) return { type, json };
    if (length !== PARTED_PAYLOAD) return { type, json, payload: found(length) };
    return { type, json, parted: { token: input.number(), parts: input.number() } };
  };
  const write = (): PostedWrite => ({ stream: input.text(), expected: input.number(), events: input.list(event) });
  return input.list((): PostedBatch => {
    const cell = input.number();
    if (cell === PART) {
      const part = { token: input.number(), part: input.number(), bytes: found(input.number()) };
      return { cell, writes: [], checks: [], blobs: [], part };
    }
    return {
      cell,
      writes: input.list(write),
      checks: input.list(() => ({ stream: input.text(), expected: input.number() })),
      blobs: input.list(() => ({ digest: input.text() as Digest, bytes: take(input.number()) })),
    };
  });
}
