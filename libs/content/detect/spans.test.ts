import assert from 'node:assert/strict';
import { test } from '../../../test/support/testing.js';
import { detectorOf } from './detector.js';
import { joined, redacted, type FoundSpan } from './spans.js';

const span = (start: number, end: number, order: number, level: FoundSpan['level'] = 'internal'): FoundSpan => ({
  start,
  end,
  order,
  level,
  type: `pii:t${order}`,
});

test('spans that overlap become one, and nothing of any of them sticks out', () => {
  const cases: readonly (readonly [spans: FoundSpan[], start: number, end: number, type: string, level: string])[] = [
    [[span(0, 5, 1), span(3, 9, 2)], 0, 9, 'pii:t2', 'internal'],
    [[span(0, 5, 2), span(0, 5, 1)], 0, 5, 'pii:t1', 'internal'],
    [[span(0, 5, 1), span(0, 5, 2, 'restricted')], 0, 5, 'pii:t2', 'restricted'],
    [[span(0, 9, 1), span(3, 5, 2, 'restricted')], 0, 9, 'pii:t1', 'restricted'],
    [[span(0, 4, 1), span(3, 7, 2), span(6, 12, 3)], 0, 12, 'pii:t3', 'internal'],
  ];
  for (const [spans, start, end, type, level] of cases) {
    for (const order of [spans, spans.toReversed()]) {
      const [only, ...rest] = joined(order);
      assert.deepEqual({ ...only, order: 0 }, { start, end, type, level, order: 0 });
      assert.deepEqual(rest, []);
    }
  }
  assert.equal(joined([span(0, 3, 1), span(3, 6, 2)]).length, 2);
});

test('where each redaction makes a new match possible, the whole text is one span at last', () => {
  const { detect } = detectorOf([
    {
      prefix: 'secret',
      fragments: {},
      contexts: {},
      guards: [],
      rules: [{ kind: 'letter', level: 'restricted', at: 'word', pattern: 'a' }],
      fields: [],
    },
  ]);
  assert.equal(redacted('aaa', detect('aaa')), '[redacted secret:letter]'.repeat(3));
  assert.deepEqual(detect('a'.repeat(20)), [{ start: 0, end: 20, type: 'secret:letter', level: 'restricted' }]);
});
