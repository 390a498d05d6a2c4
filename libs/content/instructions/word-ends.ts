const LETTERS = 26;
const A = 97;
const ONE = 49;
const I = 'i'.charCodeAt(0) - A;
const L = 'l'.charCodeAt(0) - A;
const DEAD = -1;
const ROOT = 0;

/** Longer words are not looked for. */
export const LONGEST_WORD = 16;

/**
 * Words of lower-case letters as a tree, from their last letter to their first. All words that end at a place of a text
 * are found in one walk, which ends where no word goes on.
 */
export class WordEnds {
  private readonly next: Int32Array;
  private readonly isWord: Uint8Array;

  constructor(words: ReadonlySet<string>) {
    const all = [...words].filter((word) => word.length >= 2 && word.length <= LONGEST_WORD);
    const most = all.reduce((sum, { length }) => sum + length, 1);
    const next = new Int32Array(most * LETTERS).fill(DEAD);
    this.isWord = new Uint8Array(most);
    let count = 1;
    for (const word of all) {
      let node = ROOT;
      for (let at = word.length - 1; at >= 0; at -= 1) {
        const edge = node * LETTERS + word.charCodeAt(at) - A;
        if (next[edge] === DEAD) next[edge] = count++;
        node = next[edge] as number;
      }
      this.isWord[node] = 1;
    }
    this.next = next.slice(0, count * LETTERS);
  }

  /**
   * Calls back with the start of each word that ends at a place, the shortest word first. A 1 is an i or an l: every 1 of
   * a word is the same letter, or the first is an i and all others are l.
   */
  endingAt(letters: string, to: number, found: (start: number) => void): void {
    let [allI, allL, firstI] = [ROOT, ROOT, DEAD];
    for (let at = to - 1; at >= 0 && to - at <= LONGEST_WORD; at -= 1) {
      const unit = letters.charCodeAt(at);
      if (unit === ONE) {
        firstI = this.step(allL, I);
        allI = this.step(allI, I);
        allL = this.step(allL, L);
      } else {
        const letter = unit - A;
        allI = this.step(allI, letter);
        allL = this.step(allL, letter);
        firstI = this.step(firstI, letter);
      }
      if (allI === DEAD && allL === DEAD && firstI === DEAD) return;
      if (this.isWord[allI] === 1 || this.isWord[allL] === 1 || this.isWord[firstI] === 1) found(at);
    }
  }

  private step(node: number, letter: number): number {
    return node === DEAD || letter < 0 || letter >= LETTERS ? DEAD : (this.next[node * LETTERS + letter] ?? DEAD);
  }
}
