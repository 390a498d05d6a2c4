import { digitsOf, type Check } from './candidate.js';
import { isLuhn } from './financial.js';

/** The sum of digits, each times its weight. */
const weighted = (digits: string, weights: readonly number[]): number =>
  weights.reduce((sum, weight, at) => sum + weight * (digits.charCodeAt(at) - 48), 0);

const compact = (text: string): string => text.replace(/[^0-9A-Za-z]+/g, '').toUpperCase();

/** A check of the digits alone. */
const ofDigits =
  (length: number, isValid: (digits: string) => boolean): Check =>
  ({ value }) => {
    const digits = digitsOf(value);
    return digits.length === length && !/^(.)\1*$/.test(digits) && isValid(digits);
  };

/** Day and month of a date; the year may be of any century. */
const isDay = (day: number, month: number): boolean => month >= 1 && month <= 12 && day >= 1 && day <= 31;

const numberAt = (text: string, start: number, end: number): number => Number(text.slice(start, end));

/** Verhoeff's check digit: multiplication in the dihedral group of ten elements, and the permutation of each place. */
const VERHOEFF_PRODUCT = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
];
const VERHOEFF_ORDER = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
];

function isVerhoeff(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits.charAt(digits.length - 1 - at));
    sum = Number(VERHOEFF_PRODUCT[sum]?.charAt(Number(VERHOEFF_ORDER[at % 8]?.charAt(digit))));
  }
  return sum === 0;
}

/** ISO 7064, MOD 11,10. */
function isMod1110(digits: string): boolean {
  let rest = 10;
  for (const digit of digits.slice(0, -1)) rest = (((rest + Number(digit)) % 10 || 10) * 2) % 11;
  return (11 - rest) % 10 === Number(digits.slice(-1));
}

const CODICE_ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/** The last letter of an Italian fiscal code (decree of 23 December 1976). */
function isCodiceFiscale(text: string): boolean {
  const code = compact(text);
  let sum = 0;
  for (let at = 0; at < 15; at += 1) {
    const value = Number.parseInt(code.charAt(at), 36);
    const index = value > 9 ? value - 10 : value;
    sum += at % 2 === 0 ? (CODICE_ODD[index] ?? 0) : index;
  }
  return code.length === 16 && code.charCodeAt(15) - 65 === sum % 26;
}

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';

function isDni(text: string): boolean {
  const code = compact(text).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter)));
  return DNI_LETTERS.charAt(Number(code.slice(0, -1)) % 23) === code.slice(-1);
}

/** The key of a French NIR: 97 less the remainder. Corsica's departments 2A and 2B count as 19 and 18. */
function isNir(text: string): boolean {
  const code = compact(text).replace('2A', '19').replace('2B', '18');
  return code.length === 15 && 97 - (Number(code.slice(0, 13)) % 97) === Number(code.slice(13));
}

function isNric(text: string): boolean {
  const code = compact(text);
  const first = code.charAt(0);
  const offset = first === 'T' || first === 'G' ? 4 : first === 'M' ? 3 : 0;
  const rest = (weighted(code.slice(1), [2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
  const letters = first === 'M' ? 'KLJNPQRTUWX' : 'ST'.includes(first) ? 'JZIHGFEDCBA' : 'XWUTRQPNMLK';
  return (first === 'M' ? letters.charAt(10 - rest) : letters.charAt(rest)) === code.slice(-1);
}

const CURP_LETTERS = '0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ';

function isCurp(text: string): boolean {
  const code = text.toUpperCase();
  let sum = 0;
  for (let at = 0; at < 17; at += 1) sum += CURP_LETTERS.indexOf(code.charAt(at)) * (18 - at);
  return (10 - (sum % 10)) % 10 === Number(code.slice(-1));
}

function isCpf(digits: string): boolean {
  const checkDigit = (length: number): number => {
    const rest =
      (weighted(
        digits,
        Array.from({ length }, (_, at) => length + 1 - at),
      ) *
        10) %
      11;
    return rest % 10;
  };
  return checkDigit(9) === Number(digits.charAt(9)) && checkDigit(10) === Number(digits.charAt(10));
}

/** Checks of national numbers, each by the rule of the authority that issues them. */
export const NATIONAL: Readonly<Record<string, Check>> = {
  /** Areas 000, 666 and 900-999, group 00 and serial 0000 are never issued (SSA). */
  us_ssn: ofDigits(9, (digits) => !/^(?:000|666|9)|^...00|0000$/.test(digits)),
  uk_nhs: ofDigits(
    10,
    (digits) => (11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11 === Number(digits[9]),
  ),
  /** Prefixes that HMRC never allocates. */
  uk_nino: ({ value }) => !/^(?:BG|GB|KN|NK|NT|TN|ZZ)/.test(compact(value)),
  ca_sin: ofDigits(9, (digits) => !/^[08]/.test(digits) && isLuhn(digits)),
  es_dni: ({ value }) => isDni(value),
  it_codice_fiscale: ({ value }) => isCodiceFiscale(value),
  fr_nir: ({ value }) => isNir(value),
  de_tax_id: ofDigits(11, (digits) => digits.charAt(0) !== '0' && isMod1110(digits)),
  nl_bsn: ofDigits(9, (digits) => weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0),
  pl_pesel: ofDigits(
    11,
    (digits) =>
      isDay(numberAt(digits, 4, 6), numberAt(digits, 2, 4) % 20) &&
      weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
  ),
  se_personnummer: ({ value }) => {
    const digits = digitsOf(value).slice(-10);
    return isDay(numberAt(digits, 4, 6) % 60, numberAt(digits, 2, 4)) && isLuhn(digits);
  },
  br_cpf: ofDigits(11, isCpf),
  in_aadhaar: ofDigits(12, isVerhoeff),
  au_tfn: ofDigits(9, (digits) => weighted(digits, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0),
  au_medicare: ({ value }) => {
    const digits = digitsOf(value);
    return weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === Number(digits.charAt(8));
  },
  /** EAN-13, which the Swiss number is written as. */
  ch_ahv: ofDigits(13, (digits) => weighted(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0),
  be_nrn: ofDigits(11, (digits) => {
    const key = numberAt(digits, 9, 11);
    return 97 - (numberAt(digits, 0, 9) % 97) === key || 97 - (Number(`2${digits.slice(0, 9)}`) % 97) === key;
  }),
  fi_hetu: ({ value }) =>
    isDay(numberAt(value, 0, 2), numberAt(value, 2, 4)) &&
    '0123456789ABCDEFHJKLMNPRSTUVWXY'.charAt(Number(value.slice(0, 6) + value.slice(7, 10)) % 31) === value.slice(10),
  sg_nric: ({ value }) => isNric(value),
  mx_curp: ({ value }) => isCurp(value),
  cn_id: ({ value }) =>
    isDay(numberAt(value, 12, 14), numberAt(value, 10, 12)) &&
    '10X98765432'.charAt(weighted(value, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11) ===
      value.slice(17).toUpperCase(),
  kr_rrn: ofDigits(
    13,
    (digits) =>
      isDay(numberAt(digits, 4, 6), numberAt(digits, 2, 4)) &&
      (11 - (weighted(digits, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11)) % 10 === Number(digits[12]),
  ),
  za_id: ofDigits(13, (digits) => isDay(numberAt(digits, 4, 6), numberAt(digits, 2, 4)) && isLuhn(digits)),
  no_fnr: ofDigits(
    11,
    (digits) =>
      weighted(digits, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
      weighted(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
  ),
  dk_cpr: ({ value }) => isDay(numberAt(value, 0, 2), numberAt(value, 2, 4)),
};
