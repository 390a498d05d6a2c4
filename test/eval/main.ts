import { CURRENT_PACK, packOf } from '../../libs/content/detect/packs.js';
import { currentInstructionRules, warmInstructionRules } from '../../libs/content/instructions/released.js';
import { readCorpus } from './corpora.js';
import { instructionReport } from './instructions/report.js';
import { evaluatePii, type Half } from './pii.js';
import { evaluateSecrets, unlabelledSpans, type EvalRow } from './secrets.js';
import { wilson, written, type Share } from './wilson.js';

/** `npm run eval:content`: recall, precision and false alarms of the content detectors, with Wilson intervals at 95 %. */

const BAR = 0.95;

/** A part of the report. Add one for each detector. */
const PARTS: readonly (() => void)[] = [personalData, secrets, unlabelled, instructions, times];

function personalData(): void {
  for (const half of ['tuned', 'held out'] satisfies Half[]) {
    console.log(`\nPersonal data in labelled sentences, ${half} templates`);
    for (const row of evaluatePii(half)) print(row);
  }
}

function secrets(): void {
  console.log('\nGenerated secrets in carriers (the formats are those that the rules were written for)');
  const rows = evaluateSecrets();
  const sum = (share: (row: EvalRow) => Share): Share =>
    wilson(
      rows.reduce((total, row) => total + share(row).hits, 0),
      rows.reduce((total, row) => total + share(row).of, 0),
    );
  print({ name: `all ${rows.length} types`, recall: sum((row) => row.recall), precision: sum((row) => row.precision) });
  const isBelow = ({ hits, of }: Share): boolean => of > 0 && hits / of < BAR;
  const below = rows.filter(({ recall, precision }) => isBelow(recall) || isBelow(precision));
  console.log(`  types below ${BAR}: ${below.length}`);
  for (const row of below) print(row);
}

function instructions(): void {
  for (const line of instructionReport()) console.log(line);
}

function unlabelled(): void {
  console.log('\nSpans in the texts without labels (look at each)');
  for (const { type, value, rows, example } of unlabelledSpans()) {
    console.log(`  ${type.padEnd(22)} ${String(rows).padStart(4)}  ${JSON.stringify(value.slice(0, 60))}  ${example}`);
  }
}

function times(): void {
  const texts = [...readCorpus('benign'), ...readCorpus('injection')].map(({ text }) => text).join('\n');
  const pages = texts.match(/[^]{1,4096}/g) ?? [];
  const pack = packOf(CURRENT_PACK);
  warmInstructionRules();
  const rules = currentInstructionRules();
  const round = (): number[] =>
    pages.map((page) => {
      const before = process.hrtime.bigint();
      pack?.detect(page);
      rules.find(page, { operations: [], request: '' });
      return Number(process.hrtime.bigint() - before) / 1e6;
    });
  round();
  // The best of three for each text: other work on the machine is no part of it.
  const rounds = [round(), round(), round()];
  const sorted = pages.map((_, page) => Math.min(...rounds.map((all) => all[page] ?? 0))).sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  console.log(`\nAll detectors together, 4 KiB: median ${at(0.5)} ms, p99 ${at(0.99)} ms, of ${sorted.length} texts`);
}

function print({ name, recall, precision }: EvalRow): void {
  console.log(`  ${name.padEnd(24)} recall ${written(recall).padEnd(34)} precision ${written(precision)}`);
}

for (const part of PARTS) part();
