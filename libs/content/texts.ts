import { isJsonObject, type Json } from '../kernel/canonical-json.js';
import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import { readingsOf } from './bytes.js';
import type { Span } from './envelope/edited-text.js';
import type { RawPart } from './envelope/parts.js';
import { escapedStrings } from './escaped-strings.js';

/** The name of a member, by the ordinal of its key. */
export type NameOf = (ordinal: number) => string | undefined;

/** The place of a text in a response. */
export interface TextPlace {
  /** The index of its part. */
  readonly part: number;
  /** Of a structured part: its number among all strings and keys, each key before its member. Else 0. */
  readonly ordinal: number;
  /** Its place in the response. `nameOf` tells another name for the key of an ordinal. */
  readonly path: (nameOf?: NameOf) => JsonPointer;
  /** The text is the name of a member, and `path` points to the member. */
  readonly isKey: boolean;
  /** The text is a string of JSON inside of another text: the span of that string, in the text at this place. */
  readonly within?: Span;
}

/** A text of a place, from `at` on in the text that is searched. */
export interface Piece {
  readonly at: number;
  readonly length: number;
  readonly place: TextPlace;
}

/** A text to search, and the places that it was put together from, in order. */
export interface SearchText {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

/** A string up to this length is searched together with its neighbours, so that an instruction cannot be cut up. */
const SHORT = 256;
/** A text that is put together ends once it has this length, so that it is searched like other texts. */
const JOINED = 4096;

/**
 * Every text of the parts of a response: text parts, strings and keys at any depth, strings of JSON inside of texts, and
 * bytes that are text. Short strings of one part are put together, a line for each, as `key: value`.
 */
export function* textsOf(parts: readonly RawPart[]): Generator<SearchText> {
  for (const [index, part] of parts.entries()) {
    if (part.isOurs === true) continue;
    if (part.type === 'structured') {
      yield* structuredTexts(part.value, part.path, index);
      continue;
    }
    const readings = part.type === 'text' ? [part.text] : readingsOf(part.data, part.declared ?? part.mimeType);
    for (const text of readings)
      yield* wholeTexts(text, { part: index, ordinal: 0, path: () => part.path, isKey: false });
  }
}

/** One text, and the strings of JSON inside of it. Short ones are put together: each search of a text has a price. */
function* wholeTexts(text: string, place: TextPlace): Generator<SearchText> {
  yield { text, pieces: [{ at: 0, length: text.length, place }] };
  let joined = new JoinedText('\n\n');
  for (const { text: inner, span } of escapedStrings(text)) {
    const within = { ...place, within: span };
    if (inner.length > SHORT) yield { text: inner, pieces: [{ at: 0, length: inner.length, place: within }] };
    else joined.add(inner, within);
    if (joined.length < JOINED) continue;
    yield joined.done();
    joined = new JoinedText('\n\n');
  }
  if (joined.length > 0) yield joined.done();
}

/** The path of a string, from its end to its root. */
interface Step {
  readonly parent: Step | undefined;
  readonly segment: string | number;
  /** Of a key: its ordinal. */
  readonly ordinal?: number;
}

function pathOf(root: JsonPointer, step: Step | undefined, nameOf?: NameOf): JsonPointer {
  if (step === undefined) return root;
  const name = step.ordinal === undefined ? undefined : nameOf?.(step.ordinal);
  return `${pathOf(root, step.parent, nameOf)}${pointerTo(name ?? step.segment)}`;
}

/** The strings and keys of a value, in the order of `mapStrings`. */
function* structuredTexts(value: Json, root: JsonPointer, part: number): Generator<SearchText> {
  let joined = new JoinedText();
  for (const { text, step, isKey, ordinal } of stringsIn(value, undefined, { next: 0 })) {
    const place = { part, ordinal, path: (nameOf?: NameOf) => pathOf(root, step, nameOf), isKey };
    if (text.length > SHORT) yield* wholeTexts(text, place);
    else joined.add(text, place);
    if (text.length <= SHORT && text.includes('\\')) yield* [...wholeTexts(text, place)].slice(1);
    if (joined.length < JOINED) continue;
    yield joined.done();
    joined = new JoinedText();
  }
  if (joined.length > 0) yield joined.done();
}

interface Found {
  readonly text: string;
  readonly step: Step | undefined;
  readonly isKey: boolean;
  readonly ordinal: number;
}

function* stringsIn(value: Json, step: Step | undefined, ordinals: { next: number }): Generator<Found> {
  if (typeof value === 'string') yield { text: value, step, isKey: false, ordinal: ordinals.next++ };
  if (typeof value !== 'object' || value === null) return;
  if (!isJsonObject(value)) {
    for (const [index, item] of value.entries()) yield* stringsIn(item, { parent: step, segment: index }, ordinals);
    return;
  }
  for (const [key, member] of Object.entries(value)) {
    const below = { parent: step, segment: key, ordinal: ordinals.next++ };
    yield { text: key, step: below, isKey: true, ordinal: below.ordinal };
    yield* stringsIn(member, below, ordinals);
  }
}

/** Strings of a document, a line for each. */
class JoinedText {
  private text = '';
  private readonly pieces: Piece[] = [];

  constructor(private readonly between = '\n') {}

  get length(): number {
    return this.text.length;
  }

  add(text: string, place: TextPlace): void {
    const last = this.pieces.at(-1);
    if (last !== undefined) this.text += last.place.isKey && !place.isKey ? ': ' : this.between;
    this.pieces.push({ at: this.text.length, length: text.length, place });
    this.text += text;
  }

  done(): SearchText {
    return { text: this.text, pieces: this.pieces };
  }
}
