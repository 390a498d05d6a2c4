import { asciiLookAlike } from '../envelope/look-alikes.js';
import { UNSEEN_MEMBERS } from '../../vocabulary/lookalikes.js';
import { escapeAt } from './escapes.js';

/** How a character of the plain text was written in the original. */
export const Written = {
  plainly: 0,
  /** As an escape: `\u0069`, `&#105;`, `%69`. */
  escaped: 1,
  /** As a compatibility form or an imitation: full width, mathematical, another script. */
  disguised: 2,
  /** Next to an invisible character inside of a word. */
  split: 3,
  /** With a diacritic. */
  accented: 4,
} as const;

/** Text that a person does not see and a model reads. */
export interface HiddenRun {
  readonly how: 'tag_characters' | 'variation_selectors' | 'zero_width_bits' | 'bidi_override' | 'terminal_conceal';
  readonly text: string;
  /** UTF-16 offsets in the original. */
  readonly span: readonly [number, number];
}

/** A text as a model understands it, with the place in the original of each of its UTF-16 units. */
export interface PlainView {
  readonly text: string;
  /** The same length as `text`. */
  readonly lower: string;
  /** The place in the original of the unit at a place of `text`; of its end, the length of the original. */
  readonly origin: (place: number) => number;
  /** A value of `Written` for each unit of `text`; absent if all is written plainly. */
  readonly written?: Uint8Array;
  readonly hidden: readonly HiddenRun[];
}

const ASCII_LETTER = /[A-Za-z]/;
const UNSEEN = new RegExp(`[${UNSEEN_MEMBERS}]`, 'u');
const SPACE = /\p{Zs}/u;
const MARK = /\p{Mn}/u;
/** A compatibility form may unfold to 18 characters; more than 4 are no letters of a disguise. */
const MAX_UNFOLDED = 4;
const MAX_HIDDEN_RUNS = 256;

/** The replacement of a character that is not ASCII. */
interface Folded {
  readonly text: string;
  readonly written: number;
}

/** Bounded, because a text chooses which characters it holds. */
const foldedBefore = new Map<number, Folded>();
const MAX_FOLDED = 8192;

function foldOf(code: number): Folded {
  const known = foldedBefore.get(code);
  if (known !== undefined) return known;
  const made = makeFold(String.fromCodePoint(code));
  if (foldedBefore.size < MAX_FOLDED) foldedBefore.set(code, made);
  return made;
}

const SMALL_CAPITALS: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from('ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ', (character, index) => [character, 'abcdefghijklmnopqrstuvwyz'.charAt(index)]),
);

function makeFold(character: string): Folded {
  const code = character.codePointAt(0) ?? 0;
  if (UNSEEN.test(character)) return { text: '', written: Written.split };
  if (SPACE.test(character)) return { text: ' ', written: Written.plainly };
  if (character === '’' || character === '‘') return { text: "'", written: Written.plainly };
  if (character === '“' || character === '”') return { text: '"', written: Written.plainly };
  // Squared and circled capitals, and the letters of flags: U+1F130-1F189, U+1F1E6-1F1FF.
  if (code >= 0x1f130 && code <= 0x1f189) return disguise(String.fromCharCode(65 + ((code - 0x1f130) % 32)));
  if (code >= 0x1f1e6 && code <= 0x1f1ff) return disguise(String.fromCharCode(65 + code - 0x1f1e6));
  const small = SMALL_CAPITALS[character];
  if (small !== undefined) return disguise(small);
  const compatible = character.normalize('NFKC');
  if (compatible !== character && compatible.length <= MAX_UNFOLDED && /^[ -~]+$/.test(compatible))
    return disguise(compatible);
  const base = character.normalize('NFD').charAt(0);
  if (base !== character && ASCII_LETTER.test(base)) return { text: base, written: Written.accented };
  if (MARK.test(character)) return { text: character, written: Written.accented };
  return { text: character, written: Written.plainly };
}

const disguise = (text: string): Folded => ({ text, written: Written.disguised });

/** Collects the plain text. Buffers are used again: only one view is made at a time. */
class Writer {
  private units = new Uint16Array(1 << 14);
  private places = new Int32Array(1 << 14);
  private how = new Uint8Array(1 << 14);
  private isPlain = true;
  private length = 0;

  begin(): void {
    this.length = 0;
    this.isPlain = true;
  }

  write(unit: number, place: number, how: number): void {
    if (this.length === this.units.length) this.grow();
    this.units[this.length] = unit;
    this.places[this.length] = place;
    this.how[this.length] = how;
    if (how !== Written.plainly) this.isPlain = false;
    this.length += 1;
  }

  last(): number {
    return this.length === 0 ? 0 : (this.units[this.length - 1] ?? 0);
  }

