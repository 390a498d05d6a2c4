import type { InstructionPack } from './pack.js';
import { Break, type Words } from './tokens.js';

/** The words of a pack that make a sentence an order. */
export interface Language {
  readonly imperatives: ReadonlySet<string>;
  readonly common: ReadonlySet<string>;
  readonly openers: ReadonlySet<string>;
  /** Imperatives of harmless comments: see, add, describe. */
  readonly commentVerbs: ReadonlySet<string>;
  /** All words of a pack: what disguised letters may spell. */
  readonly vocabulary: ReadonlySet<string>;
}

export function languageOf(pack: InstructionPack): Language {
  const set = (list: string | undefined): Set<string> => new Set((list ?? '').split(' '));
  const words = [...Object.values(pack.lists), pack.commonWords].flatMap((list) => list.split(' '));
  return {
    imperatives: set(pack.lists['imperative']),
    common: set(pack.commonWords),
    openers: set(pack.lists['opener']),
    commentVerbs: set(pack.commentVerbs),
    vocabulary: new Set(words.filter((word) => /^[a-z]{2,}$/.test(word))),
  };
}

/** A sentence that orders something: numbers of words, the end is excluded. */
export interface Order {
  readonly from: number;
  readonly to: number;
  readonly verb: string;
}

const MIN_WORDS = 4;
const MAX_WORDS = 60;

/** The sentences that start with an imperative, after words like "please" and "you must", and read like English. */
export function ordersIn(words: Words, language: Language): Order[] {
  const orders: Order[] = [];
  let mayStart = true;
  for (let at = 0; at < words.count; at += 1) {
    const word = words.word[at] ?? '';
    if (words.before[at] !== Break.none || word === 'please') mayStart = true;
    if (!mayStart) continue;
    if (language.openers.has(word)) continue;
    mayStart = false;
    if (!language.imperatives.has(word)) continue;
    const to = sentenceEnd(words, at);
    if (to - at >= MIN_WORDS && hasCommonWord(words, at, to, language)) orders.push({ from: at, to, verb: word });
  }
  return orders;
}

function sentenceEnd(words: Words, from: number): number {
  let to = from + 1;
  while (to < words.count && to - from < MAX_WORDS && words.before[to] !== Break.hard) to += 1;
  return to;
}

function hasCommonWord(words: Words, from: number, to: number, language: Language): boolean {
  for (let at = from + 1; at < to; at += 1) if (language.common.has(words.word[at] ?? '')) return true;
  return false;
}
