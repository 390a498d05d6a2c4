import { plainOf } from '../../../libs/content/instructions/plain.js';
import { wordsOf } from '../../../libs/content/instructions/tokens.js';
import { windowsOf } from '../../../libs/content/instructions/windows.js';
import type { LinearModel } from '../../../libs/content/instructions/model.js';
import type { Corpus, Row } from './corpus.js';
import { groupOf } from './corpus.js';
import { train } from './train.js';

/** A text, and the highest score of its windows under a model that saw nothing of its family. */
export interface Scored {
  readonly row: Row;
  readonly score: number;
}

/** Families of one origin share goals and templates: none of them is learned from when one of them is scored. */
const originOf = (row: Row): string => groupOf(row).replace(/^(asb|bipia|garak|tau)-.*/, '$1');

/** Leaves one origin out at a time, learns from the others, and scores the one. */
export function crossValidated({ rows, digest }: Corpus, known: ReadonlySet<string>): Scored[] {
  const origins = [...new Set(rows.map(originOf))];
  return origins.flatMap((origin) => {
    const model = train(
      rows.filter((row) => originOf(row) !== origin),
      digest,
      known,
    );
    return rows.filter((row) => originOf(row) === origin).map((row) => ({ row, score: highestScore(model, row.text) }));
  });
}

function highestScore(model: LinearModel, text: string): number {
  const { lower } = plainOf(text);
  const words = wordsOf(lower);
  return windowsOf(lower, words).reduce((highest, window) => Math.max(highest, model.score(words, window)), -Infinity);
}

/** The share of harmless texts of unseen families that the model may mark. */
export const FALSE_ALARMS = 0.005;

/** The score that this share of the harmless texts reaches. */
export function thresholdOf(scored: readonly Scored[]): number {
  const scores = scored.filter(({ row }) => row.label === 'benign').map(({ score }) => score);
  return scores.toSorted((a, b) => b - a)[Math.floor(scores.length * FALSE_ALARMS)] ?? 0;
}
