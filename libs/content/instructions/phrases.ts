import type { Steps } from '../../kernel/steps.js';
import type { InstructionKind, Severity } from './finding.js';
import { Break, type Words } from './tokens.js';

/** A rule of a pack: what its patterns mean when one of them occurs. */
export interface PhraseRule {
  readonly id: string;
  readonly kind: InstructionKind;
  readonly severity: Severity;
  readonly patterns: readonly string[];
  /** A finding that one of these touches is low: what people say to people. */
  readonly unless?: readonly string[];
}

/** An occurrence of a pattern: word numbers, the end is excluded. */
export interface PhraseHit {
  readonly rule: PhraseRule;
  readonly from: number;
  readonly to: number;
  /** Whether an exception of the rule touches it. */
  readonly isExcepted: boolean;
}

/** A step of a pattern: a class of words, or any word. */
interface Step {
  /** -1 is any word. */
  readonly wordClass: number;
  readonly isOptional: boolean;
}

interface Pattern {
  readonly rule: PhraseRule;
  /** Bit n is set if the pattern can be complete after step n - 1. */
  readonly final: number;
  /** The bits of steps that take any word. For each class that it names, the bits of the steps that take its words. */
  readonly any: number;
  readonly classes: readonly number[];
  readonly taking: readonly number[];
  /** Of each run of steps that may be left out: the bit of its first, the bit behind its last, all bits but the first. */
  readonly skipFrom: number;
  readonly skipTo: number;
  readonly skipped: number;
  readonly startsSentence: boolean;
  readonly isException: boolean;
}

/** The classes of a word, and the same as bits. */
interface Classes {
  readonly all: readonly number[];
  readonly bits: Int32Array;
}

function classesFrom(all: readonly number[], count: number): Classes {
  const bits = new Int32Array((count + 31) >> 5);
  for (const wordClass of all) bits[wordClass >> 5]! |= 1 << (wordClass & 31);
  return { all, bits };
}

const MAX_KEPT_WORD = 12;
const MAX_KEPT = 16_384;
/** Sets of classes that are kept. */
const MAX_SETS = 4096;

/** States of a pattern are the bits of a number. */
const MAX_STEPS = 30;
const ANY = -1;
const STEM = 4;

/**
 * The word classes of a pack. A pattern is words in order: `word`, `one|other`, `stem*`, `@list`, each with `?` behind it
 * if it may be absent, and `~n` for up to n words of the same sentence. `^` in front: only as the verb of an order.
 * Patterns are no regular expressions. A pattern is matched by its set of states, so that a word costs constant time.
 */
export class Phrases {
  private readonly classesOfWord = new Map<string, number[]>();
  private readonly stems = new Map<string, [stem: string, wordClass: number][]>();
  private readonly numbers = new Map<string, number>();
  private readonly patternsOf: Pattern[][] = [];
  private readonly sets = new Map<string, Classes>();
  /** Of short words, from one text to the next. A longer word would keep the whole text that it is a part of. */
  private readonly short = new Map<string, Classes | undefined>();

  private constructor(private readonly lists: Readonly<Record<string, string>>) {}

  static *inSteps(lists: Readonly<Record<string, string>>, rules: readonly PhraseRule[]): Steps<Phrases> {
    const phrases = new Phrases(lists);
    for (const rule of rules) {
      for (const pattern of rule.patterns) phrases.add(rule, pattern, false);
      for (const pattern of rule.unless ?? []) phrases.add(rule, pattern, true);
      yield;
    }
    return phrases;
  }

  /**
   * All occurrences of each pattern, at most one for each word and pattern. `mayOrder` says of each word whether the verb
   * of an order may be there.
   */
  hitsIn(words: Words, mayOrder: Uint8Array): PhraseHit[] {
    const hits: FoundPattern[] = [];
    const long = new Map<string, Classes | undefined>();
    const classes = words.word.map((word) => {
      const known = word.length > MAX_KEPT_WORD ? long : this.short;
      if (known.has(word)) return known.get(word);
      if (known.size >= MAX_KEPT) known.clear();
      const made = this.classesOf(word);
      known.set(word, made);
      return made;
    });
    for (let from = 0; from < words.count; from += 1) {
      for (const wordClass of classes[from]?.all ?? []) {
        for (const pattern of this.patternsOf[wordClass] ?? []) {
          if (pattern.startsSentence && mayOrder[from] === 0) continue;
          const to = endOf(pattern, words, classes, from);
          if (to > 0) hits.push({ rule: pattern.rule, from, to, isException: pattern.isException });
        }
      }
    }
    return withoutExceptions(hits);
  }

  private classesOf(word: string): Classes | undefined {
    const stems = word.length < STEM ? [] : (this.stems.get(word.slice(0, STEM)) ?? []);
    const classes = new Set(this.classesOfWord.get(word));
    for (const [stem, wordClass] of stems) if (word.startsWith(stem)) classes.add(wordClass);
    return classes.size === 0 ? undefined : this.interned([...classes]);
  }

  /** Words are without number, but few sets of classes occur. */
  private interned(all: readonly number[]): Classes {
    const key = all.join();
    const known = this.sets.get(key);
    if (known !== undefined) return known;
    const made = classesFrom(all, this.numbers.size);
    if (this.sets.size < MAX_SETS) this.sets.set(key, made);
    return made;
  }

