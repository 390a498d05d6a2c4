/**
 * Invisible characters, as members of a class of a regular expression: controls, bidi controls, zero-width and
 * other default-ignorable characters (fillers, the tag block U+E0000-E0FFF), variation selectors, line separators,
 * noncharacters, lone surrogates, the blank of braille. This is the one table of them. Tab and line breaks are among them.
 */
export const UNSEEN_MEMBERS = String.raw`\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\p{Noncharacter_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u{2800}`;
const UNSEEN = new RegExp(`[${UNSEEN_MEMBERS}]`, 'gu');

/**
 * Letters of other scripts and symbols that look like an ASCII character, after NFKC. An extract of the confusables of
 * Unicode UTS #39: the letters by which names of packages and tools have been imitated, not all of its table.
 */
const LOOKALIKES: Readonly<Record<string, string>> = Object.fromEntries(
  (
    [
      // Cyrillic.
      ['аеорсухіјѕһԁԛԝкмнтвґѵӏ', 'aeopcyxijshdqwkmhtbrvl'],
      ['АВЕКМНОРСТУХІЈЅԌѴ', 'ABEKMHOPCTYXIJSGV'],
      // Greek.
      ['αεικνορτυχγω', 'aeiknoptuxyw'],
      ['ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ', 'ABEZHIKMNOPTYX'],
      // Armenian and Latin of other shapes.
      ['օսոցհզյ', 'ounghqj'],
      ['ıɡɑʟɩɪʏʙɢʜ', 'igaliiybgh'],
      // Dashes, dots, slashes and underlines.
      ['‐‑‒–—―−⁃', '--------'],
      ['․·•∕⁄⧸ˍ', '...///_'],
    ] as const
  ).flatMap(([from, to]) => Array.from(from, (character, index) => [character, to.charAt(index)])),
);

/** Whether a text holds an invisible character. */
export const hasUnseen = (text: string): boolean => text.search(UNSEEN) >= 0;

/** A text with every invisible character written as an escape. */
export const escapedText = (text: string): string =>
  text.replace(UNSEEN, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);

/**
 * The look of a text: a reader cannot tell two names with the same look apart. Compatibility forms and invisible
 * characters are dropped; combining marks stay.
 */
export function lookOf(text: string): string {
  const plain = text.normalize('NFKC').replace(UNSEEN, '').trim();
  return Array.from(plain, (character) => LOOKALIKES[character] ?? character).join('');
}
