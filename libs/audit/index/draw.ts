import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { DrawnCalls } from './messages.js';
import { referencesOf } from './references.js';

/** Draws calls. `seq` counts them from 1 without gaps, in order of the log, so a rebuilt index draws the same. */
export function drawCalls(
  db: DatabaseSync,
  { seed, count, asOf }: { readonly seed: string; readonly count: number; readonly asOf: bigint },
): DrawnCalls {
  const last = db.prepare('SELECT seq FROM calls WHERE position <= ? ORDER BY seq DESC LIMIT 1').get(asOf);
  const total = Number(last?.['seq'] ?? 0);
  return { total, references: referencesOf(db, drawnNumbers(seed, total, count)) };
}

/** 48 bits of a digest. */
const DRAW_BYTES = 6;
const DRAWS = 2 ** (8 * DRAW_BYTES);

/**
 * Distinct numbers from 1 to `total`, ascending: each set of `count` numbers is equally likely over all seeds. The n-th
 * draw is the first 48 bits of SHA-256 of the seed, a line feed and n. A draw that would favour small numbers is skipped.
 */
export function drawnNumbers(seed: string, total: number, count: number): number[] {
  const drawn = new Set<number>();
  const fair = DRAWS - (DRAWS % Math.max(1, total));
  for (let draw = 0; drawn.size < Math.min(count, total); draw += 1) {
    const bits = createHash('sha256').update(`${seed}\n${draw}`).digest().readUIntBE(0, DRAW_BYTES);
    if (bits < fair) drawn.add((bits % total) + 1);
  }
  return [...drawn].sort((a, b) => a - b);
}
