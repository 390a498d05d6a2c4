import { digitsOf, type Check } from './candidate.js';
import { isLuhn } from './financial.js';

/** Checks of national numbers, each by the rule of the authority that issues them. */
export const NATIONAL: Readonly<Record<string, Check>> = {
  /** Areas 000, 666 and 900-999, group 00 and serial 0000 are never issued (SSA). The number of a well-known advert is none. */
  us_ssn: ({ value }) => {
    const digits = digitsOf(value);
    const [area, group, serial] = [digits.slice(0, 3), digits.slice(3, 5), digits.slice(5)];
    return digits.length === 9 && !/^(?:000|666|9)/.test(area) && group !== '00' && serial !== '0000';
  },
  luhn: ({ value }) => isLuhn(digitsOf(value)),
};
