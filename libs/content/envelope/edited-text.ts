/** Replaces `remove` characters at `at` by `insert`. */
export interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

/** A range of UTF-16 units: start, and end after the last unit. */
export type Span = readonly [start: number, end: number];

/**
 * A text, and the new place of each place of the original text, after one list of edits after another. A place inside of
 * characters that were replaced moves to the outer side of the replacement, so that a span never loses its ends.
 */
export class EditedText {
  private constructor(
    readonly text: string,
    private readonly steps: readonly Step[],
  ) {}

  static of(text: string): EditedText {
    return new EditedText(text, []);
  }

  /** The text after edits of the text as it is now: ordered by place, without overlaps. */
  edited(edits: readonly Edit[]): EditedText {
    if (edits.length === 0) return this;
    const pieces: string[] = [];
    let from = 0;
    for (const { at, remove, insert } of edits) {
      pieces.push(this.text.slice(from, at), insert);
      from = at + remove;
    }
    pieces.push(this.text.slice(from));
    return new EditedText(pieces.join(''), [...this.steps, new Step(edits)]);
  }

  /** The place that a span of the original text has now. */
  spanOf([start, end]: Span): Span {
    let [first, last] = [start, end];
    for (const step of this.steps) [first, last] = [step.place(first, 'start'), step.place(last, 'end')];
    return [first, Math.max(first, last)];
  }
}

/** One list of edits, by which places move. */
class Step {
  /** How far the text after each edit has moved. */
  private readonly shifts: readonly number[];

  constructor(private readonly edits: readonly Edit[]) {
    let shift = 0;
    this.shifts = edits.map(({ remove, insert }) => (shift += insert.length - remove));
  }

  /** A start stays before an insertion at its place; an end does too, so that it does not take the insertion. */
  place(place: number, side: 'start' | 'end'): number {
    const index = this.lastBefore(place);
    const edit = this.edits[index];
    if (edit === undefined) return place;
    const before = this.shifts[index - 1] ?? 0;
    const isInside = place < edit.at + edit.remove;
    if (!isInside) return place + (this.shifts[index] ?? 0);
    return edit.at + before + (side === 'start' ? 0 : edit.insert.length);
  }

  /** The last edit that begins before a place; -1 if there is none. */
  private lastBefore(place: number): number {
    let [low, high] = [0, this.edits.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.edits[middle]?.at ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
