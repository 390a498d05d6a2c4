/**
 * Characters that nobody sees in a name: controls, bidi controls, zero-width and other default-ignorable characters,
 * variation selectors, line separators, noncharacters, lone surrogates.
 */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

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

/** Whether a text holds a character that nobody sees. */
export const hasUnseen = (text: string): boolean => text.search(UNSEEN) >= 0;

/** A text with every character that nobody sees written as an escape. */
export const escapedText = (text: string): string =>
  text.replace(UNSEEN, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);

/** What a text looks like: two names with one look cannot be told apart. Compatibility forms and marks count for nothing. */
export function lookOf(text: string): string {
  const plain = text.normalize('NFKC').replace(UNSEEN, '').trim();
  return Array.from(plain, (character) => LOOKALIKES[character] ?? character).join('');
}
