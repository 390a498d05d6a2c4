import type { Candidate } from './candidate.js';

/** File extensions that follow an `@` in names of files: `logo@2x.png`. */
const FILES =
  /\.(?:png|jpe?g|gif|svg|webp|ico|css|scss|less|js|mjs|cjs|ts|tsx|jsx|json|map|html?|tgz|zip|md|txt|log)$/i;

/** The user of a URL, and its password, are followed by an `@` too. */
const URL_USER = /:\/\/(?:[^\s:@/]{0,64}:)?$/;

/** Limits of RFC 5321, section 4.5.3.1. Names of files, and the user of a git address, are no mail addresses. */
export function isEmail({ value, text, start, end }: Candidate): boolean {
  const at = value.lastIndexOf('@');
  if (at > 64 || value.length > 254 || value.includes('..')) return false;
  if (FILES.test(value) || URL_USER.test(text.slice(Math.max(0, start - 80), start))) return false;
  return !(/^(?:git|hg|svn)@/.test(value) && /^[:/]/.test(text.slice(end, end + 1)));
}

/** The text before a version, or before the rest of a longer name. */
const NO_ADDRESS =
  /[0-9A-Za-z][.-]$|[_~^]$|(?:^|[\s"'(;])[A-Z][A-Za-z]{1,12}\/$|(?:^|[^A-Za-z])(?:v|ver|versions?|release|section|chapter|oid|firmware)[ .:="']{0,3}$/i;

/** Four numbers up to 255 without leading zeros, and neither a part of a longer number nor of a version. */
export function isIPv4({ value, text, start, end }: Candidate): boolean {
  if (value.split('.').some((part) => Number(part) > 255 || (part.length > 1 && part.startsWith('0')))) return false;
  if (/^[.-]?[0-9A-Za-z_]|^[-+][0-9A-Za-z]/.test(text.slice(end, end + 2))) return false;
  return !NO_ADDRESS.test(text.slice(Math.max(0, start - 16), start));
}

/** Six octets with one kind of separator, and not a part of a longer row: a fingerprint is none. */
export function isMac({ value, text, start, end }: Candidate): boolean {
  const separator = value.charAt(value.length === 14 ? 4 : 2);
  if (/[:.-]/.test(value.replaceAll(separator, ''))) return false;
  const after = text.slice(end, end + 2);
  return !/^[:.-][0-9A-Fa-f]/.test(after) && !/[0-9A-Fa-f][:.-]$/.test(text.slice(Math.max(0, start - 2), start));
}
