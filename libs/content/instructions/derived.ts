/** The source of a derived text, and the meaning of an order in it. */
export interface Origin {
  readonly detector: string;
  readonly kind: 'hidden_text' | 'encoded_instruction';
  /**
   * The sentences that count, besides phrases of the pack. `any`: any of some words. `all`: all orders. `firm`: orders that are
   * no harmless request. `strong`: orders to send, pay or delete something. `comment`: orders that are not for people.
   * `element`: orders that are no labels of a page. `none`: no other, because the text was guessed.
   */
  readonly orders: 'any' | 'all' | 'firm' | 'strong' | 'comment' | 'element' | 'none';
  /** Whether a reader of the original sees the text too: then it can be a quotation. */
  readonly isVisible?: boolean;
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
    return this.segments[this.indexAt(place)]!;
  }

  /** The piece that holds a place of the derived text. */
  pieceAt(place: number): string {
    return this.pieces[this.indexAt(place) * 2] ?? '';
  }

  /** The starts of pieces of which such sentences count. */
  placesOf(orders: Origin['orders']): number[] {
    return this.segments.filter((segment) => segment.orders === orders).map(({ from }) => from);
  }

  private indexAt(place: number): number {
    let [low, high] = [0, this.segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.segments[middle]?.from ?? 0) <= place) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}
