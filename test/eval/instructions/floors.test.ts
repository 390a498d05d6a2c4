import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { CallContext, InstructionFinding } from '../../../libs/content/instructions/finding.js';
import { readPack } from '../../../libs/content/instructions/pack.js';
import { currentInstructionRules, instructionRulesOf } from '../../../libs/content/instructions/released.js';
import { describe, test } from '../../support/testing.js';
import { CORPORA, isHeldOut, quotesAttacks, readCorpus, tierOf, type Row } from './corpus.js';
import { ownTexts } from './own.js';

const NO_CONTEXT: CallContext = { operations: [], request: '' };
const rules = currentInstructionRules();
const { pack, card } = readPack(1);
const own = ownTexts();

const findings = (text: string): readonly InstructionFinding[] => rules.find(text, NO_CONTEXT);
const isHigh = (text: string): boolean => findings(text).some(({ severity }) => severity === 'high');
const shareOf = (texts: readonly string[]): number => texts.filter(isHigh).length / Math.max(1, texts.length);
const textsOf = (name: keyof typeof own): string[] => own[name].map(({ text }) => text);

/** The detectors that find a text, those of severity high if there are any. */
function detectorsOf(text: string): string[] {
  const found = findings(text);
  const high = found.filter(({ severity }) => severity === 'high');
  return [...new Set((high.length > 0 ? high : found).map(({ detector }) => detector))];
}

describe('rules of the pack', () => {
  const alone = new Set<string>();
  for (const { text } of [...own.attacks, ...own['fresh-attacks'], ...own.vectors]) {
    const [detector, ...others] = detectorsOf(text);
    if (detector !== undefined && others.length === 0) alone.add(detector);
  }
  for (const { id } of [...pack.rules, ...pack.frames, ...pack.unspaced]) {
    test(`${id} finds a text of our own that no other rule finds`, () => {
      assert.ok(alone.has(id));
    });
  }

  test('a released pack is found by its digest', () => {
    assert.equal(instructionRulesOf(rules.digest), rules);
    assert.equal(instructionRulesOf('sha256:0'), undefined);
  });
});

describe('the linear model', () => {
  const text = 'It was please your answer, please your reply.';

  test('marks alone, and says why', () => {
    const [finding, ...others] = findings(text);
    assert.deepEqual(others, []);
    assert.equal(finding?.kind, 'linear_model');
    assert.equal(finding?.severity, 'low');
    assert.ok((finding?.model?.score ?? 0) >= card.threshold);
    assert.equal(finding?.model?.corpus, card.corpus);
    const { model } = finding ?? {};
    assert.ok(model !== undefined && model.ngrams.includes('your reply'));
    const spelled = model.spans.map((span) =>
      text
        .slice(...span)
        .toLowerCase()
        .replaceAll(',', ''),
    );
    assert.deepEqual(spelled, model.ngrams);
    assert.deepEqual(finding?.span, [0, text.indexOf('.')]);
  });
});

describe('our own texts', () => {
  test('attacks are found, and harmless texts are not', () => {
    assert.ok(shareOf(textsOf('attacks')) >= 0.95);
    assert.ok(shareOf(textsOf('fresh-attacks')) >= 0.95);
    assert.ok(shareOf(textsOf('benign')) <= 0.01);
    assert.ok(shareOf(textsOf('fresh-benign')) <= 0.03);
    assert.ok(shareOf(textsOf('quotes')) <= 0.1);
  });
});

/** Every fifth text: the whole evaluation is `npm run eval:content`. */
const STEP = 5;

const skip = existsSync(CORPORA) ? false : `there is no ${CORPORA}`;

describe('the public corpora', () => {
  const all = skip === false ? readCorpus().rows : [];
  const rows = all.filter((_, index) => index % STEP === 0);

  test('false alarms of texts that quote attacks or imitate them', { skip }, () => {
    const quoting = all.filter((row) => row.label === 'benign' && quotesAttacks(row));
    assert.ok(shareOf(quoting.map(({ text }) => text)) <= 0.1);
  });

  const recall = (tier: string, isHeld: boolean): number =>
    shareOf(rows.filter((row) => isAttack(row, tier) && isHeldOut(row) === isHeld).map(({ text }) => text));
  const isAttack = (row: Row, tier: string): boolean => row.label === 'injection' && tierOf(row) === tier;

  for (const isHeld of [false, true]) {
    test(`recall of ${isHeld ? 'families held out' : 'families seen'}`, { skip }, () => {
      assert.ok(recall('S', isHeld) >= 0.9);
      assert.ok(recall('A', isHeld) >= 0.9);
      assert.ok(recall('B', isHeld) >= 0.6);
    });

    test(`false alarms of ${isHeld ? 'families held out' : 'families seen'}`, { skip }, () => {
      const benign = rows.filter((row) => row.label === 'benign' && isHeldOut(row) === isHeld && !quotesAttacks(row));
      assert.ok(shareOf(benign.map(({ text }) => text)) <= 0.015);
    });
  }
});
