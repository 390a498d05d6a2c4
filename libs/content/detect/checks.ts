import { isIPv6 } from 'node:net';
import type { Candidate, Check } from './candidate.js';
import { isAnyCard, isIban, isIssuedCard } from './financial.js';
import { NATIONAL } from './national.js';
import { isEmail, isIPv4, isMac } from './addresses.js';
import { pemEnd } from './pem.js';
import { exitCodeEnd, internationalEnd, isNationalPhone, localEnd } from './phones.js';
import {
  isBasicAuth,
  isPassword,
  isToken,
  isValueOfPassword,
  isValueOfToken,
  isMixed,
  isQuotedPassword,
  isUrlPassword,
} from './secret-values.js';

/** Checks by the names that packs use. A check whose answers change gets a new name: old packs keep the old one. */
export const CHECKS: Readonly<Record<string, Check>> = {
  ...NATIONAL,
  issued_card: isIssuedCard,
  any_card: isAnyCard,
  iban: isIban,
  ipv4: isIPv4,
  // A digit tells an address from names of a program: `a::b`.
  ipv6: ({ value, text, start, end }) =>
    isIPv6(value) && /[0-9]/.test(value) && !/[0-9A-Za-z:]/.test(text.charAt(start - 1) + text.charAt(end)),
  mac: isMac,
  email: isEmail,
  international_phone: internationalEnd,
  exit_code_phone: exitCodeEnd,
  national_phone: isNationalPhone,
  local_phone: localEnd,
  pem: pemEnd,
  mixed: isMixed,
  password: isPassword,
  token: isToken,
  password_value: isValueOfPassword,
  token_value: isValueOfToken,
  quoted_password: isQuotedPassword,
  url_password: isUrlPassword,
  basic_auth: isBasicAuth,
};

/** The end of a candidate that holds, else undefined. */
export function checked(name: string, candidate: Candidate): number | undefined {
  const answer = CHECKS[name]?.(candidate) ?? false;
  if (answer === false) return undefined;
  return answer === true ? candidate.end : answer;
}
