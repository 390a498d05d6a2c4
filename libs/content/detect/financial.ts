import type { Candidate } from './candidate.js';

/** The first four digits of cards, from and to, and the lengths of their numbers. ISO/IEC 7812; ranges of the networks. */
type Issuer = readonly [from: number, to: number, lengths: readonly number[]];

const ANY_LENGTH = [12, 13, 14, 15, 16, 17, 18, 19];

/** Ranges so narrow that a number of this length and with this check digit is rarely anything else. */
const ISSUED: readonly Issuer[] = [
  // Visa, Mastercard, American Express, Discover, JCB, Diners Club, UnionPay.
  [4000, 4999, [13, 16]],
  [5100, 5599, [16]],
  [2221, 2720, [16]],
  [3400, 3499, [15]],
  [3700, 3799, [15]],
  [6011, 6011, [16]],
  [6440, 6599, [16]],
  [3528, 3589, [16]],
  [3000, 3059, [14]],
  [3090, 3099, [14]],
  [3600, 3699, [14]],
  [3800, 3999, [14]],
  [6200, 6299, [16]],
];

/** The rest: long Visa and UnionPay, old JCB, Maestro, RuPay, Mir, Elo, Troy. They need a word that says card. */
const OTHERS: readonly Issuer[] = [
  [4000, 4999, [19]],
  [3500, 3599, [16]],
  [1800, 1800, [15]],
  [2131, 2131, [15]],
  [5000, 5099, ANY_LENGTH],
  [5600, 5899, ANY_LENGTH],
  [6000, 6999, ANY_LENGTH],
  [604, 604, [12]],
  [2200, 2204, [16]],
  [8100, 8299, [16]],
  [9792, 9792, [16]],
];
const ALL = [...ISSUED, ...OTHERS];

/** Luhn's check digit (ISO/IEC 7812-1, annex B). */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, isDoubled = false; at >= 0; at -= 1, isDoubled = !isDoubled) {
    const digit = digits.charCodeAt(at) - 48;
    const value = isDoubled ? digit * 2 : digit;
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 === 0;
}

/** A match with more digits than a card may end in other numbers: those are given back, a group at a time. */
function cardEnd({ value, start }: Candidate, issuers: readonly Issuer[]): number | false {
  let digits = '';
  const groups: { readonly digits: string; readonly end: number }[] = [];
  for (let at = 0; at < value.length; at += 1) {
    if (!isDigit(value, at)) continue;
    digits += value.charAt(at);
    if (digits.length >= 12 && !isDigit(value, at + 1)) groups.push({ digits, end: start + at + 1 });
  }
  const first = Number(digits.slice(0, 4));
  const lengths = issuers.flatMap(([from, to, lengths]) => (first >= from && first <= to ? lengths : []));
  if (lengths.length === 0 || isOneDigit(digits)) return false;
  return groups.findLast((group) => lengths.includes(group.digits.length) && isLuhn(group.digits))?.end ?? false;
}

export const isIssuedCard = (candidate: Candidate): number | false => cardEnd(candidate, ISSUED);

export const isAnyCard = (candidate: Candidate): number | false => cardEnd(candidate, ALL);

const isOneDigit = (digits: string): boolean => digits === digits.charAt(0).repeat(digits.length);

const isDigit = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
};

/** Lengths of IBANs by country (SWIFT IBAN registry). */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 ' +
    'FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 ' +
    'LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 ' +
    'RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** ISO 13616: the length of the country, and a remainder of 1 (ISO 7064, MOD 97-10). Answers where the IBAN ends. */
export function isIban({ text, start, end }: Candidate): number | false {
  const length = IBAN_LENGTHS[text.slice(start, start + 2).toUpperCase()];
  if (length === undefined) return false;
  let iban = '';
  let at = start;
  for (; at < end && iban.length < length; at += 1) {
    const char = text.charAt(at);
    if (char !== ' ' && char !== '-') iban += char;
  }
  if (iban.length < length || /^[0-9A-Za-z]/.test(text.charAt(at))) return false;
  return isMod97(iban.slice(4) + iban.slice(0, 4)) && at;
}

function isMod97(text: string): boolean {
  let rest = 0;
  for (const char of text.toUpperCase()) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}
