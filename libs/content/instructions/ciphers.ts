import { mirrorAlphabet, rotated } from './alphabet.js';
import type { Derived } from './derived.js';
import { vocabularyOf, type Vocabulary } from './vocabulary.js';
import type { Language } from './sentences.js';
import { addSeparated } from './separated.js';
import { Break, type Words } from './tokens.js';

const LEET: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '2': 'z',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '6': 'g',
  '7': 't',
  '8': 'b',
  '9': 'g',
  '@': 'a',
  $: 's',
  '!': 'i',
  '|': 'i',
  '+': 't',
  '€': 'e',
};
const MIXED = /[a-z][0-9@$!|+€]|[0-9@$!|+€][a-z]/;
const MAX_GROUP = 64;
/** A group may hold more words if each is one letter. */
const MAX_LETTERS = 400;

const longest = (words: Words, at: number): number => (isLetter(words, at) ? MAX_LETTERS : MAX_GROUP);
const isLetter = ({ word }: Words, at: number): boolean => word[at]?.length === 1 && word[at - 1]?.length === 1;

/** Adds what a text says in letters that are shifted, mirrored, spaced out, run together or replaced by digits. */
export function addDeciphered(lower: string, words: Words, language: Language, derived: Derived): void {
  const vocabulary = vocabularyOf(language);
  addSeparated(lower, words, derived);
  for (let from = 0; from < words.count;) {
    let to = from + 1;
    while (to < words.count && to - from < longest(words, to) && !endsGroup(lower, words, to)) to += 1;
    addGroup(lower, words, from, to, vocabulary, derived);
    from = to;
  }
}

