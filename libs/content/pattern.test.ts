import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { compilePattern, unrolledSize } from './pattern.js';

const test = (source: string, text: string): boolean => {
  const pattern = compilePattern(source);
  assert.ok(pattern.ok, source);
  return pattern.value.test(text);
};

describe('compilePattern', () => {
  it('reads the Unicode escapes of ECMA-262', () => {
    assert.equal(test('^\\u0041\\u{1F600}$', 'A\u{1F600}'), true);
    assert.equal(test('^\\\\u0041$', '\\u0041'), true);
    assert.equal(test('^\\\\u0041$', 'A'), false);
  });

  it('matches anywhere, and to the very end only', () => {
    assert.equal(test('b', 'abc'), true);
    assert.equal(test('^a$', 'a\n'), false);
  });

  it('is linear on what makes backtracking explode', () => {
    const started = performance.now();
    assert.equal(test('^(a+)+$', `${'a'.repeat(50_000)}!`), false);
    assert.ok(performance.now() - started < 1500);
  });

  for (const source of [
    '\\Qa(\\E{1000}',
    '[[:alpha:]]',
    '\\uD83D',
    '(?=a)',
    '(a)\\1',
    '\\k<x>',
    '(',
    'a{1001}',
    'a**',
  ]) {
    it(`refuses ${source}`, () => assert.equal(compilePattern(source).ok, false));
  }

  it('never compiles to much more than was estimated', () => {
    const atom = fc.constantFrom('a', '.', '[a-z]', '\\d', '[^]x]', '[\\]]', '\\{', '{', ']', 'ab');
    const suffix = fc.constantFrom('', '*', '+', '?', '{3}', '{2,5}', '{0,7}', '{9,}');
    const { source } = fc.letrec<{ source: string; piece: string }>((tie) => ({
      piece: fc
        .tuple(
          fc.oneof(
            { depthSize: 'small' },
            atom,
            tie('source').map((inner) => `(?:${inner})`),
          ),
          suffix,
        )
        .map((pair) => pair.join('')),
      source: fc.array(tie('piece'), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')),
    }));
    fc.assert(
      fc.property(source, (text) => {
        const pattern = compilePattern(text);
        fc.pre(pattern.ok);
        assert.ok(pattern.value.size <= 3 * unrolledSize(text) + 16, `${pattern.value.size} > ${unrolledSize(text)}`);
      }),
      { numRuns: 500 },
    );
  });
});