  /** Says how the last unit was written. */
  mark(how: number): void {
    if (this.length === 0) return;
    this.how[this.length - 1] = how;
    this.isPlain = false;
  }

  private grow(): void {
    const size = this.units.length * 2;
    const [units, places, how] = [new Uint16Array(size), new Int32Array(size), new Uint8Array(size)];
    units.set(this.units);
    places.set(this.places);
    how.set(this.how);
    [this.units, this.places, this.how] = [units, places, how];
  }

  end(length: number, hidden: readonly HiddenRun[]): PlainView {
    const { length: count } = this;
    const places = this.places.slice(0, count);
    if (unmix(this.units.subarray(0, count), this.how)) this.isPlain = false;
    const text = Buffer.from(this.units.buffer, 0, count * 2).toString('utf16le');
    const origin = (place: number): number => places[place] ?? length;
    const view = { text, lower: lowerOf(text), origin, hidden };
    const isLarge = this.units.length > MAX_KEPT;
    const written = this.isPlain ? undefined : this.how.slice(0, count);
    if (isLarge) writer = new Writer();
    return written === undefined ? view : { ...view, written };
  }
}

/** A writer with larger buffers is not kept. */
const MAX_KEPT = 1 << 18;
let writer = new Writer();

function lowerOf(text: string): string {
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : lowerByUnit(text);
}

/** Lower case that keeps the length: a few letters have a longer lower case. */
function lowerByUnit(text: string): string {
  return text.replace(/[^a-z]/g, (unit) => {
    const lower = unit.toLowerCase();
    return lower.length === unit.length ? lower : unit;
  });
}

const isAsciiLetter = (unit: number): boolean => (unit >= 97 && unit <= 122) || (unit >= 65 && unit <= 90);

/**
 * Writes ASCII for letters of other scripts that imitate it, in words that mix them with ASCII letters, and in whole words
 * of a text that is mostly ASCII. Words of a text in Cyrillic or Greek stay. Says whether anything changed.
 */
function unmix(units: Uint16Array, written: Uint8Array): boolean {
  let ascii = 0;
  let foreign = 0;
  for (const unit of units) {
    if (isAsciiLetter(unit)) ascii += 1;
    else if (unit > 0x24f) foreign += 1;
  }
  if (foreign === 0) return false;
  const isMostlyAscii = ascii > foreign * 2;
  let isChanged = false;
  let start = 0;
  for (let at = 0; at <= units.length; at += 1) {
    const unit = units[at] ?? 0;
    if (isAsciiLetter(unit) || unit > 0x24f) continue;
    if (at > start && unmixWord(units, written, start, at, isMostlyAscii)) isChanged = true;
    start = at + 1;
  }
  return isChanged;
}

function unmixWord(
  units: Uint16Array,
  written: Uint8Array,
  start: number,
  end: number,
  isMostlyAscii: boolean,
): boolean {
  let ascii = 0;
  let imitated = 0;
  for (let at = start; at < end; at += 1) {
    const unit = units[at] ?? 0;
    if (isAsciiLetter(unit)) ascii += 1;
    else if (asciiLookAlike(unit) !== 0) imitated += 1;
  }
  if (imitated === 0 || (ascii === 0 && !isMostlyAscii) || ascii + imitated < (end - start) * 0.8) return false;
  for (let at = start; at < end; at += 1) {
    const alike = asciiLookAlike(units[at] ?? 0);
    if (alike === 0) continue;
    units[at] = alike;
    written[at] = Written.disguised;
  }
  return true;
}

/** A run of hidden characters that is still open. */
interface OpenRun {
  how: HiddenRun['how'];
  codes: number[];
  start: number;
  end: number;
}

/** Gathers what invisible characters say. */
class Hidden {
  readonly runs: HiddenRun[] = [];
  private open: OpenRun | undefined;

  add(how: HiddenRun['how'], code: number, start: number, end: number): void {
    if (this.open?.how !== how) this.close();
    this.open ??= { how, codes: [], start, end };
    this.open.codes.push(code);
    this.open.end = end;
  }

  close(): void {
    const { open } = this;
    this.open = undefined;
    if (open === undefined || open.codes.length < 4 || this.runs.length >= MAX_HIDDEN_RUNS) return;
    const text = hiddenText(open);
    if (text.length >= 4) this.runs.push({ how: open.how, text, span: [open.start, open.end] });
  }
}

function hiddenText(run: OpenRun): string {
  if (run.how === 'variation_selectors') return Buffer.from(run.codes).toString('utf8');
  if (run.how === 'zero_width_bits') return bitsOf(run.codes);
  const units = run.how === 'bidi_override' ? run.codes.toReversed() : run.codes;
  return units.map((code) => String.fromCodePoint(code)).join('');
}

