import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { digestOfBytes } from '../kernel/digest.js';
import { policySets, questions, RECORDS, templateSets } from '../../test/support/cedar-grammar.js';
import { askPolicies, freshCedar, preparePolicies, PolicyEngine } from './cedar.js';
import { test } from '../../test/support/testing.js';

const QUESTIONS = 100_000;
/** Sets for one pair of engines. An engine keeps every set, and its answers, for its whole life. */
const SETS_OF_AN_ENGINE = 200;

test('an answer from memory is the answer that Cedar gives, over the whole grammar', (t) => {
  let [asked, remembering, sets] = [0, 0, 0];
  let [engine, cedar] = [new PolicyEngine(), freshCedar()];
  const outcomes = { allow: 0, deny: 0, error: 0 };
  const property = fc.property(
    policySets,
    fc.constantFrom('alice', 'bob'),
    fc.constantFrom(...RECORDS),
    (text, id, record) => {
      sets += 1;
      if (sets % SETS_OF_AN_ENGINE === 0) [engine, cedar] = [new PolicyEngine(), freshCedar()];
      const set = digestOfBytes(text);
      engine.load(set, text);
      const { reads, grades } = preparePolicies(cedar, set, text);
      if (!reads.has('arguments')) remembering += 1;
      for (const question of questions(id, record)) {
        const answer = askPolicies(cedar, set, question, 'shown', grades);
        assert.deepStrictEqual(engine.evaluate(set, question), answer, JSON.stringify(question));
        asked += 1;
        outcomes[answer.outcome] += 1;
      }
    },
  );
  // A failure shows its seed and its path: pass both here to reproduce it.
  fc.assert(property, { numRuns: Math.ceil(QUESTIONS / questions('', {}).length) });
  t.diagnostic(JSON.stringify({ asked, sets, remembering, outcomes }));
  assert.ok(asked >= QUESTIONS);
  assert.ok(remembering > sets / 4, 'too few sets whose answers are remembered');
  for (const [outcome, count] of Object.entries(outcomes)) assert.ok(count > asked / 20, `too few answers: ${outcome}`);
});

test('a set with a template in it has no answers, remembered or not', () => {
  fc.assert(
    fc.property(templateSets, (text) => {
      assert.throws(() => new PolicyEngine().load(digestOfBytes(text), text));
    }),
    { numRuns: 20 },
  );
});
