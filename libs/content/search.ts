import type { Span } from './envelope/edited-text.js';
import type { RawPart } from './envelope/parts.js';
import { ENOUGH, REST, type CallContext, type InstructionFinding } from './instructions/finding.js';
import type { SearchRules } from './search-rules.js';
import type { Finding, FindingKind, NewFinding } from './shapes.js';
import { textsOf, type Piece, type SearchText, type TextPlace } from './texts.js';
import { higher } from '../vocabulary/levels.js';
import type { Level } from '../vocabulary/words.js';

/** Findings that are recorded and answered of one response, the most severe ones. Further ones are counted. */
export const MAX_FINDINGS = 64;
/** Exact hits of one text that each further one is compared with: an echo that is missed counts twice. */
const MAX_COMPARED = 64;
/** Categories that a label names. */
const MAX_CATEGORIES = 64;

/** Something that a detector found, at its place. */
export interface Hit {
  readonly place: TextPlace;
  /** In the raw text at the place. */
  readonly span: Span;
  readonly detector: string;
  readonly kind: FindingKind;
  readonly severity: Finding['severity'];
  /** The view of the linear model. Its spans are in the text at the place, too. */
  readonly model?: Finding['model'];
}

export interface SearchOutcome {
  /** Every hit, the most severe ones first, else in the order of the document. */
  readonly hits: readonly Hit[];
  /** The highest level of the secrets and personal data in it; undefined if there are none. */
  readonly level: Level | undefined;
  readonly categories: string[];
}

const SEVERITIES = { high: 0, low: 1, info: 2 } as const;

/** Searches every text of a response for instructions, secrets and personal data. Throws what a detector throws. */
export function searchParts(
  parts: readonly RawPart[],
  { instructions, pack }: SearchRules,
  context: CallContext,
): SearchOutcome {
  const hits: Hit[] = [];
  const categories = new Set<string>();
  const find = findUntilEnough(instructions, context);
  let level: Level | undefined;
  for (const searched of textsOf(parts)) {
    for (const { span, ...what } of find(searched.text)) for (const hit of placed(searched, span, what)) hits.push(hit);
    for (const { start, end, type, level: detected } of pack.detect(searched.text)) {
      const kind = type.startsWith('secret:') ? 'secret' : 'pii';
      for (const hit of placed(searched, [start, end], { detector: type, kind, severity: 'info' })) hits.push(hit);
      categories.add(type);
      level = level === undefined ? detected : higher(level, detected);
    }
  }
  return { hits: inOrder(withoutEchoes(hits)), level, categories: [...categories].sort().slice(0, MAX_CATEGORIES) };
}

/** Texts of one response that are searched before the rest of them may be flagged without a search, in UTF-16 units. */
const MIN_SEARCHED = 65_536;

type Find = (text: string) => readonly InstructionFinding[];

/**
 * Searches the texts of one response. After many findings of severity high its record is full. Then each further text of
 * a long response is flagged whole, so that a hostile server cannot make searches costly.
 */
function findUntilEnough(instructions: SearchRules['instructions'], context: CallContext): Find {
  let [units, high] = [0, 0];
  let kind: InstructionFinding['kind'] | undefined;
  return (text) => {
    if (kind !== undefined && high >= ENOUGH && units >= MIN_SEARCHED)
      return [{ detector: REST, kind, span: [0, text.length], severity: 'high' }];
    const found = instructions.find(text, context);
    units += text.length;
    for (const finding of found) {
      if (finding.severity !== 'high') continue;
      high += 1;
      kind ??= finding.kind;
    }
    return found;
  };
}

type Found = Pick<InstructionFinding, 'model'> & Pick<Hit, 'detector' | 'kind' | 'severity'>;

/** A finding of a text that is put together belongs to each place that it touches. */
function placed({ pieces }: SearchText, span: Span, { model, ...what }: Found): Hit[] {
  return piecesIn(pieces, span).map((piece) => ({
    ...what,
    place: piece.place,
    span: piece.place.within ?? spanIn(piece, span),
    ...(model === undefined ? {} : { model: modelIn(piece, model) }),
  }));
}

/** The part of a span that is in a piece. */
const spanIn = ({ at, length }: Piece, [start, end]: Span): [number, number] => [
  Math.max(0, start - at),
  Math.min(length, end - at),
];

/** Spans of n-grams in a string that was read again have no place of their own in the text. */
function modelIn(piece: Piece, { score, threshold, spans }: NonNullable<Found['model']>): Finding['model'] {
  const own = piece.place.within === undefined ? spans.map((span) => spanIn(piece, span)) : [];
  return { score, threshold, spans: own.filter(([start, end]) => start < end) };
}

/** The pieces that share a character with a span. They are in order, so the first one is found by halves. */
function piecesIn(pieces: readonly Piece[], [start, end]: Span): Piece[] {
  let [low, high] = [0, pieces.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { at, length } = pieces[middle] as Piece;
    if (at + length <= start) low = middle + 1;
    else high = middle;
  }
  const touched: Piece[] = [];
  for (let index = low; index < pieces.length; index += 1) {
    const piece = pieces[index] as Piece;
    if (piece.at >= end) break;
    if (piece.length > 0) touched.push(piece);
  }
  return touched;
}

const keyOf = ({ place: { part, ordinal }, kind }: Hit): string => `${part} ${ordinal} ${kind}`;

/** A string of JSON was read again without its escapes. A hit that it had before, with an exact span, counts once. */
function withoutEchoes(hits: readonly Hit[]): readonly Hit[] {
  if (hits.every(({ place }) => place.within === undefined)) return hits;
  const exact = new Map<string, Hit[]>();
  for (const hit of hits) {
    if (hit.place.within !== undefined) continue;
    const known = exact.get(keyOf(hit)) ?? [];
    exact.set(keyOf(hit), known);
    if (known.length < MAX_COMPARED) known.push(hit);
  }
  const echoes = new Set<string>();
  return hits.filter((hit) => {
    if (hit.place.within === undefined) return true;
    const [start, end] = hit.span;
    const isKnown = ({ span, severity }: Hit) =>
      span[0] < end && start < span[1] && SEVERITIES[severity] <= SEVERITIES[hit.severity];
    if (exact.get(keyOf(hit))?.some(isKnown) === true) return false;
    const key = `${keyOf(hit)} ${start} ${hit.detector}`;
    if (echoes.has(key)) return false;
    echoes.add(key);
    return true;
  });
}

const inOrder = (hits: readonly Hit[]): readonly Hit[] =>
  hits.toSorted((a, b) => SEVERITIES[a.severity] - SEVERITIES[b.severity]);

/** A hit as it is recorded and answered. */
export function findingOf({ place, span, detector, kind, severity, model }: Hit): NewFinding {
  return {
    detector,
    kind,
    path: place.path(),
    span: [...span],
    severity,
    ...(place.isKey ? { key: true as const } : {}),
    ...(model === undefined ? {} : { model }),
  };
}
