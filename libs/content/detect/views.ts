import { folded } from '../envelope/look-alikes.js';
import { REDACTION } from './spans.js';

/** A text as it is searched, and the place in the original text of each of its characters. */
export interface View {
  readonly text: string;
  /** `text` with lower-case ASCII letters, as long as it, and without redactions. */
  readonly lower: string;
  /** The part of the original text that a part of the view was made from. */
  original(start: number, end: number): readonly [number, number];
}

/** A text made from another one, and for each unit the part of the other that it was made from. */
interface Mapped {
  readonly text: string;
  readonly from: Int32Array;
  readonly to: Int32Array;
}

const ASCII = /^[\0-\x7f]*$/;
/** An escape of JSON, of a program or of a URL, escaped again up to four times, or a numeric character reference of HTML. */
const ESCAPE =
  /\\{1,16}(?:u([0-9a-f]{4})|x([0-9a-f]{2})|([nrtbf"'/]))|%(?:25){0,4}([0-7][0-9a-f])|&#(?:x([0-9a-f]{1,5})|([0-9]{1,6}));/gi;
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

/**
 * The views in which a text is searched. The first has ASCII in the place of what looks like it (full-width digits, digits
 * of other scripts, letters of other alphabets) and nothing invisible. The second, if the text has escapes, has them decoded.
 */
export function viewsOf(text: string, isType: IsType): readonly View[] {
  if (ASCII.test(text)) {
    const plain: View = { text, lower: unredacted(text.toLowerCase(), isType), original: same };
    const decoded = decodedOf(text);
    return decoded === undefined ? [plain] : [plain, viewOf(decoded, isType)];
  }
  const base = foldedOf(text);
  const decoded = decodedOf(base.text);
  const first = viewOf(base, isType);
  return decoded === undefined ? [first] : [first, viewOf(through(decoded, base), isType)];
}

/** Whether the pack can find a type. A caller can write any other word in the form of a redaction. */
export type IsType = (type: string) => boolean;

const same = (start: number, end: number): readonly [number, number] => [start, end];

function viewOf({ text, from, to }: Mapped, isType: IsType): View {
  return { text, lower: lowerOf(text, isType), original: (start, end) => [from[start] ?? 0, to[end - 1] ?? 0] };
}

/** A text made from a made text, mapped to the text beneath both. */
function through({ text, from, to }: Mapped, beneath: Mapped): Mapped {
  for (let at = 0; at < text.length; at += 1) {
    from[at] = beneath.from[from[at] ?? 0] ?? 0;
    to[at] = beneath.to[(to[at] ?? 0) - 1] ?? 0;
  }
  return { text, from, to };
}

/** Lower-case ASCII letters; the length stays, which `toLowerCase` does not promise. */
function lowerOf(text: string, isType: IsType): string {
  const lower = ASCII.test(text) ? text.toLowerCase() : text.replace(/[A-Z]+/g, (run) => run.toLowerCase());
  return unredacted(lower, isType);
}

/** A lower-case text with nothing in the place of its redactions. */
const unredacted = (lower: string, isType: IsType): string =>
  lower.includes('[redacted ')
    ? lower.replace(REDACTION, (found, type: string) => (isType(type) ? '\0'.repeat(found.length) : found))
    : lower;

/** Writes a mapped text. */
class Writer {
  #text = '';
  #from: Int32Array;
  #to: Int32Array;

  constructor(capacity: number) {
    this.#from = new Int32Array(capacity);
    this.#to = new Int32Array(capacity);
  }

  /** A part that is taken as it is. */
  copy(source: string, start: number, end: number): void {
    const offset = this.#text.length;
    this.#text += source.slice(start, end);
    this.#grow();
    for (let at = start; at < end; at += 1) {
      this.#from[offset + at - start] = at;
      this.#to[offset + at - start] = at + 1;
    }
  }

  /** Something in the place of a part. */
  put(text: string, start: number, end: number): void {
    const offset = this.#text.length;
    this.#text += text;
    this.#grow();
    this.#from.fill(start, offset, this.#text.length);
    this.#to.fill(end, offset, this.#text.length);
  }

  get mapped(): Mapped {
    return { text: this.#text, from: this.#from, to: this.#to };
  }

  #grow(): void {
    if (this.#text.length <= this.#from.length) return;
    const [from, to] = [this.#from, this.#to];
    this.#from = new Int32Array(this.#text.length * 2);
    this.#to = new Int32Array(this.#text.length * 2);
    this.#from.set(from);
    this.#to.set(to);
  }
}

/** A text with its escapes decoded, or nothing if it has none. */
function decodedOf(text: string): Mapped | undefined {
  if (!/[\\%&]/.test(text)) return undefined;
  let writer: Writer | undefined;
  let at = 0;
  for (const match of text.matchAll(ESCAPE)) {
    const [whole, unicode, hex, control, percent, reference, decimal] = match;
    const code = unicode ?? hex ?? percent ?? reference;
    const unit = control === undefined ? charOf(code, decimal) : (CONTROLS[control.toLowerCase()] ?? control);
    writer ??= new Writer(text.length);
    writer.copy(text, at, match.index);
    at = match.index + whole.length;
    writer.put(foldOf(unit), match.index, at);
  }
  writer?.copy(text, at, text.length);
  return writer?.mapped;
}

/** One UTF-16 unit. */
const charOf = (hex: string | undefined, decimal: string | undefined): string =>
  String.fromCharCode(hex === undefined ? Number.parseInt(decimal ?? '0', 10) : Number.parseInt(hex, 16));

function foldedOf(text: string): Mapped {
  const writer = new Writer(text.length);
  let at = 0;
  for (const { 0: char, index } of text.matchAll(NOT_ASCII)) {
    writer.copy(text, at, index);
    at = index + char.length;
    writer.put(foldOf(char), index, at);
  }
  writer.copy(text, at, text.length);
  return writer.mapped;
}

const NOT_ASCII = /[^\0-\x7f]/gu;
const MAX_FOLDS = 8192;
const folds = new Map<string, string>();

/** ASCII for a character that looks like it, nothing for one that nobody sees, else the character. */
function foldOf(char: string): string {
  if (char.charCodeAt(0) < 0x80) return char;
  const known = folds.get(char);
  if (known !== undefined) return known;
  const fold = newFoldOf(char);
  if (folds.size >= MAX_FOLDS) folds.clear();
  folds.set(char, fold);
  return fold;
}

/** Marks that are drawn over a character are left out too: a digit with a keycap or a stroke is a digit. */
const UNSEEN = /^[\p{Default_Ignorable_Code_Point}\p{Cf}\p{M}\u2800]$/u;

function newFoldOf(char: string): string {
  if (UNSEEN.test(char)) return '';
  if (/^\p{Nd}$/u.test(char)) return String(digitOf(char.codePointAt(0) ?? 0));
  if (/^\p{Zs}$/u.test(char)) return ' ';
  if (/^\p{Pd}$/u.test(char)) return '-';
  return folded(char).text;
}

/** The digits of a script follow each other, from 0 on. A character that is no digit precedes them. */
function digitOf(code: number): number {
  let zero = code;
  // Mathematical digits are five rows without a gap, from U+1D7CE.
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  while (zero > code - 9 && /^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return code - zero;
}
