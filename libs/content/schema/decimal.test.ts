import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { isMultipleOf } from './decimal.js';
import { test } from '../../../test/support/testing.js';

test('each of the 300 amounts from 0.01 to 3.00 is a multiple of 0.01', () => {
  for (let cents = 1; cents <= 300; cents += 1) assert.ok(isMultipleOf(Number(`${cents}e-2`), 0.01), String(cents));
});

test('the quotient of the decimal numbers decides, at any size', () => {
  for (const [value, step, expected] of [
    [0.075, 0.01, false],
    [0.015, 0.005, true],
    [1e-7, 1e-7, true],
    [3e-7, 2e-7, false],
    [1e308, 1e-7, true],
    [1.7976931348623157e308, 1e292, true],
    [1.7976931348623157e308, 1e293, false],
    [5e-324, 5e-324, true],
    [1, 5e-324, true],
    [5e-324, 1, false],
    [2 ** 63, 2, true],
    [2 ** 53 + 2, 2, true],
    [1e21, 7, false],
    [0, 0.3, true],
    [-0, 0.3, true],
    [-0.3, 0.1, true],
    [-0.35, 0.1, false],
    [7, 2.5, false],
    [7.5, 2.5, true],
    [10, 0.3, false],
    [9, 0.3, true],
  ] as const) {
    assert.equal(isMultipleOf(value, step), expected, `${value} of ${step}`);
  }
});

test('agrees with whole numbers, whatever power of ten both are scaled by', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1_000_000, max: 1_000_000 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: -300, max: 290 }),
      (value, step, scale) => {
        assert.equal(isMultipleOf(Number(`${value}e${scale}`), Number(`${step}e${scale}`)), value % step === 0);
      },
    ),
  );
});
