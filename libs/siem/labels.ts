const MAX_LABEL_CHARS = 512;
/** Control, format, private and unassigned characters, lone surrogates, and the separators of lines. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;
/** A word of ours: other texts may be those of a server. */
const WORD = /^[a-z0-9][a-z0-9_.:-]{0,63}$/i;

/** A name that somebody else chose, as it may be shown: no invisible characters, and bounded. */
export const label = (text: string): string => text.slice(0, MAX_LABEL_CHARS).replaceAll(INVISIBLE, '\uFFFD');

/** A word of a list of ours; any other text becomes `other`. */
export const word = (text: string): string => (WORD.test(text) ? text : 'other');

/** How often each word occurs. */
export function countsOf(words: Iterable<string>): Record<string, number> {
  const counts = new Map<string, number>();
  for (const each of words) counts.set(word(each), (counts.get(word(each)) ?? 0) + 1);
  return Object.fromEntries(counts);
}
