import assert from 'node:assert/strict';
import { ceilings, measured, tooHigh } from './prose/ceilings.js';
import { commentsOf, paragraphsOf, sentenceLengths, textsOf } from './prose/extract.js';
import { readProse, turnsIn } from './prose/findings.js';
import { TURNS, type TurnName } from './prose/words.js';
import { test } from '../support/testing.js';

/** Plain English: CONTRIBUTING.md has the rule. `npm run prose -- <folder>` shows each place in that folder. */

test('documents, comments and texts hold no more of each unclear turn than before', () => {
  const limits = ceilings();
  const above = Object.entries(measured(readProse()))
    .filter(([turn, count]) => count > (limits[turn] ?? 0))
    .map(([turn, count]) => {
      const instead = turn in TURNS ? `; write instead: ${TURNS[turn as TurnName].instead}` : '';
      return `${turn}: ${count}, ceiling ${limits[turn] ?? 0}${instead}`;
    });
  assert.deepEqual(above, [], 'npm run prose -- <folder> shows each place');
});

test('a ceiling falls when the counts have fallen', () => {
  assert.deepEqual(tooHigh(readProse()), [], 'npm run prose -- --lower');
});

test('each turn is found, in prose and not in code', () => {
  const found = (text: string): string[] => turnsIn('a.md', { line: 1, text }).map(({ turn }) => turn);
  const examples: Record<TurnName, string> = {
    'headless who': 'Who cannot hear of a disable denies by itself.',
    'headless what': 'What is refused leaves no trace.',
    'headless where': 'Where a directive is shown there is a fourth.',
    whoever: 'Whoever can read it can read the keys.',
    whatever: 'It takes whatever is there.',
    anew: 'It is decided anew.',
    'so long': 'It waits so long.',
    'so much': 'It is so much nicer.',
    'any more': 'It is not sent any more.',
    'but for': 'All but for one.',
    beside: 'A directive, beside the event.',
    stands: 'It stands in the event.',
    'is told': 'The host is told.',
    'of which nobody': 'A batch of which nobody knows the fate.',
    'lets go of': 'It is let go.',
    'comes to': 'What a command comes to.',
    'more than it': 'If more is asked, it is refused.',
    'has not the': 'The caller has not the role.',
    'the like': 'It is recorded all the same.',
    'past it': 'A limit; past it the answer is 429.',
  };
  for (const [turn, text] of Object.entries(examples)) assert.ok(found(text).includes(turn), turn);
  assert.deepEqual(found('What is a capability? See `who cannot` and `anew`.'), []);
});

test('comments, texts and paragraphs are told from code', () => {
  const source = [
    "const url = 'http://a/b'; // one",
    '// two',
    '/** Three.',
    ' * Four. */',
    "const text = 'the queue is full now', regex = /'\\/\\/ no comment/;",
  ].join('\n');
  assert.deepEqual(
    commentsOf(source).map(({ line, text }) => [line, text.replaceAll(/\s+/g, ' ').trim()]),
    [
      [1, 'one two'],
      [3, 'Three. Four.'],
    ],
  );
  assert.deepEqual(textsOf(source), [{ line: 5, text: 'the queue is full now' }]);
  const document = ['# Title', 'a', 'b', '', '- c', '- d', '```sh', 'code', '```', '| e | f |', '|---|---|'].join('\n');
  assert.deepEqual(
    paragraphsOf(document).map(({ text }) => text),
    ['Title', 'a\nb', 'c', 'd', 'e', 'f'],
  );
  assert.deepEqual(sentenceLengths('One two `three four`. Five, e.g. six.\n\nSeven'), [3, 3, 1]);
});
