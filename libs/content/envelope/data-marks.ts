import { EditedText, type Edit, type Span } from './edited-text.js';
import { invisibleEdits, lineBreakEdits } from './invisible.js';
import { markerEdits } from './markers.js';

const WHITE_SPACE = /\s+/gu;
/** Digits of a boundary in the shortest marker. */
const MIN_DIGITS = 4;

/**
 * The marker of a call: `^` and the first digits of its boundary, as few as are found nowhere in the content, and at
 * least four. It always ends, because the boundary itself is nowhere in the content. `content` is in lower case.
 */
export function markerOf(boundary: string, content: string): string {
  let digits = MIN_DIGITS;
  while (digits < boundary.length && content.includes(`^${boundary.slice(0, digits)}`)) digits += 1;
  return `^${boundary.slice(0, digits)}`;
}

/**
 * A text as `quoteText` writes it, with each run of white space inside of a span replaced by the call's own marker
 * (datamarking, "Defending Against Indirect Prompt Injection Attacks With Spotlighting", Hines et al. 2024). Spans are of
 * the raw text, in any order, and may overlap.
 */
export function quoteMarked(text: string, spans: readonly Span[], marker: string): EditedText {
  let edited = EditedText.of(text);
  for (const edits of [invisibleEdits, lineBreakEdits, markerEdits]) edited = edited.edited(edits(edited.text));
  const marks = joined(spans.map((span) => edited.spanOf(span)));
  return edited.edited(marks.flatMap((span) => marksIn(edited.text, span, marker)));
}

function marksIn(text: string, [start, end]: Span, marker: string): Edit[] {
  const runs = text.slice(start, end).matchAll(WHITE_SPACE);
  return Array.from(runs, ({ index, 0: run }) => ({ at: start + index, remove: run.length, insert: marker }));
}

/** The same ranges in order, without overlaps. */
function joined(spans: readonly Span[]): Span[] {
  const ranges: [number, number][] = [];
  for (const [start, end] of spans.toSorted(([a], [b]) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else ranges.push([start, end]);
  }
  return ranges;
}
