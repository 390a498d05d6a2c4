import { ok, err, type Result } from '../../kernel/result.js';
import { defined } from '../../kernel/defined.js';
import { boundedPointer } from '../bounded-pointer.js';
import { quoteMarked } from './data-marks.js';
import { EditedText, type Span } from './edited-text.js';
import { mapStrings, quoteText, type DeepFault } from './invisible.js';
import type { RawPart } from './parts.js';
import type { Hit } from '../search.js';
import type { Flag, Part } from '../shapes.js';

/** The hits to mark: see `Marking`. */
interface Marked {
  readonly hits: readonly Hit[];
  readonly named: number;
}

/**
 * Cleaned parts with the spans of hits marked, and the flags that name them. Flags of text parts count from the start of
 * the cleaned text. Only parts with a hit are made again. Fails if marking makes two keys of one object equal.
 */
export function markedParts(
  raw: readonly RawPart[],
  cleaned: readonly Part[],
  { hits, named }: Marked,
  marker: string,
): Result<{ parts: readonly Part[]; flags: readonly Flag[] }, DeepFault> {
  if (hits.length === 0) return ok({ parts: cleaned, flags: [] });
  const byPart = Map.groupBy(hits, ({ place }) => place.part);
  const parts = [...cleaned];
  /** The marked text of each place, by part and ordinal. */
  const texts = new Map<string, EditedText>();
  for (const [index, own] of byPart) {
    const part = raw[index];
    const marked =
      part === undefined
        ? ok(undefined)
        : markedPart(part, own, marker, (at, text) => texts.set(`${index} ${at}`, text));
    if (!marked.ok) return marked;
    if (marked.value !== undefined) parts[index] = marked.value;
  }
  const flags = hits.slice(0, named).map(({ place, span }, finding) => {
    const { part, ordinal } = place;
    const [start, end] = texts.get(`${part} ${ordinal}`)?.spanOf(span) ?? span;
    const path = raw[part]?.type === 'structured' ? boundedPointer(place.path()) : undefined;
    return defined({ part, path, span: [start, end] satisfies [number, number], finding });
  });
  return ok({ parts, flags });
}

/** A part with its spans marked. Undefined for bytes, which stay as they are. */
function markedPart(
  part: RawPart,
  hits: readonly Hit[],
  marker: string,
  keep: (ordinal: number, text: EditedText) => void,
): Result<Part | undefined, DeepFault> {
  if (part.type === 'blob') return ok(undefined);
  const spans = new Map<number, Span[]>();
  for (const { place, span } of hits) {
    const known = spans.get(place.ordinal);
    if (known === undefined) spans.set(place.ordinal, [span]);
    else known.push(span);
  }
  let ordinal = -1;
  const marked = (text: string): string => {
    ordinal += 1;
    const own = spans.get(ordinal);
    if (own === undefined) return quoteText(text);
    const edited = quoteMarked(text, own, marker);
    keep(ordinal, edited);
    return edited.text;
  };
  if (part.type === 'text') return ok({ type: 'text', text: marked(part.text) });
  const value = mapStrings(part.value, marked);
  return value.ok
    ? ok({ type: 'structured', value: value.value })
    : err({ ...value.error, path: part.path + value.error.path });
}
