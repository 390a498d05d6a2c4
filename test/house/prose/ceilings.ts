import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../support/root.js';
import { textOf } from '../files.js';
import { countByTurn, type Prose, type Share } from './findings.js';

/** The most that the whole project may hold of each turn, and of long sentences in a thousand. It only falls. */
const FILE = 'test/house/prose/ceilings.json';

export const ceilings = (): Record<string, number> => JSON.parse(textOf(FILE)) as Record<string, number>;

export function measured({ findings, documents, comments }: Prose): Record<string, number> {
  return {
    ...countByTurn(findings),
    'long sentences in documents, in a thousand': inAThousand(documents),
    'long sentences in comments, in a thousand': inAThousand(comments),
  };
}

const inAThousand = ({ long, sentences }: Share): number => Math.ceil((1000 * long) / Math.max(1, sentences));

/** A ceiling this far above the count has to be lowered: what was reached is kept. */
const SLACK = 12;

/** The ceilings that have to be lowered, because the counts have fallen. */
export function tooHigh(prose: Prose): string[] {
  const now = measured(prose);
  return Object.entries(ceilings())
    .filter(([turn, ceiling]) => ceiling > (now[turn] ?? 0) + SLACK)
    .map(([turn]) => turn);
}

/** Lowers each ceiling to what is measured, and raises none. */
export function lowerCeilings(prose: Prose): void {
  const before: Record<string, number | undefined> = ceilings();
  const now = Object.entries(measured(prose)).map(([turn, count]) => [turn, Math.min(count, before[turn] ?? count)]);
  writeFileSync(join(projectRoot, FILE), `${JSON.stringify(Object.fromEntries(now), undefined, 2)}\n`);
}
