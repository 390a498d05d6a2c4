import { isUtf8 } from 'node:buffer';
import type { Derived } from './derived.js';

/** Runs that may be data: base64 (both alphabets), base32 and hexadecimal are among them. */
const RUN = /[A-Za-z0-9+/_-]{16,}/g;
const HEX = /^[0-9a-f]+$/i;
const BASE32 = /^[A-Z2-7]+$/;
/** Lists of character codes: octets in binary, pairs of hexadecimal digits, decimal numbers. */
const OCTETS = /(?:[01]{8}[ ,]{0,2}){6,}/g;
const PAIRS = /(?:(?:0x)?[0-9a-f]{2}[ ,:]{1,2}){7,}(?:0x)?[0-9a-f]{2}/gi;
const DECIMALS = /(?:1?[0-9]{2}[ ,;]{1,2}){7,}1?[0-9]{2}/g;
const MORSE = /(?:[.\-·−]{1,6}[ /|]{1,3}){9,}[.\-·−]{1,6}/g;
const MORSE_LETTERS: Readonly<Record<string, string>> = Object.fromEntries(
  '.- a -... b -.-. c -.. d . e ..-. f --. g .... h .. i .--- j -.- k .-.. l -- m -. n --- o .--. p --.- q .-. r ... s - t ..- u ...- v .-- w -..- x -.-- y --.. z'
    .split(' ')
    .reduce<[string, string][]>((pairs, piece, index, all) => {
      if (index % 2 === 0) pairs.push([piece, all[index + 1] ?? '']);
      return pairs;
    }, []),
);
const PRINTABLE = /^[\t\n\r -~]*$/;

/** Adds what the encodings in a text say to the derived text. Offsets are of the text. */
export function addDecoded(text: string, derived: Derived): void {
  addRuns(text, derived);
  if (/[01]{8}[ ,]{0,2}[01]{8}/.test(text)) addLists(text, OCTETS, derived, 'binary', (list) => fromOctets(list));
  addLists(text, PAIRS, derived, 'hex', (list) => fromCodes(list.match(/[0-9a-f]{2}(?![x0-9a-f])/gi) ?? [], 16));
  addLists(text, DECIMALS, derived, 'decimal', (list) => fromCodes(list.match(/[0-9]+/g) ?? [], 10));
  addLists(text, MORSE, derived, 'morse', fromMorse);
}

function addLists(
  text: string,
  pattern: RegExp,
  derived: Derived,
  name: string,
  decode: (list: string) => string,
): void {
  for (const { 0: list, index } of text.matchAll(pattern)) {
    const decoded = decode(list);
    if (PRINTABLE.test(decoded))
      derived.add(decoded, {
        detector: name,
        kind: 'encoded_instruction',
        orders: 'firm',
        span: [index, index + list.length],
      });
  }
}

const fromCodes = (codes: readonly string[], radix: number): string =>
  String.fromCharCode(...codes.slice(0, 4096).map((code) => parseInt(code, radix)));

const fromOctets = (list: string): string => fromCodes(list.replace(/[^01]/g, '').match(/[01]{8}/g) ?? [], 2);

const fromMorse = (list: string): string =>
  list
    .replace(/·/g, '.')
    .replace(/−/g, '-')
    .split(/( ?[/|] ?| {2,3}| )/)
    .map((piece) => (piece === ' ' ? '' : /^[ /|]/.test(piece) ? ' ' : (MORSE_LETTERS[piece] ?? '')))
    .join('');

/** A run of data, and the lines of it that follow: wrapped at least at 40 columns. */
function addRuns(text: string, derived: Derived): void {
  let from = -1;
  let to = 0;
  let lines: string[] = [];
  const flush = (): void => {
    if (from >= 0) addRun(lines, from, to, text, derived);
    lines = [];
  };
  for (const { 0: run, index } of text.matchAll(RUN)) {
    const isNextLine =
      from >= 0 && index - to <= 4 && (lines.at(-1)?.length ?? 0) >= 40 && /^\s+$/.test(text.slice(to, index));
    if (!isNextLine) {
      flush();
      from = index;
    }
    lines.push(run);
    to = index + run.length;
  }
  flush();
}

function addRun(lines: readonly string[], from: number, to: number, text: string, derived: Derived): void {
  const run = lines.join('');
  let end = to;
  while (end < to + 6 && text[end] === '=') end += 1;
  const add = (decoded: string, detector: string): void =>
    derived.add(decoded, { detector, kind: 'encoded_instruction', orders: 'firm', span: [from, end] });
  if (HEX.test(run) && run.length % 2 === 0) {
    const decoded = readable(Buffer.from(run, 'hex'));
    if (decoded !== undefined) return add(decoded, 'hex');
  }
  const decoded = readable(Buffer.from(run, run.includes('-') || run.includes('_') ? 'base64url' : 'base64'));
  if (decoded !== undefined) return add(decoded, 'base64');
  if (BASE32.test(run)) {
    const plain = readable(fromBase32(run));
    if (plain !== undefined) add(plain, 'base32');
  }
}

const PROBE = 48;

/** The bytes as text, if they are text: UTF-8 or UTF-16, of which nearly all is letters, spaces and punctuation. */
function readable(bytes: Buffer): string | undefined {
  if (bytes.length < 8) return undefined;
  const wide = bytes[1] === 0 && bytes[3] === 0 && bytes[5] === 0;
  if (wide) return readableText(bytes.toString('utf16le'));
  // Random bytes fail in the first few: no copy of them is made.
  for (let at = 0; at < Math.min(PROBE, bytes.length); at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 32 && byte !== 10 && byte !== 13 && byte !== 9 && byte !== 27) return undefined;
  }
  if (isUtf8(bytes)) return readableText(bytes.toString('utf8'));
  // It may end in the middle of a character.
  const text = bytes.toString('latin1').slice(0, -3);
  return PRINTABLE.test(text) ? text : undefined;
}

function readableText(text: string): string | undefined {
  const strange = text.match(/[^\p{L}\p{M}\p{N}\p{P}\p{S}\s\p{Cf}]/gu)?.length ?? 0;
  return strange * 20 <= text.length ? text : undefined;
}

function fromBase32(run: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of run) {
    held = (held << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 255);
    held &= (1 << bits) - 1;
  }
  return Buffer.from(bytes);
}
