import { atOnce, type Steps } from '../../kernel/steps.js';
import { mirrorAlphabet, rotated } from './alphabet.js';
import { WordEnds } from './word-ends.js';
import type { Language } from './sentences.js';

/** The words of a pack, and how ciphers spell them. */
export interface Vocabulary {
  readonly plain: ReadonlySet<string>;
  readonly rotated: ReadonlySet<string>;
  readonly mirrored: ReadonlySet<string>;
  /** By a cipher's spelling: the shifts that undo it; 0 is the alphabet's mirror image. */
  readonly shifted: ReadonlyMap<string, readonly number[]>;
  /** Whether letters that run together may hold a word of attacks: a cheap look before the words are found. */
  readonly isTelling: (letters: string) => boolean;
  /** Puts spaces between the words of a text that runs together; parts that are no words stay in one piece. */
  readonly parted: (letters: string) => string;
}

const made = new WeakMap<Language, Vocabulary>();

export const vocabularyOf = (language: Language): Vocabulary =>
  made.get(language) ?? atOnce(vocabularyInSteps(language));

export function* vocabularyInSteps(language: Language): Steps<Vocabulary> {
  const known = made.get(language);
  if (known !== undefined) return known;
  const plain = language.vocabulary;
  const spelled = (spell: (word: string) => string): Set<string> =>
    new Set([...plain].map(spell).filter((word) => word.length >= 2 && !plain.has(word)));
  const shifted = yield* shiftsOf(language);
  yield;
  const parted = partingOf(language.spellings);
  yield;
  const vocabulary = {
    plain,
    rotated: spelled((word) => rotated(word, 13)),
    mirrored: spelled((word) => Array.from(word).toReversed().join('')),
    shifted,
    isTelling: tellingOf(language),
    parted,
  };
  made.set(language, vocabulary);
  return vocabulary;
}

function tellingOf(language: Language): (letters: string) => boolean {
  const long = [...language.telling].filter((word) => word.length >= 4);
  const any = new RegExp(long.map((word) => RegExp.escape(word)).join('|'));
  return (letters) =>
    any.test(letters.replaceAll('1', 'i')) || (letters.includes('1') && any.test(letters.replaceAll('1', 'l')));
}

/** Words whose ciphers are made in one step. */
const IN_STEP = 100;

function* shiftsOf(language: Language): Steps<Map<string, number[]>> {
  const shifts = new Map<string, number[]>();
  for (const [index, word] of [...language.vocabulary].entries()) {
    if (index % IN_STEP === 0) yield;
    if (word.length < 3) continue;
    for (let shift = 0; shift < 26; shift += 1) {
      if (shift === 13) continue;
      const spelling = shift === 0 ? mirrorAlphabet(word) : rotated(word, 26 - shift);
      shifts.set(spelling, [...(shifts.get(spelling) ?? []), shift]);
    }
  }
  return shifts;
}

/** A known word; a 1 in it is an i or an l. */
function wordIn(piece: string, known: ReadonlySet<string>): string | undefined {
  if (known.has(piece)) return piece;
  if (!piece.includes('1')) return undefined;
  const spellings = [
    piece.replaceAll('1', 'i'),
    piece.replaceAll('1', 'l'),
    piece.replace('1', 'i').replaceAll('1', 'l'),
  ];
  return spellings.find((spelling) => known.has(spelling));
}

/** The parting with the fewest letters outside of known words, then the fewest words. Linear: words are short. */
function partingOf(known: ReadonlySet<string>): (letters: string) => string {
  const words = new WordEnds(known);
  return (letters) => {
    const cost = new Float64Array(letters.length + 1);
    const from = new Int32Array(letters.length + 1);
    for (let to = 1; to <= letters.length; to += 1) {
      cost[to] = (cost[to - 1] ?? 0) + 1;
      from[to] = -1;
      words.endingAt(letters, to, (start) => {
        const price = (cost[start] ?? 0) + 0.3;
        if (price >= (cost[to] ?? 0)) return;
        cost[to] = price;
        from[to] = start;
      });
    }
    return piecesOf(letters, from, known);
  };
}

/** The pieces of a parting with spaces between them. `from` has the start of the word that ends at a place, or -1. */
function piecesOf(letters: string, from: Int32Array, known: ReadonlySet<string>): string {
  const pieces: string[] = [];
  let end = letters.length;
  for (let to = letters.length; to > 0;) {
    const start = from[to] ?? -1;
    if (start < 0) {
      to -= 1;
      continue;
    }
    if (to < end) pieces.push(letters.slice(to, end));
    const piece = letters.slice(start, to);
    pieces.push(wordIn(piece, known) ?? piece);
    to = end = start;
  }
  if (end > 0) pieces.push(letters.slice(0, end));
  return pieces.toReversed().join(' ');
}
