/**
 * Characters that a reader, or a model, takes for ASCII: compatibility forms (full width, mathematical letters, …) by
 * Unicode's NFKC, and look-alikes that NFKC keeps apart. Only what markers are written with.
 */

/** An ASCII character, and what looks like it. After the confusables of Unicode TS 39. */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '<': '‹〈⟨❮❰ᐸ˂≺',
  '>': '›〉⟩❯❱ᐳ˃≻',
  '|': '│┃∣ǀ❘❙❚⏐¦ӏ⎪⼁',
  '[': '⁅⟦【〔❲',
  ']': '⁆⟧】〕❳',
  ':': '꞉ː∶։׃˸',
  '/': '⁄∕╱⧸',
  _: '▁‗ˍ',
  '-': '‐‑‒–—−',
  '#': '♯⌗',
  a: 'аɑα',
  b: 'ЬƄ',
  c: 'сϲ',
  d: 'ԁ',
  e: 'еҽ',
  g: 'ɡց',
  h: 'һհ',
  i: 'іıιɩ',
  j: 'јϳ',
  k: 'κк',
  m: 'м',
  n: 'ոп',
  o: 'оοօ',
  p: 'рρ',
  q: 'ԛ',
  r: 'г',
  s: 'ѕ',
  t: 'тτ',
  u: 'υս',
  v: 'νѵ',
  w: 'ԝѡ',
  x: 'хχ',
  y: 'уγ',
  A: 'АΑ',
  B: 'ВΒ',
  C: 'СϹ',
  E: 'ЕΕ',
  H: 'НΗ',
  I: 'ІΙӀ',
  J: 'Ј',
  K: 'КΚ',
  M: 'МΜ',
  N: 'Ν',
  O: 'ОΟ',
  P: 'РΡ',
  S: 'Ѕ',
  T: 'ТΤ',
  X: 'ХΧ',
  Y: 'УΥҮ',
  Z: 'Ζ',
};

interface Folds {
  /** By UTF-16 unit: the unit of the single ASCII character that it resembles, or 0. */
  readonly even: Uint16Array;
  /** Characters that unfold to more than one character, or to fewer units than they have. */
  readonly uneven: ReadonlyMap<string, string>;
  readonly anyUneven: RegExp;
}

/** Above the last plane that holds compatibility forms of ASCII. */
const LAST_CODE_POINT = 0x1ffff;
let made: Folds | undefined;

/** Made when it is first needed: some 20 ms. */
function folds(): Folds {
  if (made !== undefined) return made;
  const even = new Uint16Array(0x10000);
  const uneven = new Map<string, string>();
  const fold = (char: string, ascii: string): void => {
    if (char.length === 1 && ascii.length === 1) even[char.charCodeAt(0)] = ascii.charCodeAt(0);
    else uneven.set(char, ascii);
  };
  for (let code = 0x80; code <= LAST_CODE_POINT; code += 1) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const char = String.fromCodePoint(code);
    const ascii = char.normalize('NFKC');
    if (ascii !== char && /^[ -~]+$/.test(ascii)) fold(char, ascii);
  }
  for (const [ascii, alike] of Object.entries(LOOK_ALIKES)) for (const char of alike) fold(char, ascii);
  made = { even, uneven, anyUneven: new RegExp(`[${[...uneven.keys()].join('')}]`, 'gu') };
  return made;
}

/** A text with ASCII in the place of look-alikes, and the place in the original text of each of its characters. */
export interface Folded {
  readonly text: string;
  /** The place in the text of the character at a place in the folded one. */
  readonly origin: (at: number) => number;
}

const ASCII = /^[\0-\x7f]*$/;

export function folded(text: string): Folded {
  if (ASCII.test(text)) return { text, origin: (at) => at };
  const { uneven, anyUneven } = folds();
  /** Places in the folded text at which the offset changes, and the new offset. */
  const from: number[] = [];
  const shifts: number[] = [];
  let shift = 0;
  const evened = text.replace(anyUneven, (char, at: number) => {
    const ascii = uneven.get(char) ?? char;
    // All characters that one unfolds to have its place.
    for (let index = 1; index < ascii.length; index += 1) {
      from.push(at + shift + index);
      shifts.push(shift + index);
    }
    from.push(at + shift + ascii.length);
    shift += ascii.length - char.length;
    shifts.push(shift);
    return ascii;
  });
  const origin = (at: number): number => {
    let [low, high] = [0, from.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((from[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return at - (shifts[low - 1] ?? 0);
  };
  return { text: evenFolded(evened), origin };
}

function evenFolded(text: string): string {
  const { even } = folds();
  const units = new Uint16Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    units[at] = even[unit] || unit;
  }
  return Buffer.from(units.buffer).toString('utf16le');
}

/** The unit of the ASCII character that a UTF-16 unit resembles, or 0. */
export function asciiLookAlike(unit: number): number {
  return folds().even[unit] ?? 0;
}
