/** A match that a check judges. */
export interface Candidate {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** The text from `start` to `end`. */
  readonly value: string;
}

/** Whether a match holds. A number is the place at which it ends, which may be before or behind the end of the match. */
export type Check = (candidate: Candidate) => boolean | number;

/** Shannon entropy in bits per character. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

export const digitsOf = (text: string): string => text.replace(/[^0-9]+/g, '');
