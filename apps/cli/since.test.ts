import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { test } from '../../test/support/testing.js';
import { GivenInstant } from '../../libs/vocabulary/ids.js';
import { instantOption } from './since.js';

const NOW = Date.parse('2026-11-30T12:00:00.000Z');

test('a time before now, a date and an RFC 3339 time become an instant', () => {
  const told: readonly (readonly [string, string])[] = [
    ['45s', '2026-11-30T11:59:15.000Z'],
    ['30m', '2026-11-30T11:30:00.000Z'],
    ['2h', '2026-11-30T10:00:00.000Z'],
    ['7d', '2026-11-23T12:00:00.000Z'],
    ['1w', '2026-11-23T12:00:00.000Z'],
    ['2026-11-29', '2026-11-29T00:00:00.000Z'],
    ['2026-11-29T08:00:00Z', '2026-11-29T08:00:00.000Z'],
    ['2026-11-29T08:00:00.5+01:00', '2026-11-29T07:00:00.500Z'],
  ];
  for (const [text, instant] of told) assert.equal(instantOption(text, 'first', NOW), instant);
  assert.equal(instantOption('2026-11-29', 'last', NOW), '2026-11-29T23:59:59.999Z');
});

test('anything else is refused with the forms that there are', () => {
  const wrong = [
    '',
    '2',
    'h',
    '2 h',
    '-2h',
    '2y',
    '2H',
    'yesterday',
    '2026-02-30',
    '2026-13-01',
    '29.11.2026',
    '9999999h',
  ];
  for (const text of [...wrong, '999999w', '2026-11-29T25:00:00Z', '2026-11-29T08:00:00']) {
    assert.throws(() => instantOption(text, 'first', NOW), /needs a time before now \(30m, 2h, 7d\), a date/, text);
  }
});

test('the service takes every instant that is made of an option', () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^\d{1,6}[smhdw]$/),
    fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') })
      .map((date) => date.toISOString().slice(0, 10)),
  );
  fc.assert(
    fc.property(text, fc.constantFrom('first', 'last'), (given, end) => {
      let instant: string | undefined;
      try {
        instant = instantOption(given, end, NOW);
      } catch {
        return;
      }
      assert.equal(GivenInstant.safeParse(instant).data, instant);
    }),
  );
});
