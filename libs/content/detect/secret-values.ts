import { entropyOf, type Candidate } from './candidate.js';

/** Values in the place of a secret: variables, templates, masks, words of documentation, redactions. */
const PLACEHOLDER =
  /^(?:\[redacted |<|\$[({A-Za-z_]|\{\{|%[({A-Z]|#\{|@\{|\(|\[|\.\.\.|your|my_?|xxx|\*\*\*|•••|---|___|example|sample|dummy|change_?me|placeholder|insert|replace|todo|none$|null$|nil$|undefined$|true$|false$|process\.env|os\.|env\.|secrets?\.|vars?\.|config\.|self\.|this\.|args\.|params\.|req\.|ctx\.)/i;
const REPEATED = /^(.)\1*$/;

export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value) || REPEATED.test(value) || /\*{3}|x{6}|\.{3}|<[a-z]/i.test(value);
}

/** A password in running text or code: a letter with a digit or a sign, and no path, call or member of an object. */
export function isPassword({ value }: Candidate): boolean {
  if (value.length < 6 || isPlaceholder(value)) return false;
  if (/^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*[([]/.test(value) || /^(?:https?:|\.{0,2}\/)/.test(value)) return false;
  return /[A-Za-z]/.test(value) && (/[0-9]/.test(value) || /[!@#$%^&*+~?]/.test(value.slice(0, -1)));
}

/** A key or token: long, letters and digits mixed, and not made of words. */
export function isToken(candidate: Candidate): boolean {
  const { value } = candidate;
  if (value.length < 12 || isPlaceholder(value) || /^https?:|^\//.test(value)) return false;
  return isMixed(candidate) && entropyOf(value) >= 3;
}

/** At least two digits and a letter, not a row of plain words with one number in it. */
export function isMixed({ value }: Candidate): boolean {
  const digits = value.match(/[0-9]/g)?.length ?? 0;
  if (digits === 0 || !/[A-Za-z]/.test(value)) return false;
  const parts = value.split(/[-_./]/);
  const words = parts.filter((part) => /^(?:[a-z]+|[A-Z][a-z]*|[A-Z]+|v?[0-9]{1,4})$/.test(part));
  return words.length < parts.length;
}

/** The whole value of a field that is named a password. */
export function isValueOfPassword({ value }: Candidate): boolean {
  return value.length >= 4 && value.length <= 1024 && !isPlaceholder(value) && !/^\d{1,3}$/.test(value);
}

/** The whole value of a field that is named a key or token. */
export function isValueOfToken(candidate: Candidate): boolean {
  return /^\S{8,4096}$/.test(candidate.value) && !isPlaceholder(candidate.value) && isMixed(candidate);
}

/** Base64 of `user:password` (RFC 7617). */
export function isBasicAuth({ value }: Candidate): boolean {
  return /^[\x20-\x7e]{1,}:[\x20-\x7e]{1,}$/.test(Buffer.from(value, 'base64').toString('latin1'));
}

/** A password in quotes may hold spaces; a sentence in quotes is none. */
export function isQuotedPassword(candidate: Candidate): boolean {
  const words = candidate.value.split(/\s+/);
  return words.length <= 8 && isPassword(candidate) && /[0-9]/.test(candidate.value);
}

const EXAMPLES = /^(?:password|passwd|pass|pwd|secret|user|username|token|x{2,})$/i;

/** The password of `scheme://user:password@host`. */
export function isUrlPassword({ value }: Candidate): boolean {
  return !EXAMPLES.test(value) && !isPlaceholder(value) && !/^\d{2,5}$/.test(value);
}
