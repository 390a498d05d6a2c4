import { createHmac, type KeyObject } from 'node:crypto';

/**
 * Fingerprints of texts by winnowing (Schleimer, Wilkerson, Aiken: Winnowing, SIGMOD 2003): of each window of
 * `WINDOW` consecutive hashes of `GRAM` characters, the least is kept. Two texts that share a run of
 * `GRAM + WINDOW - 1` = 32 characters share a fingerprint, and texts that share fewer than `GRAM` share none, apart from
 * collisions of 53 bits.
 */
const GRAM = 24;
const WINDOW = 9;
/** Characters of the shortest run that is always found. */
export const MIN_RUN = GRAM + WINDOW - 1;

/** NFKC, case and white space folded: what counts as the same text. */
export function normalised(text: string): string {
  const folded = ASCII.test(text)
    ? text.toLowerCase()
    : text.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
  return folded.replaceAll(WHITE_SPACE, ' ').trim();
}

// eslint-disable-next-line no-control-regex -- ASCII has them
const ASCII = /^[\u0000-\u007f]*$/;
const WHITE_SPACE = /\s+/g;

/** Makes fingerprints that only a holder of the task's key can make or compare: they tell nothing about a text. */
export class Fingerprinter {
  /** Two random words for each value of a character's low and high byte. */
  private readonly table: Int32Array;

  constructor(key: KeyObject) {
    const bytes = new Uint8Array(TABLE_BYTES);
    for (let at = 0; at < TABLE_BYTES; at += HMAC_BYTES)
      bytes.set(createHmac('sha256', key).update(`sallyport flow ${at}`).digest(), at);
    this.table = new Int32Array(bytes.buffer);
  }

  /** Each fingerprint once. Empty if the text is shorter than a run. Time is linear in the text's length. */
  of(text: string): Float64Array {
    return this.ofAll([text], Number.POSITIVE_INFINITY);
  }

  /** Fingerprints of several texts, each once. It stops as soon as there are more than `most`: `most + 1` then. */
  ofAll(texts: Iterable<string>, most: number): Float64Array {
    const kept = new Set<number>();
    for (const text of new Set(texts)) {
      // A compatibility character may become many, so only plain texts are short by their length.
      if (text.length < MIN_RUN && ASCII.test(text)) continue;
      const plain = normalised(text);
      if (plain.length >= MIN_RUN) this.winnow(plain, kept, most);
      if (kept.size > most) break;
    }
    return kept.size === 0 ? NONE : Float64Array.from(kept);
  }

  /** Rolling hashes by cyclic polynomials (Cohen 1997): a gram of fewer than 32 characters never repeats a rotation. */
  private winnow(text: string, kept: Set<number>, most: number): void {
    const { table } = this;
    const hashes = new Float64Array(WINDOW);
    let [high, low] = [0, 0];
    let least = -1;
    for (let at = 0; at < text.length && kept.size <= most; at += 1) {
      const into = text.charCodeAt(at);
      high = turned(high, 1) ^ word(table, into, 0);
      low = turned(low, 1) ^ word(table, into, 1);
      if (at >= GRAM) {
        const out = text.charCodeAt(at - GRAM);
        high ^= turned(word(table, out, 0), GRAM);
        low ^= turned(word(table, out, 1), GRAM);
      }
      const place = at - GRAM + 1;
      if (place < 0) continue;
      hashes[place % WINDOW] = (high >>> 0) * 2_097_152 + (low >>> 11);
      const previous = least;
      least = leastOf(hashes, place, least);
      if (place >= WINDOW - 1 && least !== previous) kept.add(hashes[least % WINDOW] as number);
      else if (place === WINDOW - 1) kept.add(hashes[least % WINDOW] as number);
    }
  }
}

const NONE = new Float64Array();
const HMAC_BYTES = 32;
/** 512 entries of two words of 4 bytes. */
const TABLE_BYTES = 4096;

const turned = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

function word(table: Int32Array, character: number, half: 0 | 1): number {
  const low = table[(character & 0xff) * 2 + half] as number;
  return character < 0x100 ? low : low ^ turned(table[512 + (character >>> 8) * 2 + half] as number, 7);
}

/** The place of the least hash of the window that ends at `place`; of equal ones the last. */
function leastOf(hashes: Float64Array, place: number, before: number): number {
  const isInWindow = before > place - WINDOW && before >= 0;
  if (isInWindow) return (hashes[place % WINDOW] as number) <= (hashes[before % WINDOW] as number) ? place : before;
  let least = Math.max(0, place - WINDOW + 1);
  for (let at = least + 1; at <= place; at += 1)
    if ((hashes[at % WINDOW] as number) <= (hashes[least % WINDOW] as number)) least = at;
  return least;
}

const made = new WeakMap<KeyObject, Fingerprinter>();

/** The fingerprinter of a task, made once for each key object. */
export function fingerprinterOf(key: KeyObject): Fingerprinter {
  const known = made.get(key) ?? new Fingerprinter(key);
  made.set(key, known);
  return known;
}
