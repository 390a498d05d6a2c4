import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';

/** Chance that can be had again: its seed is printed, and `SALLYPORT_TEST_SEED` sets it. */
export interface Chance {
  readonly seed: number;
  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number;
  of<Item>(items: readonly Item[]): Item;
}

export function chance(t: TestContext): Chance {
  const seed = Number(process.env['SALLYPORT_TEST_SEED'] ?? randomInt(2 ** 31));
  t.diagnostic(`SALLYPORT_TEST_SEED=${seed}`);
  // mulberry32
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    seed,
    whole,
    of: (items) => {
      const item = items[whole(0, items.length - 1)];
      if (item === undefined) throw new Error('nothing to choose from');
      return item;
    },
  };
}
