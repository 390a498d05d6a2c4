import assert from 'node:assert/strict';
import { FindingKind } from '../content/shapes.js';
import { describe, test } from '../../test/support/testing.js';
import { responseFromV1 } from './first-findings.js';

const upcast = (detector: unknown, kind: unknown): unknown => {
  const finding = { detector, kind, path: '/a', severity: 'high' };
  const { findings } = responseFromV1({ verdict: 'rejected', findings: [finding] }) as { findings: (typeof finding)[] };
  const [only] = findings;
  assert.deepEqual([only?.path, only?.severity], ['/a', 'high']);
  return [only?.detector, only?.kind];
};

describe('findings of version 1', () => {
  for (const [detector, kind, ...today] of [
    ['output_schema', 'type', 'output_schema/type', 'schema'],
    ['output_schema', 'missing', 'output_schema/missing', 'schema'],
    ['caps', 'too_large', 'caps/too_large', 'cap'],
    ['caps', 'too_many_parts', 'caps/too_many_parts', 'cap'],
    ['response', 'late', 'caps/late', 'cap'],
    ['response', 'too_costly', 'caps/too_costly', 'cap'],
    ['response', 'validator_failed', 'response/validator_failed', 'failure'],
    ['response', 'exception', 'response/exception', 'failure'],
    ['response', 'malformed', 'response/malformed', 'failure'],
    ['envelope', 'boundary', 'envelope/boundary', 'failure'],
    ['envelope', 'key_collision', 'envelope/key_collision', 'failure'],
    ['envelope', 'too_deep', 'envelope/too_deep', 'cap'],
    ['directives', 'disabled', 'directives', 'disabled'],
  ] as const) {
    test(`${detector} ${kind} is ${today.join(' ')}`, () => {
      assert.deepEqual(upcast(detector, kind), today);
      assert.ok(FindingKind.options.some((option) => option === today[1]));
    });
  }

  test('leaves damaged data as it is', () => {
    for (const data of [undefined, [], {}, { findings: 1 }, { findings: [null, 'a', { detector: 1, kind: 2 }] }])
      assert.deepEqual(responseFromV1(data), data);
    assert.deepEqual(upcast('toString', 'constructor'), ['toString', 'constructor']);
    assert.deepEqual(upcast('caps', 'constructor'), ['caps/constructor', 'cap']);
  });
});
