import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { currentInstructionRules } from '../../../libs/content/instructions/released.js';
import { wilson, written } from '../wilson.js';
import { familyOf, type Row, type Tier } from './corpus.js';
import { isQuarantined } from './report.js';

/** A row of the form of the public corpora. Its tier, and whether it quotes attacks, may be stated. */
interface FurtherRow extends Row {
  readonly tier?: Tier;
  readonly quotes?: boolean;
}

/** The rows of all JSONL files of a folder. */
function rowsOf(folder: string): FurtherRow[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as FurtherRow);
}

/** Recall and false alarms on texts of your own: JSONL files in the form of the public corpora. */
export function furtherReport(folder: string): string[] {
  const rules = currentInstructionRules();
  const judged = rowsOf(folder).map((row) => ({ row, isHit: isQuarantined(rules, row.text) }));
  const share = (part: typeof judged): string => written(wilson(part.filter(({ isHit }) => isHit).length, part.length));
  const groups = Map.groupBy(judged, ({ row }) =>
    row.label === 'injection'
      ? `recall, tier ${row.tier ?? 'not stated'}`
      : `false alarms, ${row.quotes === true ? 'texts that quote attacks' : 'other texts'}`,
  );
  const lines = [`\ninstructions in the texts of ${folder}`];
  for (const [name, part] of [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(`  ${name}  ${share(part)}`);
    for (const [family, texts] of [...Map.groupBy(part, ({ row }) => familyOf(row))].toSorted())
      lines.push(`       ${family}  ${share(texts)}`);
  }
  return lines;
}
