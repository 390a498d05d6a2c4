/** The source of a derived text, and the meaning of an order in it. */
export interface Origin {
  readonly detector: string;
  readonly kind: 'hidden_text' | 'encoded_instruction';
  /**
   * Which plain orders count, besides phrases of the pack: all; those that comments for people do not give; none, because
   * the text was guessed.
   */
  readonly orders: 'all' | 'unusual' | 'none';
  /** UTF-16 offsets in the text it was derived from. */
  readonly span: readonly [number, number];
}

interface Segment extends Origin {
  readonly from: number;
}

/**
 * Everything decoded from a text or hidden in it, as one text, which one more search reads. Its size is bounded, so that
 * nested encodings cannot grow.
 */
export class Derived {
  private readonly pieces: string[] = [];
  private readonly segments: Segment[] = [];
  private length = 0;

  constructor(private readonly room: number) {}

  add(text: string, origin: Origin): void {
    if (text.length < 8 || this.length + text.length > this.room) return;
    this.segments.push({ ...origin, from: this.length });
    this.pieces.push(text, '\n\n');
    this.length += text.length + 2;
  }

  get isEmpty(): boolean {
    return this.segments.length === 0;
  }

  text(): string {
    return this.pieces.join('');
  }

  /** The origin of the character at a place of the derived text. */
  at(place: number): Origin {
    let [low, high] = [0, this.segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.segments[middle]?.from ?? 0) <= place) low = middle + 1;
      else high = middle;
    }
    return this.segments[Math.max(0, low - 1)]!;
  }
}
