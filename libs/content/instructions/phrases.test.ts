import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from '../../../test/support/testing.js';
import { atOnce } from '../../kernel/steps.js';
import { Phrases } from './phrases.js';
import { Break, wordsOf, type Words } from './tokens.js';
import { readPack } from './pack.js';
import { languageOf } from './sentences.js';
import { vocabularyOf } from './vocabulary.js';

/** The answers of the tables are compared with a plain reading of the same definition. */

const LISTS = { order: 'ignore forget drop', thing: 'rules orders instruct*' };
const PARTS = ['ignore', 'all|any', 'all?', '@order', '@thing', '@thing?', 'instruct*', '~1', '~3', 'the?', 'rules'];
const WORDS = ['ignore', 'forget', 'all', 'any', 'the', 'rules', 'instruct', 'instructions', 'other'];

/** Whether a word belongs to a part of a pattern. */
function belongs(word: string, part: string): boolean {
  const choices = part.split('|').flatMap((choice) => {
    return choice.startsWith('@') ? LISTS[choice.slice(1) as keyof typeof LISTS].split(' ') : [choice];
  });
  return choices.some((choice) => (choice.endsWith('*') ? word.startsWith(choice.slice(0, -1)) : word === choice));
}

/** All words after an occurrence of the parts that starts at a word, by trying every way. */
function endsOf(parts: readonly string[], words: Words, at: number, isFirst: boolean): number[] {
  const [part, ...rest] = parts;
  if (part === undefined) return [at];
  const isOptional = part.endsWith('?');
  if (part.startsWith('~')) {
    const fewer = part === '~1' ? rest : [`~${Number(part.slice(1)) - 1}`, ...rest];
    const skipped = endsOf(fewer, words, at, isFirst);
    return takes(words, at, isFirst) ? [...skipped, ...endsOf(fewer, words, at + 1, false)] : skipped;
  }
  const name = isOptional ? part.slice(0, -1) : part;
  const ends = isOptional ? endsOf(rest, words, at, isFirst) : [];
  if (takes(words, at, isFirst) && belongs(words.word[at] ?? '', name))
    ends.push(...endsOf(rest, words, at + 1, false));
  return ends;
}

const takes = (words: Words, at: number, isFirst: boolean): boolean =>
  at < words.count && (isFirst || words.before[at] !== Break.hard);

describe('phrases', () => {
  test('are found where a plain reading of their pattern finds them, and end where the shortest one ends', () => {
    const pattern = fc
      .tuple(
        fc.constantFrom('ignore', '@order', 'all|any', 'instruct*'),
        fc.array(fc.constantFrom(...PARTS), { maxLength: 6 }),
      )
      .map(([first, more]) => [first, ...more]);
    const text = fc
      .array(fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(' ', ' ', ' ', ', ', '. ')), { maxLength: 14 })
      .map((words) => words.map((pair) => pair.join('')).join(''));
    fc.assert(
      fc.property(pattern, text, (parts, given) => {
        const rule = { id: 'r', kind: 'override', severity: 'high', patterns: [parts.join(' ')] } as const;
        const words = wordsOf(given);
        const found = atOnce(Phrases.inSteps(LISTS, [rule])).hitsIn(words, new Uint8Array(words.count));
        const expected = words.word.flatMap((_, from) => {
          const ends = endsOf(parts, words, from, true).filter((to) => to > from);
          return ends.length === 0 ? [] : [[from, Math.min(...ends)]];
        });
        assert.deepEqual(
          found.map(({ from, to }) => [from, to]),
          expected,
        );
      }),
      { numRuns: 3000 },
    );
  });
});

describe('letters that run together', () => {
  const language = languageOf(readPack(1).pack);
  const known = language.spellings;
  const spellings = (piece: string): string[] => [
    piece,
    piece.replaceAll('1', 'i'),
    piece.replaceAll('1', 'l'),
    piece.replace('1', 'i').replaceAll('1', 'l'),
  ];

  /** The least cost of a parting: 1 for each letter outside of a word, 0.3 for each word. */
  function leastCost(letters: string): number {
    const cost = [0];
    for (let to = 1; to <= letters.length; to += 1) {
      let least = (cost[to - 1] ?? 0) + 1;
      for (let length = 2; length <= Math.min(16, to); length += 1) {
        if (spellings(letters.slice(to - length, to)).some((word) => known.has(word)))
          least = Math.min(least, (cost[to - length] ?? 0) + 0.3);
      }
      cost.push(least);
    }
    return cost.at(-1) ?? 0;
  }

  test('are parted with the fewest letters outside of words', () => {
    const some = [...known].filter((_, index) => index % 40 === 0);
    const letters = fc
      .array(fc.oneof(fc.constantFrom(...some), fc.constantFrom('x', 'q', '1', '11', 'zz')), { maxLength: 10 })
      .chain((pieces) => fc.tuple(fc.constant(pieces.join('')), fc.boolean()))
      .map(([text, isDisguised]) => (isDisguised ? text.replace(/[il]/g, '1') : text));
    const { parted } = vocabularyOf(language);
    fc.assert(
      fc.property(letters, (text) => {
        const pieces = parted(text)
          .split(' ')
          .filter((piece) => piece !== '');
        assert.ok(spellings(text).length > 0 && pieces.join('').length === text.length);
        const cost = pieces.reduce((sum, piece) => sum + (known.has(piece) ? 0.3 : piece.length), 0);
        assert.ok(Math.abs(cost - leastCost(text)) < 1e-6, parted(text));
      }),
      { numRuns: 1000 },
    );
  });
});
