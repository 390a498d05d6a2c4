import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { percentile } from '../bench/figures.js';

const PIECES = 100;
const ROUNDS = 15;
const WORK = JSON.stringify(Array.from({ length: 100 }, (_, index) => ({ index, text: `entry ${index}` })));

/**
 * How long this thread takes for a fixed piece of work, in microseconds: about a millisecond of what the service does too.
 * The machine's speed drifts by a third within an hour, and what got slower together with this did not grow.
 *
 * It is the time that a quarter of the pieces stayed below, by the clock: kernels tell a thread's processor time in steps
 * longer than a piece, and a piece that was interrupted says nothing. The load goes on between two pieces.
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