/** Groups are lines and quoted texts: what surrounds a cipher is not a part of it. */
function endsGroup(lower: string, words: Words, at: number): boolean {
  if (words.before[at] === Break.none) return false;
  if (isLetter(words, at)) return lower.slice(words.end[at - 1], words.start[at]).includes('"');
  return /[\n"<>|]|: /.test(lower.slice(words.end[at - 1], words.start[at]));
}

interface Counts {
  plain: number;
  rotated: number;
  mirrored: number;
  mixed: number;
  single: number;
}

function addGroup(
  lower: string,
  words: Words,
  from: number,
  to: number,
  vocabulary: Vocabulary,
  derived: Derived,
): void {
  const counts: Counts = { plain: 0, rotated: 0, mirrored: 0, mixed: 0, single: 0 };
  for (let at = from; at < to; at += 1) {
    const word = words.word[at] ?? '';
    if (vocabulary.plain.has(word)) counts.plain += 1;
    if (vocabulary.rotated.has(word)) counts.rotated += 1;
    if (vocabulary.mirrored.has(word)) counts.mirrored += 1;
    if (word.length === 1) counts.single += 1;
    else if (MIXED.test(word)) counts.mixed += 1;
  }
  const span = [words.start[from] ?? 0, words.end[to - 1] ?? 0] as const;
  const text = lower.slice(...span);
  addRunsTogether(text, span[0], vocabulary, derived);
  const add = (decoded: string, detector: string): void =>
    derived.add(decoded, { detector, kind: 'encoded_instruction', orders: 'firm', span });
  if (counts.rotated >= 2 && counts.rotated > counts.plain) add(rotated(text, 13), 'rot13');
  if (counts.mirrored >= 2 && counts.mirrored > counts.plain) add(Array.from(text).toReversed().join(''), 'reversed');
  if (counts.mixed >= 3 && counts.mixed * 3 >= to - from && counts.mixed > counts.plain) {
    add(unleet(text, vocabulary), 'leet');
    if (text.length <= LONGEST_RUN) add(vocabulary.parted(lettersOf(text)), 'leet');
  }
  if (counts.single >= 8) addSpaced(lower, words, from, to, vocabulary, derived);
  else if (counts.plain + counts.rotated === 0 && to - from >= 4) addShifted(words, from, to, text, vocabulary, add);
}

/** A shift of the alphabet other than 13, or its mirror image. */
function addShifted(
  words: Words,
  from: number,
  to: number,
  text: string,
  vocabulary: Vocabulary,
  add: (decoded: string, detector: string) => void,
): void {
  const votes = new Map<number, number>();
  for (let at = from; at < to; at += 1) {
    for (const shift of vocabulary.shifted.get(words.word[at] ?? '') ?? [])
      votes.set(shift, (votes.get(shift) ?? 0) + 1);
  }
  for (const [shift, count] of votes) {
    if (count < 3 || count * 4 < to - from) continue;
    add(shift === 0 ? mirrorAlphabet(text) : rotated(text, shift), shift === 0 ? 'atbash' : 'caesar');
  }
}

/** Single letters: those between wider gaps make a word, or the words have to be found. */
function addSpaced(
  lower: string,
  words: Words,
  from: number,
  to: number,
  vocabulary: Vocabulary,
  derived: Derived,
): void {
  for (let at = from; at < to;) {
    let end = at;
    while (end < to && words.word[end]?.length === 1) end += 1;
    if (end - at >= 8) {
      const span = [words.start[at] ?? 0, words.end[end - 1] ?? 0] as const;
      derived.add(joined(lower, words, at, end, vocabulary), {
        detector: 'spaced_letters',
        kind: 'encoded_instruction',
        orders: 'strong',
        span,
      });
    }
    at = Math.max(end, at + 1);
  }
}

function joined(lower: string, words: Words, from: number, to: number, vocabulary: Vocabulary): string {
  const gaps = Array.from({ length: to - from }, (_, index) =>
    index === 0 ? 0 : gapBefore(lower, words, from + index),
  );
  const narrow = gaps.reduce((least, gap, index) => (index === 0 ? least : Math.min(least, gap)), Infinity);
  const text = gaps.map((gap, index) => (gap > narrow ? ' ' : '') + (words.word[from + index] ?? '')).join('');
  const letters = unleet(text, vocabulary);
  return letters.includes(' ') ? letters : vocabulary.parted(lettersOf(text));
}

const WIDE = 1000;

/** The width of a gap; white space is wider than any mark. */
function gapBefore(lower: string, words: Words, at: number): number {
  const gap = lower.slice(words.end[at - 1], words.start[at]);
  return gap.length + (/\s/.test(gap) ? WIDE : 0);
}

/** Letters, digits and signs in the place of letters, without a space. */
const RUN = /[a-z0-9@$!|+€_'.-]{14,}/g;
const LONGEST_RUN = 300;

function addRunsTogether(text: string, start: number, vocabulary: Vocabulary, derived: Derived): void {
  for (const { 0: run, index } of text.matchAll(RUN)) {
    // Names of programs and addresses are words with marks between; letters that are parted by marks are a disguise.
    if (run.length > LONGEST_RUN || (/[_.-]/.test(run) && /[a-z0-9]{4}/.test(run))) continue;
    const letters = lettersOf(run);
    if (!vocabulary.isTelling(letters)) continue;
    const parted = vocabulary.parted(letters);
    if (!parted.includes(' ')) continue;
    const span = [start + index, start + index + run.length] as const;
    const pieces = parted.split(' ');
    const isWhole = pieces.length >= 5 && pieces.every((piece) => vocabulary.plain.has(piece));
    derived.add(parted, {
      detector: 'run_together',
      kind: 'encoded_instruction',
      orders: isWhole ? 'strong' : 'none',
      span,
    });
  }
}

/** The letters of a run, with 1 for i or l. */
const lettersOf = (run: string): string =>
  run.replace(/[^a-z0-9@$!|+€]/g, '').replace(/[02-9@$!|+€]/g, (sign) => LEET[sign] ?? sign);

/** Letters in the place of digits and signs; a word of digits alone stays a number. */
function unleet(text: string, vocabulary: Vocabulary): string {
  return text.replace(/[a-z0-9@$!|+€']+/g, (word) => {
    if (!/[0-9@$!|+€]/.test(word) || (/^[0-9$+]+$/.test(word) && word.length > 2)) return word;
    const letters = word.replace(/[0-9@$!|+€]/g, (sign) => LEET[sign] ?? sign);
    if (vocabulary.plain.has(letters) || !word.includes('1')) return letters;
    const other = word.replaceAll('1', 'l').replace(/[0-9@$!|+€]/g, (sign) => LEET[sign] ?? sign);
    return vocabulary.plain.has(other) ? other : letters;
  });
}
