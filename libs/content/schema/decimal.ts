/** A finite number as its decimal digits say: `digits * 10^exponent`, where the digits do not end in 0 unless they are 0. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** The decimal number that the shortest text of a double names, the one that was written in the first place. */
function decimalOf(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = Math.abs(value).toString().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = (whole + fraction).replace(/0+$/, '');
  const dropped = whole.length + fraction.length - digits.length;
  return { digits: BigInt(digits), exponent: Number(exponent) - fraction.length + dropped };
}

/**
 * Whether a number is a multiple of a step (`multipleOf` of JSON Schema), decided on decimal digits: 0.07 is a multiple
 * of 0.01, though division of their doubles leaves a remainder. Both are finite and the step is above 0. Time is
 * bounded: the step has at most 17 digits, and exponents lie within ±350.
 */
export function isMultipleOf(value: number, step: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(step)) return value % step === 0;
  const { digits, exponent } = decimalOf(value);
  if (digits === 0n) return true;
  const divisor = decimalOf(step);
  const shift = exponent - divisor.exponent;
  // The digits do not end in 0, so no step with more digits after the point goes into them.
  if (shift < 0) return false;
  return ((digits % divisor.digits) * powerOfTen(shift, divisor.digits)) % divisor.digits === 0n;
}

/** `10^exponent` modulo a number. */
function powerOfTen(exponent: number, modulus: bigint): bigint {
  let power = 1n % modulus;
  let square = 10n % modulus;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = (power * square) % modulus;
    square = (square * square) % modulus;
  }
  return power;
}