  private add(rule: PhraseRule, source: string, isException: boolean): void {
    const parts = source.split(' ').filter((part) => part !== '');
    const startsSentence = parts[0] === '^';
    const steps = (startsSentence ? parts.slice(1) : parts).flatMap((part) => this.stepsOf(part));
    const [first] = steps;
    if (first === undefined || first.isOptional || first.wordClass === ANY || steps.length > MAX_STEPS) {
      throw new Error(`pattern "${source}" of rule ${rule.id} starts with no word, or is too long`);
    }
    (this.patternsOf[first.wordClass] ??= []).push({ rule, ...bitsOf(steps), startsSentence, isException });
  }

  private stepsOf(part: string): Step[] {
    if (part.startsWith('~')) {
      return Array.from({ length: Number(part.slice(1)) }, () => ({ wordClass: ANY, isOptional: true }));
    }
    const isOptional = part.endsWith('?');
    return [{ wordClass: this.numberOf(isOptional ? part.slice(0, -1) : part), isOptional }];
  }

  /** The number of a class, by its source. */
  private numberOf(source: string): number {
    const known = this.numbers.get(source);
    if (known !== undefined) return known;
    const number = this.numbers.size;
    this.numbers.set(source, number);
    for (const word of this.wordsOf(source)) {
      if (word.endsWith('*')) {
        const stem = word.slice(0, -1);
        const bucket = this.stems.get(stem.slice(0, STEM)) ?? [];
        this.stems.set(stem.slice(0, STEM), [...bucket, [stem, number]]);
      } else this.classesOfWord.set(word, [...(this.classesOfWord.get(word) ?? []), number]);
    }
    return number;
  }

  private wordsOf(source: string): string[] {
    return source.split('|').flatMap((word) => {
      if (!word.startsWith('@')) return [word];
      const list = this.lists[word.slice(1)];
      if (list === undefined) throw new Error(`there is no list ${word}`);
      return list.split(' ').flatMap((member) => (member.startsWith('@') ? this.wordsOf(member) : [member]));
    });
  }
}

type FoundPattern = Omit<PhraseHit, 'isExcepted'> & { readonly isException: boolean };

/** Longest pattern, in words: an exception further away touches nothing. */
const MAX_REACH = 64;

/** Occurrences are in order of their first words, so each looks only at those near it. */
function withoutExceptions(found: readonly FoundPattern[]): PhraseHit[] {
  const exceptions = found.filter(({ isException }) => isException);
  let first = 0;
  return found.flatMap(({ isException, ...hit }) => {
    if (isException) return [];
    while (first < exceptions.length && (exceptions[first]?.from ?? 0) < hit.from - MAX_REACH) first += 1;
    let isExcepted = false;
    for (let at = first; at < exceptions.length && !isExcepted; at += 1) {
      const exception = exceptions[at]!;
      if (exception.from >= hit.to) break;
      isExcepted = exception.rule === hit.rule && exception.to > hit.from;
    }
    return [{ ...hit, isExcepted }];
  });
}

type Bits = Pick<Pattern, 'final' | 'any' | 'classes' | 'taking' | 'skipFrom' | 'skipTo' | 'skipped'>;

function bitsOf(steps: readonly Step[]): Bits {
  let final = 1 << steps.length;
  for (let at = steps.length - 1; at >= 0 && steps[at]?.isOptional; at -= 1) final |= 1 << at;
  let [any, skipFrom, skipTo, skipped] = [0, 0, 0, 0];
  const taking = new Map<number, number>();
  for (const [at, { wordClass, isOptional }] of steps.entries()) {
    if (wordClass === ANY) any |= 1 << at;
    else taking.set(wordClass, (taking.get(wordClass) ?? 0) | (1 << at));
    if (!isOptional) continue;
    if (steps[at - 1]?.isOptional !== true) skipFrom |= 1 << at;
    if (steps[at + 1]?.isOptional !== true) skipTo |= 1 << (at + 1);
    skipped |= 1 << (at + 1);
  }
  return { final, any, classes: [...taking.keys()], taking: [...taking.values()], skipFrom, skipTo, skipped };
}

/**
 * The states of a pattern, with those that are reached without a word. In each run of steps that may be left out, these
 * are all states behind the lowest one (Navarro and Raffinot, Flexible Pattern Matching in Strings, 4.2).
 */
function withSkipped(states: number, { skipFrom, skipTo, skipped }: Pattern): number {
  const ends = states | skipTo;
  return states | (skipped & (~(ends - skipFrom) ^ ends));
}

/** The word after the shortest occurrence that starts at a word, or 0. */
function endOf(pattern: Pattern, words: Words, classes: readonly (Classes | undefined)[], from: number): number {
  let states = 1;
  for (let at = from; at < words.count; at += 1) {
    if (at > from && words.before[at] === Break.hard) return 0;
    states = (withSkipped(states, pattern) & takenBy(pattern, classes[at])) << 1;
    if ((states & pattern.final) !== 0) return at + 1;
    if (states === 0) return 0;
  }
  return 0;
}

/** The bits of the steps that take a word of these classes. */
function takenBy({ any, classes, taking }: Pattern, word: Classes | undefined): number {
  if (word === undefined) return any;
  let taken = any;
  for (let index = 0; index < classes.length; index += 1) {
    const wordClass = classes[index]!;
    if ((word.bits[wordClass >> 5]! & (1 << (wordClass & 31))) !== 0) taken |= taking[index]!;
  }
  return taken;
}
