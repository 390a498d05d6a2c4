import { randomInt } from 'node:crypto';
import { chanceOf, type Chance } from '../support/chance.js';

/**
 * How much a test does: a little in `npm test`, as much as the variable says in the long form of `npm run test:faults`.
 */
export const amount = (name: 'KILLS' | 'CALLS' | 'TEARS', short: number): number =>
  Number(process.env[`SALLYPORT_TEST_${name}`] ?? short);

/** Chance whose seed is printed; `SALLYPORT_TEST_SEED` sets it. */
export interface SeededChance extends Chance {
  readonly seed: number;
}

export function chance(): SeededChance {
  const seed = Number(process.env['SALLYPORT_TEST_SEED'] ?? randomInt(2 ** 31));
  console.log(`SALLYPORT_TEST_SEED=${seed}`);
  return { seed, ...chanceOf(seed) };
}
