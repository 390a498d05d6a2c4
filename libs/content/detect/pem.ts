import type { Candidate } from './candidate.js';

const DASHES = '-----';
/** A footer: `-----END … -----`. */
const FOOTER = /-----END [A-Z0-9 ]{1,60}-----/y;
/** The text between header and footer (RFC 7468, and the headers of RFC 1421), escapes of line breaks included. */
const BODY = /^(?:[A-Za-z0-9+/=\s\\"',.:;|>#*()_-])*$/;
const ENCODED = /[A-Za-z0-9+/=]/g;
/** Fewer characters are a mention of a key. */
const LEAST_ENCODED = 40;
/** Longer bodies are cut: more than a key of 16,384 bits has. */
const MAX_BODY = 20_000;

/**
 * The end of the private key whose header is the candidate: the end of the footer, or of the body if the footer is missing.
 * The next five dashes end every body, so a text of many headers is read once.
 */
export function pemEnd({ text, end }: Candidate): number | false {
  const next = text.indexOf(DASHES, end);
  const limit = Math.min(next < 0 ? text.length : next, end + MAX_BODY);
  const body = text.slice(end, limit);
  if (next >= 0 && next <= limit && BODY.test(body)) {
    if ((body.match(ENCODED)?.length ?? 0) < LEAST_ENCODED) return false;
    FOOTER.lastIndex = next;
    return FOOTER.test(text) ? FOOTER.lastIndex : next;
  }
  const run = /^(?:[A-Za-z0-9+/=\s\\]|\\[nr])*/.exec(body)?.[0] ?? '';
  const kept = run.trimEnd();
  return longestRun(kept) >= LEAST_ENCODED && end + kept.length;
}

const longestRun = (text: string): number => Math.max(0, ...text.split(/[\s\\]+/).map((part) => part.length));
