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
  /** The delivered text of each ordinal, by part. */
  const texts = new Map<number, Texts>();
  for (const [index, own] of byPart) {
    const part = raw[index];
    if (part === undefined || part.type === 'blob') continue;
    const delivered: Texts = [];
    const marked = markedPart(part, own, marker, delivered);
    if (!marked.ok) return marked;
    texts.set(index, delivered);
    parts[index] = marked.value;
  }
  const flags = hits.slice(0, named).map(({ place, span }, finding) => {
    const { part, ordinal } = place;
    const delivered = texts.get(part) ?? [];
    const [start, end] = delivered[ordinal]?.marked?.spanOf(span) ?? span;
    const pathAsDelivered = () => boundedPointer(place.path((at) => delivered[at]?.text));
    const path = raw[part]?.type === 'structured' ? pathAsDelivered() : undefined;
    return defined({ part, path, span: [start, end] satisfies [number, number], finding });
  });
  return ok({ parts, flags });
}

/** Texts of one part as they are delivered, by ordinal. */
type Texts = { readonly text: string; readonly marked?: EditedText }[];

/** A part with its spans marked. Bytes stay as they are. */
function markedPart(
  part: Exclude<RawPart, { type: 'blob' }>,
  hits: readonly Hit[],
  marker: string,
  delivered: Texts,
): Result<Part, DeepFault> {
  const spans = new Map<number, Span[]>();
  for (const { place, span } of hits) {
    const known = spans.get(place.ordinal);
    if (known === undefined) spans.set(place.ordinal, [span]);
    else known.push(span);
  }
  const mark = (text: string): string => {
    const own = spans.get(delivered.length);
    const marked = own && quoteMarked(text, own, marker);
    const shown = marked?.text ?? quoteText(text);
    delivered.push(defined({ text: shown, marked }));
    return shown;
  };
  if (part.type === 'text') return ok({ type: 'text', text: mark(part.text) });
  const value = mapStrings(part.value, mark);
  return value.ok
    ? ok({ type: 'structured', value: value.value })
    : err({ ...value.error, path: part.path + value.error.path });
}
