import { parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { digitsOf, type Candidate } from './candidate.js';

/** A written number with a country code: the library knows which lengths and first digits exist. */
export function internationalEnd({ text, start, end }: Candidate): number | false {
  // A match that runs into the next number is cut where a group ends.
  for (let last = end, tries = 0; last > start && tries < MAX_TRIES; last -= 1) {
    if (isDigit(text, last) || !isDigit(text, last - 1)) continue;
    const digits = digitsOf(text.slice(start, last));
    if (digits.length < 8) return false;
    if (digits.length > 15) continue;
    tries += 1;
    if (parsePhoneNumberFromString(`+${digits}`)?.isValid() === true) return last;
  }
  return false;
}

const MAX_TRIES = 4;

/** The same with `00` in the place of the plus sign. */
export const exitCodeEnd = (candidate: Candidate): number | false =>
  internationalEnd({ ...candidate, start: candidate.start + 2 });

/** A number as people of a country write it, grouped. A date is none. */
export function isNationalPhone({ value, text, start, end }: Candidate): boolean {
  const digits = digitsOf(value.replace(EXTENSION, ''));
  if (digits.length < 9 || digits.length > 12) return false;
  return !isDate(value) && !isPartOfMore(text, start, end) && /[1-9].*[1-9]/.test(digits.slice(1));
}

/** Any grouping of 7 to 15 digits where a word near says that it is a phone number. */
export function localEnd({ text, start, end, value }: Candidate): number | false {
  const digits = digitsOf(value);
  if (digits.length < 7 || digits.length > 15 || HAS_DATE.test(value) || isDate(value)) return false;
  return !isPartOfMore(text, start, end) && end;
}

/** A day of this or the last century, within a longer match. */
const HAS_DATE = /(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]/;

const EXTENSION = / ?x[0-9]{1,5}$/;

const isDate = (value: string): boolean =>
  /^(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ](?:0?[1-9]|[12]\d|3[01])(?:\D|$)|^(?:0?[1-9]|[12]\d|3[01])[-/. ](?:0?[1-9]|1[0-2]|[12]\d|3[01])[-/. ](?:19|20)\d\d(?:\D|$)/.test(
    value,
  );

/** A number with further digits on either side of a separator is a part of something else. */
const isPartOfMore = (text: string, start: number, end: number): boolean =>
  /[0-9A-Za-z][-./_:]$/.test(text.slice(Math.max(0, start - 2), start)) ||
  /^[-./_:][0-9A-Za-z]/.test(text.slice(end, end + 2));

const isDigit = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
};
