/** Finds many short words in one pass over a text, in time that does not depend on how many words there are. */
export interface Literals {
  /**
   * Calls `found` for each word at each place of a text whose ASCII letters are lower case. `started` is called at the
   * first character of each run of ASCII letters and digits.
   */
  find(lower: string, found: (word: number, at: number) => void, started: (at: number, isDigit: boolean) => void): void;
}

interface Bucket {
  readonly word: number;
  readonly text: string;
  /** The third character, or -1 for words of two: compared before the rest, because most places fail here. */
  readonly third: number;
}

const ASCII = 128;

/** `words` are ASCII and have two characters or more. A one-character word is found by its own table. */
export function literalsOf(words: readonly string[]): Literals {
  const pairs = new Int16Array(ASCII * ASCII).fill(-1);
  const singles = new Int16Array(ASCII).fill(-1);
  const thirds = new Int32Array(ASCII * ASCII);
  const buckets: Bucket[][] = [];
  words.forEach((text, word) => {
    if (text.length === 1) {
      singles[text.charCodeAt(0)] = word;
      return;
    }
    const key = text.charCodeAt(0) * ASCII + text.charCodeAt(1);
    if (pairs[key] === -1) pairs[key] = buckets.push([]) - 1;
    const third = text.length > 2 ? text.charCodeAt(2) : -1;
    thirds[key] = (thirds[key] ?? 0) | (third < 0 ? -1 : 1 << (third & 31));
    buckets[pairs[key] ?? 0]?.push({ word, text, third });
  });
  return { find: (lower, found, started) => find({ pairs, thirds, singles, buckets }, lower, found, started) };
}

interface Tables {
  /** The bucket of each pair of first characters. */
  readonly pairs: Int16Array;
  /** The lowest five bits of the third characters in the bucket of each pair: they turn most places away. */
  readonly thirds: Int32Array;
  readonly singles: Int16Array;
  readonly buckets: readonly (readonly Bucket[])[];
}

function find(
  { pairs, thirds, singles, buckets }: Tables,
  lower: string,
  found: (word: number, at: number) => void,
  started: (at: number, isDigit: boolean) => void,
): void {
  const end = lower.length;
  let wasAlphanumeric = false;
  let next = end > 0 ? lower.charCodeAt(0) : 0;
  for (let at = 0; at < end; at += 1) {
    const code = next;
    next = at + 1 < end ? lower.charCodeAt(at + 1) : ASCII;
    if (code >= ASCII) {
      wasAlphanumeric = false;
      continue;
    }
    const isDigit = code >= 48 && code <= 57;
    const isAlphanumeric = isDigit || (code >= 97 && code <= 122);
    if (isAlphanumeric && !wasAlphanumeric) started(at, isDigit);
    wasAlphanumeric = isAlphanumeric;
    const single = singles[code] ?? -1;
    if (single >= 0) found(single, at);
    if (next >= ASCII) continue;
    const key = code * ASCII + next;
    const mask = thirds[key] ?? 0;
    if (mask === 0) continue;
    const third = at + 2 < end ? lower.charCodeAt(at + 2) : ASCII;
    if ((mask & (1 << (third & 31))) === 0) continue;
    const bucket = pairs[key] ?? 0;
    for (const each of buckets[bucket] ?? []) {
      if (each.third !== -1 && each.third !== third) continue;
      if (each.text.length <= 3 || lower.startsWith(each.text, at)) found(each.word, at);
    }
  }
}
