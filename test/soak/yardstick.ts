import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { percentile } from '../bench/figures.js';

const PIECES = 100;
const ROUNDS = 15;
const WORK = JSON.stringify(Array.from({ length: 100 }, (_, index) => ({ index, text: `entry ${index}` })));

/**
 * The time of a fixed piece of work on this thread, in microseconds: about a millisecond of the service's own kind of
 * work. The machine's speed drifts by a third within an hour. A value that rises together with this one did not grow.
 * The result is the time that a quarter of the pieces stayed below, by the clock. Kernels measure a thread's CPU time
 * in steps longer than a piece, and an interrupted piece says nothing. The load continues between two pieces.
 */
export async function yardstickUs(): Promise<number> {
  const tookUs: number[] = [];
  for (let piece = 0; piece < PIECES; piece += 1) {
    const startMs = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) {
      createHash('sha256')
        .update(JSON.stringify(JSON.parse(WORK)))
        .digest();
    }
    tookUs.push((performance.now() - startMs) * 1000);
    await breathe();
  }
  return percentile(tookUs, 0.25);
}
