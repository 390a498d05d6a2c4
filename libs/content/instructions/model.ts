import type { Digest } from '../../kernel/digest.js';
import type { Window } from './windows.js';
import type { Words } from './tokens.js';

/** Weights are hashed into 2^18 places. */
export const MODEL_BITS = 18;
const MASK = (1 << MODEL_BITS) - 1;

/** The data of a model, next to its weights: `model.json`. */
export interface ModelCard {
  readonly format: 1;
  readonly bits: number;
  readonly bias: number;
  /** One step of a weight. */
  readonly scale: number;
  /** Scores at and above it are findings. Scores are log odds. */
  readonly threshold: number;
  readonly corpus: Digest;
  readonly seed: number;
}

/** Words of a window, at the first place where they occur: numbers of words, the end is excluded. */
export interface Ngram {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** A linear model over hashed n-grams. */
export interface LinearModel {
  readonly card: ModelCard;
  /** Log odds that a window orders an agent about. */
  readonly score: (words: Words, window: Window) => number;
  /** The n-grams that raise the score of a window most, heaviest first. */
  readonly heaviest: (words: Words, window: Window, count: number) => Ngram[];
}

/** An n-gram: its place among the weights, and its words. */
type Visit = (place: number, from: number, to: number) => void;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const LONGEST = 4;

/** Hash of a word, FNV-1a over its UTF-16 units. */
function hashOfWord(word: string): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < word.length; at += 1) hash = Math.imul(hash ^ word.charCodeAt(at), FNV_PRIME);
  return hash;
}

/** Words that the pack does not know are one word, and so are numbers: their subject is not what makes an order. */
const UNKNOWN = hashOfWord('_');
const NUMBER = hashOfWord('0');

/** Spreads the bits: low bits of FNV alone collide. */
function placeOf(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  return mixed & MASK;
}

/** The n-grams of a window: one to four words, with a mark before its first. Returns how many there are. */
export function visitNgrams(words: Words, { from, to }: Window, known: ReadonlySet<string>, visit: Visit): number {
  const hashes: number[] = [1];
  let count = 0;
  for (let at = from; at < to; at += 1) {
    const word = words.word[at] ?? '';
    hashes.push(known.has(word) ? hashOfWord(word) : /^[0-9]/.test(word) ? NUMBER : UNKNOWN);
    let hash = 0;
    for (let length = 1; length <= Math.min(LONGEST, hashes.length); length += 1) {
      hash = Math.imul(hash, 0x9e3779b1) ^ (hashes[hashes.length - length] ?? 0);
      visit(placeOf(hash ^ Math.imul(length, 0x27d4eb2f)), Math.max(from, at + 1 - length), at + 1);
      count += 1;
    }
  }
  return count;
}

/** A model of 2^18 weights, one signed byte each. */
export function linearModel(card: ModelCard, weights: Int8Array, known: ReadonlySet<string>): LinearModel {
  if (card.bits !== MODEL_BITS || weights.length !== 1 << MODEL_BITS) throw new Error('the model has another size');
  const score = (words: Words, window: Window): number => {
    let sum = 0;
    const count = visitNgrams(words, window, known, (place) => (sum += weights[place] ?? 0));
    return card.bias + (count === 0 ? 0 : (sum * card.scale) / Math.sqrt(count));
  };
  const heaviest = (words: Words, window: Window, count: number): Ngram[] => {
    const weighed = new Map<string, Ngram & { weight: number }>();
    visitNgrams(words, window, known, (place, from, to) => {
      const text = words.word.slice(from, to).join(' ');
      const ngram = weighed.get(text) ?? { text, from, to, weight: 0 };
      ngram.weight += weights[place] ?? 0;
      weighed.set(text, ngram);
    });
    return [...weighed.values()].toSorted((a, b) => b.weight - a.weight).slice(0, count);
  };
  return { card, score, heaviest };
}
