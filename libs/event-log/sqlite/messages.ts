import type { Digest } from '../../kernel/digest.js';
import type { AppendOutcome, Batch, Blob, StreamCheck, Violation } from '../port.js';
import { PART_BYTES } from './settings.js';

/**
 * What goes between the threads. A structured clone costs by the piece, so the writer's messages are three pieces: all
 * texts as one, all numbers (the lengths of the texts among them) as one, all bytes in one buffer that is handed over.
 * Large payloads that stand in shared memory are not copied for it.
 */
export interface Group {
  readonly text: string;
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly shared: readonly Uint8Array[];
}

export type Outcomes = Pick<Group, 'text' | 'numbers'>;

/** Answers of the reader: flat arrays, and bytes where there are any. */
export type Cell = string | number;

/** A batch as the writer takes it: that events follow on `expected` has been checked by the sender. */
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
  /** Names the payload: of the sender's appends since it started. */
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

/** What the writer is given. */
export type Writing = ClaimableBatch | { readonly part: PayloadPart };

export interface PostedEvent {
  readonly type: string;
  readonly json: string;
  readonly payload?: Uint8Array;
  /** Its payload was written in so many parts before. */
  readonly parted?: { readonly token: number; readonly parts: number };
}

export interface PostedWrite {
  readonly stream: string;
  readonly expected: number;
  readonly events: readonly PostedEvent[];
}

/** Stands where the length of a payload would. */
export const NO_PAYLOAD = -1;
/** The same for one that is not among the bytes. */
const SHARED_PAYLOAD = -2;
/** And for one that was written in parts. */
const PARTED_PAYLOAD = -3;
/** Stands where the cell of a batch would, for a part. */
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

const KINDS = ['committed', 'refused', 'unwritten', 'unknown'] as const satisfies readonly AppendOutcome['kind'][];

export function encodeOutcomes(outcomes: readonly AppendOutcome[]): Outcomes {
  const output = new Packer();
  output.number(outcomes.length);
  for (const outcome of outcomes) {
    output.number(KINDS.indexOf(outcome.kind));
    switch (outcome.kind) {
      case 'committed':
        output.number(Number(outcome.position));
        break;
      case 'refused':
        output.number(outcome.violations.length);
        for (const { stream, expected, actual } of outcome.violations) {
          output.text(stream);
          output.number(expected);
          output.number(actual);
        }
        break;
      case 'unwritten':
      case 'unknown':
        output.text(outcome.cause);
    }
  }
  return output.packed();
}

export function decodeOutcomes(outcomes: Outcomes): AppendOutcome[] {
  const input = new Unpacker(outcomes);
  const violation = (): Violation => ({ stream: input.text(), expected: input.number(), actual: input.number() });
  return input.list((): AppendOutcome => {
    const kind = KINDS[input.number()];
    if (kind === 'committed') return { kind, position: BigInt(input.number()) };
    if (kind === 'refused') return { kind, violations: input.list(violation) };
    return { kind: kind === 'unwritten' ? kind : 'unknown', cause: input.text() };
  });
}

class Packer {
  private readonly texts: string[] = [];
  private readonly numbers: number[] = [];

  text(text: string): void {
    this.numbers.push(text.length);
    this.texts.push(text);
  }

  number(number: number): void {
    this.numbers.push(number);
  }

  packed(): Outcomes {
    return { text: this.texts.join(''), numbers: Float64Array.from(this.numbers) };
  }
}

/** Reads in the order in which it was packed. Both ends are ours: what does not fit is a broken program. */
class Unpacker {
  private at = 0;
  private offset = 0;

  constructor(private readonly from: Outcomes) {}

  text(): string {
    const length = this.number();
    this.offset += length;
    if (this.offset > this.from.text.length) throw new TypeError('a message that does not hold what it should');
    return this.from.text.slice(this.offset - length, this.offset);
  }

  number(): number {
    const number = this.from.numbers[this.at++];
    if (number === undefined) throw new TypeError('a message that does not hold what it should');
    return number;
  }

  list<Item>(item: () => Item): Item[] {
    return Array.from({ length: this.number() }, item);
  }
}

/** Reads cells in the order in which they were pushed. Both ends are ours: a wrong cell is a broken program. */
export class CellReader {
  private at = 0;

  constructor(private readonly cells: readonly Cell[]) {}

  text(): string {
    const cell = this.cells[this.at++];
    if (typeof cell !== 'string') throw new TypeError('a message that does not hold what it should');
    return cell;
  }

  number(): number {
    const cell = this.cells[this.at++];
    if (typeof cell !== 'number') throw new TypeError('a message that does not hold what it should');
    return cell;
  }

  list<Item>(item: () => Item): Item[] {
    return Array.from({ length: this.number() }, item);
  }
}

/** Always a buffer of its own: it is handed over, and the caller's must stay usable for a repeat. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
