/** Texts and numbers as one message: a structured clone costs by the piece. */
export interface Packed {
  readonly text: string;
  /** The lengths of the texts among them. */
  readonly numbers: Float64Array<ArrayBuffer>;
}

/** Joins texts and numbers into one message. */
export class Packer {
  private readonly texts: string[] = [];
  private readonly numbers: number[] = [];

  text(text: string): void {
    this.numbers.push(text.length);
    this.texts.push(text);
  }

  number(number: number): void {
    this.numbers.push(number);
  }

  packed(): Packed {
    return { text: this.texts.join(''), numbers: Float64Array.from(this.numbers) };
  }
}

/** Reads in the order of packing. Both ends are ours: a message that does not fit is a bug. */
export class Unpacker {
  private at = 0;
  private offset = 0;

  constructor(private readonly from: Packed) {}

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

/** Returns a new buffer, because it is transferred and the caller needs its own bytes for a repeat. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
