import type { InstructionKind, Severity } from './finding.js';
import type { Lexicon, Places } from './lexicon.js';
import { Break, type Words } from './tokens.js';

/** A rule over meaning: words of all of these classes are near each other in a sentence, in any order. */
export interface FrameRule {
  readonly id: string;
  readonly kind: InstructionKind;
  readonly severity: Severity;
  /** Names of classes; `@` is any mail address. `^` in front: only as the verb of an order. Of several names with `|` between, one is enough. */
  readonly all: readonly string[];
  /** Classes of which no word is near. */
  readonly none?: readonly string[];
  /** Words from the first class to any other. */
  readonly within: number;
  /** Sentences from the first class to any other: 0 is the same one. */
  readonly sentences?: number;
}

/** A sentence that has the meaning of a rule: numbers of words, the end is excluded. */
export interface FrameHit {
  readonly rule: FrameRule;
  readonly from: number;
  readonly to: number;
}

/** The frames of a pack. */
export class Frames {
  constructor(
    private readonly lexicon: Lexicon,
    private readonly rules: readonly FrameRule[],
  ) {}

  /** All sentences with the meaning of a rule. `mayOrder` says of each word whether the verb of an order may be there. */
  hitsIn(words: Words, mayOrder: Uint8Array, lower: string): FrameHit[] {
    const places = this.lexicon.placesIn(words, lower);
    const found = new Found(words, places, mayOrder);
    return this.rules.flatMap((rule) => hitsOf(rule, found));
  }
}

/** The words of a text by class, for one search. */
class Found {
  private readonly orders = new Map<string, readonly number[]>();
  private sentences: Int32Array | undefined;

  constructor(
    private readonly words: Words,
    private readonly places: Places,
    private readonly mayOrder: Uint8Array,
  ) {}

  /** The words of a class of a rule, in order. */
  of(name: string): readonly number[] {
    if (!name.startsWith('^')) return this.places.get(name) ?? [];
    const known = this.orders.get(name);
    if (known !== undefined) return known;
    const orders = (this.places.get(name.slice(1)) ?? []).filter((at) => this.isOrdered(at));
    this.orders.set(name, orders);
    return orders;
  }

  /** A verb at the start of a clause, or after "to" and "will" that speak to the reader: "you are asked to". */
  private isOrdered(at: number): boolean {
    if (this.mayOrder[at] === 1) return true;
    const { word } = this.words;
    if (!/^(?:to|will|shall|can|could|would|you|also|ever)$/.test(word[at - 1] ?? '')) return false;
    for (let before = at - 1; before >= Math.max(0, at - REACH); before -= 1)
      if (word[before] === 'you' || word[before] === 'your') return true;
    return false;
  }

  /** The number of the sentence of a word. */
  sentence(at: number): number {
    this.sentences ??= sentencesOf(this.words);
    return this.sentences[at] ?? 0;
  }
}

const REACH = 5;

function sentencesOf({ count, before }: Words): Int32Array {
  const sentences = new Int32Array(count);
  for (let at = 1; at < count; at += 1) sentences[at] = (sentences[at - 1] ?? 0) + (before[at] === Break.hard ? 1 : 0);
  return sentences;
}

/** The classes of each step of a rule were parted once. */
const partsOf = new WeakMap<FrameRule, readonly (readonly string[])[]>();

function hitsOf(rule: FrameRule, found: Found): FrameHit[] {
  const parts = partsOf.get(rule) ?? rule.all.map((part) => part.split('|'));
  partsOf.set(rule, parts);
  const [anchors = [], ...others] = parts;
  const hits: FrameHit[] = [];
  for (const name of anchors) {
    for (const at of found.of(name)) {
      if (rule.none?.some((other) => nearest(found, [other], at, rule) !== undefined)) continue;
      let [from, to] = [at, at];
      const isWhole = others.every((names) => {
        const place = nearest(found, names, at, rule);
        if (place === undefined) return false;
        [from, to] = [Math.min(from, place), Math.max(to, place)];
        return true;
      });
      if (isWhole) hits.push({ rule, from, to: to + 1 });
    }
  }
  return hits;
}

/** The nearest word of some classes to a place, in its sentence or near it. */
function nearest(found: Found, names: readonly string[], at: number, rule: FrameRule): number | undefined {
  let best: number | undefined;
  for (const name of names) {
    const places = found.of(name);
    const index = indexFrom(places, at);
    for (const place of [places[index - 1], places[index], places[index + 1]]) {
      if (place === undefined || place === at || Math.abs(place - at) > rule.within) continue;
      if (Math.abs(found.sentence(place) - found.sentence(at)) > (rule.sentences ?? 0)) continue;
      if (best === undefined || Math.abs(place - at) < Math.abs(best - at)) best = place;
    }
  }
  return best;
}

/** The first index whose place is at or after a place. */
function indexFrom(places: readonly number[], at: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
