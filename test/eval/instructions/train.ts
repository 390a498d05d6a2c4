import {
  linearModel,
  MODEL_BITS,
  visitNgrams,
  type LinearModel,
  type ModelCard,
} from '../../../libs/content/instructions/model.js';
import { plainOf } from '../../../libs/content/instructions/plain.js';
import { wordsOf } from '../../../libs/content/instructions/tokens.js';
import { windowsOf, type Window } from '../../../libs/content/instructions/windows.js';
import type { Digest } from '../../../libs/kernel/digest.js';
import { tierOf, type Row } from './corpus.js';

/** A window of a text: the places of its n-grams among the weights. */
interface Example {
  readonly places: Int32Array;
  /** Its words, to know it again: carriers of attacks also carry harmless texts. */
  readonly key: string;
  readonly root: number;
}

interface Bag {
  readonly isAttack: boolean;
  readonly windows: readonly Example[];
}

interface Training {
  readonly seed: number;
  readonly rounds: number;
  readonly epochs: number;
  readonly rate: number;
  readonly decay: number;
  /** How much an attack weighs against a harmless window. */
  readonly attackWeight: number;
}

const TRAINING: Training = { seed: 16, rounds: 4, epochs: 4, rate: 0.5, decay: 1e-6, attackWeight: 4 };

/** Deterministic random numbers from 0 to 1: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function bagOf(row: Row, known: ReadonlySet<string>): Bag {
  const { lower } = plainOf(row.text);
  const words = wordsOf(lower);
  const windows = windowsOf(lower, words).map((window: Window) => {
    const places: number[] = [];
    visitNgrams(words, window, known, (place) => places.push(place));
    const key = words.word
      .slice(window.from, window.to)
      .join(' ')
      .replace(/[0-9]+/g, '0');
    return { places: Int32Array.from(places), key, root: Math.sqrt(Math.max(1, places.length)) };
  });
  return { isAttack: row.label === 'injection', windows };
}

/** Texts whose letters are disguised teach no words; bare requests teach nothing that a harmless request differs in. */
const teaches = (row: Row): boolean => row.label === 'benign' || tierOf(row) === 'A' || tierOf(row) === 'B';

/** Attacks without the windows that harmless texts have too. */
function withoutCarriers(bags: readonly Bag[]): Bag[] {
  const harmless = new Set(bags.flatMap(({ isAttack, windows }) => (isAttack ? [] : windows.map(({ key }) => key))));
  return bags.map(({ isAttack, windows }) => ({
    isAttack,
    windows: isAttack ? windows.filter(({ key }) => !harmless.has(key)) : windows,
  }));
}

interface Weights {
  readonly of: Float64Array;
  readonly gradients: Float64Array;
  bias: number;
}

const rawScore = (weights: Weights, { places, root }: Example): number => {
  let sum = 0;
  for (const place of places) sum += weights.of[place] ?? 0;
  return weights.bias + sum / root;
};

/**
 * Learns a model from texts. A label is of a whole text, and an attack is a small part of it: the first round takes all
 * windows of attacks, each later one those that the round before found most suspicious.
 */
export function learn(rows: readonly Row[], corpus: Digest, known: ReadonlySet<string>, training = TRAINING): Learned {
  const bags = withoutCarriers(rows.filter(teaches).map((row) => bagOf(row, known)));
  const random = randomOf(training.seed);
  let weights: Weights = fresh();
  for (let round = 0; round < training.rounds; round += 1) {
    const examples = examplesOf(bags, round === 0 ? undefined : weights);
    weights = fresh();
    for (let epoch = 0; epoch < training.epochs; epoch += 1) pass(weights, shuffled(examples, random), training);
  }
  return quantised(weights, corpus, training);
}

/** The same, ready to score. */
export function train(rows: readonly Row[], corpus: Digest, known: ReadonlySet<string>): LinearModel {
  const { card, weights } = learn(rows, corpus, known);
  return linearModel(card, weights, known);
}

export interface Learned {
  readonly card: ModelCard;
  readonly weights: Int8Array;
}

const fresh = (): Weights => ({
  of: new Float64Array(1 << MODEL_BITS),
  gradients: new Float64Array(1 << MODEL_BITS).fill(1e-2),
  bias: -1,
});

interface Labelled {
  readonly example: Example;
  readonly isAttack: boolean;
}

function examplesOf(bags: readonly Bag[], weights: Weights | undefined): Labelled[] {
  return bags.flatMap(({ isAttack, windows }) => {
    if (!isAttack || weights === undefined) return windows.map((example): Labelled => ({ example, isAttack }));
    const scores = windows.map((example) => rawScore(weights, example));
    const best = Math.max(...scores);
    return windows
      .filter((_, index) => (scores[index] ?? 0) >= best || (scores[index] ?? 0) > 1)
      .map((example): Labelled => ({ example, isAttack }));
  });
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const mixed = [...items];
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other] as T, mixed[at] as T];
  }
  return mixed;
}

/** One pass of Adagrad over the logistic loss. */
function pass(weights: Weights, examples: readonly Labelled[], { rate, decay, attackWeight }: Training): void {
  for (const { example, isAttack } of examples) {
    const predicted = 1 / (1 + Math.exp(-rawScore(weights, example)));
    const error = (predicted - (isAttack ? 1 : 0)) * (isAttack ? attackWeight : 1);
    if (Math.abs(error) < 1e-3) continue;
    const step = error / example.root;
    for (const place of example.places) {
      const gradient = step + decay * (weights.of[place] ?? 0);
      weights.gradients[place] = (weights.gradients[place] ?? 0) + gradient * gradient;
      weights.of[place] = (weights.of[place] ?? 0) - (rate * gradient) / Math.sqrt(weights.gradients[place] ?? 1);
    }
    weights.bias -= rate * 0.01 * error;
  }
}

function quantised(weights: Weights, corpus: Digest, { seed }: Training): Learned {
  let largest = 0;
  for (const weight of weights.of) largest = Math.max(largest, Math.abs(weight));
  const scale = largest / 127;
  const bytes = Int8Array.from(weights.of, (weight) => Math.round(weight / scale));
  return {
    card: { format: 1, bits: MODEL_BITS, bias: weights.bias, scale, threshold: 0, corpus, seed },
    weights: bytes,
  };
}
