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
export const countsOf = (words: Iterable<string>): Record<string, number> =>
  sumsOf([...words].map((each) => [each, 1]));

/** The sum of the counts of each word. */
export function sumsOf(counted: Iterable<readonly [string, number]>): Record<string, number> {
  const sums = new Map<string, number>();
  for (const [each, count] of counted) sums.set(word(each), (sums.get(word(each)) ?? 0) + count);
  return Object.fromEntries(sums);
}
