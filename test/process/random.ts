import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';
import { chanceOf, type Chance } from '../support/chance.js';

/** Chance whose seed is printed; `SALLYPORT_TEST_SEED` sets it. */
export interface SeededChance extends Chance {
  readonly seed: number;
}

export function chance(t: TestContext): SeededChance {
  const seed = Number(process.env['SALLYPORT_TEST_SEED'] ?? randomInt(2 ** 31));
  t.diagnostic(`SALLYPORT_TEST_SEED=${seed}`);
  return { seed, ...chanceOf(seed) };
}
