import type { Derived } from './derived.js';
import { Break, type Words } from './tokens.js';

/** Words that marks keep apart, one by one: fewer are a list, a name or a row. */
const MIN_WORDS = 4;
const MAX_WORDS = 200;
const MIN_LETTERS = 8;
/** A gap with a mark, or the end of a line. */
const PARTED = /[^\s"'\\{}[\]:]|\n/;
const LETTERS = /^[a-z']{1,20}$/;

/**
 * Adds sentences whose words are kept apart by marks: `ignore_all_rules`, `ignore. all. rules.`, one word a line. Lists and
 * names look the same, so only phrases of the pack count.
 */
export function addSeparated(lower: string, words: Words, derived: Derived): void {
  const add = (text: string, from: number, to: number): void =>
    derived.add(text, {
      detector: 'separated_words',
      kind: 'encoded_instruction',
      orders: 'none',
      span: [words.start[from] ?? 0, words.end[to - 1] ?? 0],
      isVisible: true,
    });
  for (let from = 0; from < words.count;) {
    let to = from + 1;
    if (words.word[from]?.includes('_')) {
      while (to < words.count && to - from < MAX_WORDS && isSpelled(words.word[from]) && isSpelled(words.word[to]))
        to += 1;
      addUnderscored(words.word.slice(from, to), (text) => add(text, from, to));
    }
    from = to;
  }
  for (let from = 0; from < words.count;) {
    let to = from + 1;
    while (to < words.count && to - from < MAX_WORDS && isParted(lower, words, to)) to += 1;
    if (to - from >= MIN_WORDS) add(words.word.slice(from, to).join(' '), from, to);
    from = to;
  }
}

const isParted = (lower: string, { word, start, end, before }: Words, at: number): boolean =>
  before[at] !== Break.none &&
  LETTERS.test(word[at] ?? '') &&
  LETTERS.test(word[at - 1] ?? '') &&
  isOneMark(lower.slice(end[at - 1], start[at]));

/** A paragraph ends a row of words. */
const isOneMark = (gap: string): boolean => PARTED.test(gap) && !/\n\s{0,8}\n/.test(gap);

/** Letters with underscores between, or one letter. */
const isSpelled = (word = ''): boolean => /^[a-z0-9](?:_[a-z0-9])*$/.test(word);

/** Words, or the letters of words, with underscores between. */
function addUnderscored(run: readonly string[], add: (text: string) => void): void {
  const letters = run.map((word) => word.replaceAll('_', ''));
  if (run.every(isSpelled) && letters.join('').length >= MIN_LETTERS) return add(letters.join(' '));
  const parts = run[0]?.split('_').filter((part) => part !== '') ?? [];
  if (parts.length >= MIN_WORDS) add(parts.join(' '));
}
