import { cpus } from 'node:os';
import { currentRules, warmRules } from '../../libs/content/search-rules.js';
import { searchParts } from '../../libs/content/search.js';
import { ORDER_LIKE, SECRET_LIKE } from '../support/hostile-texts.js';
import { missingCorpora, readCorpus } from './corpora.js';
import { furtherReport } from './instructions/further.js';
import { instructionReport } from './instructions/report.js';
import { evaluatePii, type Half } from './pii.js';
import { evaluateSecrets, unlabelledSpans, type EvalRow } from './secrets.js';
import { wilson, written, type Share } from './wilson.js';

/** `npm run eval:content`: recall, precision and false alarms of the content detectors, with Wilson intervals at 95 %. */

const BAR = 0.95;

/** A part of the report. Add one for each detector. */
const PARTS: readonly (() => void)[] = [personalData, secrets, unlabelled, instructions, further, times];

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

/** `npm run eval:content -- <folder>`: texts of your own too. */
function further(): void {
  const [, , folder] = process.argv;
  if (folder !== undefined) for (const line of furtherReport(folder)) console.log(line);
}

function unlabelled(): void {
  console.log('\nSpans in the texts without labels (look at each)');
  for (const { type, value, rows, example } of unlabelledSpans()) {
    console.log(`  ${type.padEnd(22)} ${String(rows).padStart(4)}  ${JSON.stringify(value.slice(0, 60))}  ${example}`);
  }
}

const PAGE = 4096;
const NO_CALL = { operations: ['wire_funds', 'mail.send'], request: '{}' };

/** The search of a response of one text, in processor time: other work on the machine counts little. */
function times(): void {
  Array.from(warmRules());
  const [cpu] = cpus();
  console.log(
    `\nAll detectors together, 4 KiB, processor time of one thread, mean of ${RUNS}; ${cpu?.model}, Node ${process.version}`,
  );
  const texts = [...readCorpus('benign'), ...readCorpus('injection')].map(({ text }) => text).join('\n');
  timesOf('public corpora', texts.match(/[^]{1,4096}/g) ?? []);
  const units = SECRET_LIKE.map((unit) => [JSON.stringify(unit), unit.repeat(PAGE)] as const);
  const orders = Object.entries(ORDER_LIKE).map(([name, make]) => [name, make(PAGE)] as const);
  const hostile = [...orders, ...units].map(([name, text]) => [name, text.slice(0, PAGE)] as const);
  const took = timesOf(
    'hostile texts',
    hostile.map(([, text]) => text),
  );
  const slowest = hostile.map(([name], index) => [name, took[index] ?? 0] as const).sort((a, b) => b[1] - a[1]);
  for (const [name, ms] of slowest.slice(0, 5)) console.log(`  ${ms.toFixed(2)} ms  ${name}`);
}

/** The clock of processor time is coarse: a text is searched this often. */
const RUNS = 10;

/** Prints the times of texts, and returns them. */
function timesOf(name: string, texts: readonly string[]): number[] {
  const rules = currentRules();
  const search = (text: string) => searchParts([{ type: 'text', text, path: '' }], rules, NO_CALL);
  for (const text of texts) search(text);
  const took = texts.map((text) => {
    const before = process.threadCpuUsage();
    for (let run = 0; run < RUNS; run += 1) search(text);
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000 / RUNS;
  });
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  console.log(
    `  ${name}: median ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1 - 1e-9)} ms, of ${sorted.length} texts`,
  );
  return took;
}

function print({ name, recall, precision }: EvalRow): void {
  console.log(`  ${name.padEnd(24)} recall ${written(recall).padEnd(34)} precision ${written(precision)}`);
}

const missing = missingCorpora();
if (missing === undefined) for (const part of PARTS) part();
else {
  console.error(`eval:content: ${missing}`);
  process.exitCode = 2;
}
