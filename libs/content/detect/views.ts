import { folded } from '../look-alikes.js';
import { REDACTION } from './spans.js';

/** A text as it is searched, and the place in the original text of each of its characters. */
export interface View {
  readonly text: string;
  /** `text` with lower-case ASCII letters, as long as it, and without redactions. */
  readonly lower: string;
  /** The part of the original text that a part of the view was made from. */
  original(start: number, end: number): readonly [number, number];
}

/** Units of a view, each with the part of the original text that it was made from. */
interface Mapped {
  readonly text: string;
  readonly from: readonly number[];
  readonly to: readonly number[];
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
export function viewsOf(text: string): readonly View[] {
  if (ASCII.test(text)) {
    const plain: View = { text, lower: lowerOf(text), original: (start, end) => [start, end] };
    const decoded = decodedOf(text);
    return decoded === undefined ? [plain] : [plain, viewOf(foldedOf(decoded.text), decoded)];
  }
  const base = foldedOf(text);
  const decoded = decodedOf(base.text);
  return decoded === undefined
    ? [viewOf(base)]
    : [viewOf(base), viewOf(through(through(foldedOf(decoded.text), decoded), base))];
}

function viewOf(mapped: Mapped, beneath?: Mapped): View {
  const { text, from, to } = beneath === undefined ? mapped : through(mapped, beneath);
  return { text, lower: lowerOf(text), original: (start, end) => [from[start] ?? 0, to[end - 1] ?? 0] };
}

/** A view of a view, as a view of the text beneath. */
function through({ text, from, to }: Mapped, beneath: Mapped): Mapped {
  return {
    text,
    from: from.map((at) => beneath.from[at] ?? 0),
    to: to.map((at) => beneath.to[at - 1] ?? 0),
  };
}

/** Lower-case ASCII letters; the length stays, which `toLowerCase` does not promise. */
function lowerOf(text: string): string {
  const lower = ASCII.test(text) ? text.toLowerCase() : text.replace(/[A-Z]+/g, (run) => run.toLowerCase());
  return lower.includes('[redacted ') ? lower.replace(REDACTION, (found) => '\0'.repeat(found.length)) : lower;
}

function decodedOf(text: string): Mapped | undefined {
  if (!/[\\%&]/.test(text)) return undefined;
  let decoded = '';
  const from: number[] = [];
  const to: number[] = [];
  const copy = (start: number, end: number): void => {
    decoded += text.slice(start, end);
    for (let at = start; at < end; at += 1) {
      from.push(at);
      to.push(at + 1);
    }
  };
  let at = 0;
  for (const match of text.matchAll(ESCAPE)) {
    const [whole, unicode, hex, control, percent, reference, decimal] = match;
    const code = unicode ?? hex ?? percent ?? reference;
    const unit = control === undefined ? charOf(code, decimal) : (CONTROLS[control.toLowerCase()] ?? control);
    copy(at, match.index);
    at = match.index + whole.length;
    decoded += unit;
    from.push(match.index);
    to.push(at);
  }
  if (at === 0) return undefined;
  copy(at, text.length);
  return { text: decoded, from, to };
}

/** One UTF-16 unit. */
const charOf = (hex: string | undefined, decimal: string | undefined): string =>
  String.fromCharCode(hex === undefined ? Number.parseInt(decimal ?? '0', 10) : Number.parseInt(hex, 16));

function foldedOf(text: string): Mapped {
  const from: number[] = [];
  const to: number[] = [];
  let result = '';
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at) ?? 0;
    const next = at + (code > 0xffff ? 2 : 1);
    const char = code < 0x80 ? text.charAt(at) : foldOf(code);
    result += char;
    for (let unit = 0; unit < char.length; unit += 1) {
      from.push(at);
      to.push(next);
    }
    at = next;
  }
  return { text: result, from, to };
}

const MAX_FOLDS = 8192;
const folds = new Map<number, string>();

/** ASCII for a character that looks like it, nothing for one that nobody sees, else the character. */
function foldOf(code: number): string {
  const known = folds.get(code);
  if (known !== undefined) return known;
  const fold = newFoldOf(String.fromCodePoint(code));
  if (folds.size >= MAX_FOLDS) folds.clear();
  folds.set(code, fold);
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
