import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { CallContext, InstructionRules } from '../../../libs/content/instructions/finding.js';
import { readPack } from '../../../libs/content/instructions/pack.js';
import { currentInstructionRules } from '../../../libs/content/instructions/released.js';
import { languageOf } from '../../../libs/content/instructions/sentences.js';
import { familyOf, isHeldOut, quotesAttacks, readCorpus, tierOf, type Row, type Tier } from './corpus.js';
import { wilson, written } from '../wilson.js';
import { ownTexts } from './own.js';
import { crossValidated, FALSE_ALARMS, thresholdOf } from './validate.js';

const NO_CONTEXT: CallContext = { operations: [], request: '' };
const TIERS: readonly Tier[] = ['S', 'A', 'B', 'C'];

export const isQuarantined = (rules: InstructionRules, text: string): boolean =>
  rules.find(text, NO_CONTEXT).some(({ severity }) => severity === 'high');

interface Judged {
  readonly row: Row;
  readonly isHit: boolean;
}

const countOf = (judged: readonly Judged[]): string =>
  written(wilson(judged.filter(({ isHit }) => isHit).length, judged.length));

function grouped(judged: readonly Judged[], key: (row: Row) => string): [string, Judged[]][] {
  return [...Map.groupBy(judged, ({ row }) => key(row))].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Lines of recall by tier and family, false alarms, the model on its own, our own texts, and times. */
export function instructionReport(): string[] {
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const rules = currentInstructionRules();
  const corpus = readCorpus();
  const judged = corpus.rows.map((row) => ({ row, isHit: isQuarantined(rules, row.text) }));
  print(`\ninstructions in responses: pack ${rules.digest}`);
  print(`machine: ${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} processors, Node ${process.version}`);
  print(
    'a hit is a finding of severity high; half of the families, by hash, was held out while the rules were written',
  );
  print(`corpus ${corpus.digest}`);
  for (const [half, isHeld] of [
    ['seen', false],
    ['held out', true],
  ] as const) {
    const of = judged.filter(({ row }) => isHeldOut(row) === isHeld);
    print(`\n${half}: recall`);
    printRecall(of, print);
    print(`${half}: false alarms`);
    printFalseAlarms(of, print);
  }
  printModel(corpus, print);
  printOwn(rules, print);
  printTimes(rules, corpus.rows, print);
  return lines;
}

function printRecall(judged: readonly Judged[], print: (line: string) => void): void {
  for (const tier of TIERS) {
    const of = judged.filter(({ row }) => row.label === 'injection' && tierOf(row) === tier);
    if (of.length === 0) continue;
    print(`  ${tier}  ${countOf(of)}${tier === 'C' ? '  not decidable from content, not gated' : ''}`);
    for (const [family, rows] of grouped(of, familyOf)) print(`       ${family}  ${countOf(rows)}`);
  }
}

function printFalseAlarms(judged: readonly Judged[], print: (line: string) => void): void {
  const benign = judged.filter(({ row }) => row.label === 'benign');
  for (const [name, of] of [
    ['texts that quote attacks or imitate them', benign.filter(({ row }) => quotesAttacks(row))],
    ['other texts', benign.filter(({ row }) => !quotesAttacks(row))],
  ] as const) {
    if (of.length === 0) continue;
    print(`  ${name}  ${countOf(of)}`);
    for (const [family, rows] of grouped(of, familyOf)) {
      if (rows.some(({ isHit }) => isHit)) print(`       ${family}  ${countOf(rows)}`);
    }
  }
}

function printModel(corpus: ReturnType<typeof readCorpus>, print: (line: string) => void): void {
  const { pack, card } = readPack(1);
  const scored = crossValidated(corpus, languageOf(pack).vocabulary);
  const threshold = thresholdOf(scored);
  print(`\nlinear model alone, on families of whose origin it learned nothing (${FALSE_ALARMS * 100} % false alarms)`);
  print(`  seed ${card.seed}, corpus ${card.corpus}, threshold ${card.threshold.toFixed(2)}; it only marks`);
  const judged = scored.map(({ row, score }) => ({ row, isHit: score >= threshold }));
  for (const tier of TIERS) {
    const of = judged.filter(({ row }) => row.label === 'injection' && tierOf(row) === tier);
    print(`  ${tier}  ${countOf(of)}`);
  }
}

function printOwn(rules: InstructionRules, print: (line: string) => void): void {
  print(
    '\nour own texts: the rules were written with them in view. At the first look: attacks 65/105, benign 13/210, quotes 7/20, fresh attacks 9/30, then 8/64, then 23/32; fresh benign 0/40, then 9/81, then 12/35',
  );
  const { vectors: _, ...named } = ownTexts();
  for (const [name, texts] of Object.entries(named)) {
    const hits = texts.filter(({ text }) => isQuarantined(rules, text)).length;
    print(`  ${name}  ${written(wilson(hits, texts.length))}`);
  }
}

const BLOCK = 4096;
const RUNS = 5;

/** Each block is read five times, and the fastest counts: other programs on the machine are not measured. */
function printTimes(rules: InstructionRules, rows: readonly Row[], print: (line: string) => void): void {
  const all = rows.map(({ text }) => text).join('\n\n');
  const times: number[] = [];
  for (let from = 0; from + BLOCK <= all.length; from += BLOCK) {
    const block = Buffer.from(all.slice(from, from + BLOCK)).toString();
    times.push(Math.min(...Array.from({ length: RUNS }, () => timeOf(rules, block))));
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(2);
  print(`\ntime for ${BLOCK} characters (${times.length} blocks): p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

function timeOf(rules: InstructionRules, text: string): number {
  const start = performance.now();
  rules.find(text, NO_CONTEXT);
  return performance.now() - start;
}