/** Two zero-width characters as the bits of ASCII, in either sense. */
function bitsOf(codes: readonly number[]): string {
  const [one] = codes;
  for (const isSet of [(code: number) => code !== one, (code: number) => code === one]) {
    const bytes: number[] = [];
    for (let at = 0; at + 8 <= codes.length; at += 8) {
      bytes.push(codes.slice(at, at + 8).reduce((byte, code) => byte * 2 + (isSet(code) ? 1 : 0), 0));
    }
    const text = Buffer.from(bytes).toString('latin1');
    if (/^[\t\n\r -~]{4,}$/.test(text)) return text;
  }
  return '';
}

const ZERO_WIDTH = new Set([0x200b, 0x200c, 0x200d, 0x2060, 0x2062, 0x2063, 0x2064, 0xfeff]);

/** The byte that a variation selector means (VS1-256), or -1. */
function selectorByte(code: number): number {
  if (code >= 0xfe00 && code <= 0xfe0f) return code - 0xfe00;
  return code >= 0xe0100 && code <= 0xe01ef ? code - 0xe0100 + 16 : -1;
}

/** ECMA-48, 8.3.117: select graphic rendition 8 conceals; 0 and 28 reveal. */
const TERMINAL = /\[([0-9;?]{0,32})([@-~])/y;
/** Ends a bidi override or embedding: pop, pop isolate, line break. */
const endsOverride = (code: number): boolean => code === 0x202c || code === 0x2069 || code === 10;

/** Without escapes, controls and letters outside of ASCII. */
const AS_IT_IS = /^[\n\t -$'-[\]-~]*$/;

/** The plain view of a text. Linear in its length. */
export function plainOf(original: string): PlainView {
  if (AS_IT_IS.test(original))
    return { text: original, lower: original.toLowerCase(), origin: (place) => place, hidden: [] };
  const out = writer;
  out.begin();
  const hidden = new Hidden();
  let isReversed = false;
  let isConcealed = false;
  for (let at = 0; at < original.length;) {
    const { code, end, escaped } = escapeAt(original, at);
    const start = at;
    at = end;
    if (code >= 32 && code < 127) {
      if (isReversed) hidden.add('bidi_override', code, start, at);
      else if (isConcealed) hidden.add('terminal_conceal', code, start, at);
      out.write(code, start, escaped && code !== 34 && code !== 92 ? Written.escaped : Written.plainly);
      continue;
    }
    if (code === 27) {
      TERMINAL.lastIndex = at;
      const sequence = TERMINAL.exec(original);
      if (sequence !== null) {
        at = TERMINAL.lastIndex;
        if (sequence[2] === 'm') isConcealed = concealsAfter(sequence[1] ?? '', isConcealed);
        if (!isConcealed) hidden.close();
      }
      continue;
    }
    if (isReversed && endsOverride(code)) {
      isReversed = false;
      hidden.close();
    }
    if (code === 0x202e) isReversed = true;
    else if (code >= 0xe0020 && code <= 0xe007e) hidden.add('tag_characters', code - 0xe0000, start, at);
    else if (selectorByte(code) >= 0) hidden.add('variation_selectors', selectorByte(code), start, at);
    else if (ZERO_WIDTH.has(code)) hidden.add('zero_width_bits', code, start, at);
    else if (isReversed && code > 127) hidden.add('bidi_override', code, start, at);
    writeFolded(out, code, start, escaped);
  }
  hidden.close();
  return out.end(original.length, hidden.runs);
}

function writeFolded(out: Writer, code: number, start: number, escaped: boolean): void {
  if (code === 10 || code === 9) return out.write(code, start, Written.plainly);
  if (code === 13 || code === 11 || code === 12 || code === 0x85 || code === 0x2028 || code === 0x2029)
    return out.write(10, start, Written.plainly);
  const fold = foldOf(code);
  const isDiacritic = fold.text.length === 1 && fold.text.charCodeAt(0) === code && fold.written === Written.accented;
  if (isDiacritic && !isAsciiLetter(out.last())) return out.write(code, start, Written.plainly);
  if (fold.text === '' || isDiacritic) {
    // The unit before it says that an invisible character or a diacritic follows.
    out.mark(fold.written);
    return;
  }
  const how = escaped && fold.written === Written.plainly ? Written.escaped : fold.written;
  for (let unit = 0; unit < fold.text.length; unit += 1) out.write(fold.text.charCodeAt(unit), start, how);
}

function concealsAfter(parameters: string, isConcealed: boolean): boolean {
  let now = isConcealed;
  for (const parameter of parameters.split(';')) {
    if (parameter === '8') now = true;
    else if (parameter === '0' || parameter === '' || parameter === '28') now = false;
  }
  return now;
}
