import type { InstructionPack } from './pack.js';
import { Break, wordsOf, type Words } from './tokens.js';

/** The words of a pack that make a sentence an order. */
export interface Language {
  readonly imperatives: ReadonlySet<string>;
  readonly common: ReadonlySet<string>;
  readonly openers: ReadonlySet<string>;
  /** Words after which a verb is an order anywhere: please, must, and. */
  readonly startsAnywhere: ReadonlySet<string>;
  /** Imperatives of harmless comments: see, add, describe. */
  readonly commentVerbs: ReadonlySet<string>;
  /** Imperatives of pages that only some readers see: skip, toggle. */
  readonly elementVerbs: ReadonlySet<string>;
  /** Words that a comment for people has: changelog, template. */
  readonly forPeople: ReadonlySet<string>;
  /** Words before a verb that make it no order: they, can. */
  readonly descriptive: ReadonlySet<string>;
  /** Names of agents: assistant, model. */
  readonly agents: ReadonlySet<string>;
  /** First words of a sentence that goes on with the order before it: then, after, never. */
  readonly continues: ReadonlySet<string>;
  /** Words after a verb that make it a noun: `order of`, `test is`. */
  readonly nominal: ReadonlySet<string>;
  /** Things that an attack wants to have sent away: emails, credentials. */
  readonly data: ReadonlySet<string>;
  /** Imperatives of harmless requests: explain, draft, remember. */
  readonly mildVerbs: ReadonlySet<string>;
  /** Imperatives that pay, delete or grant something. */
  readonly strongVerbs: ReadonlySet<string>;
  /** Imperatives that send, call or override something. */
  readonly actVerbs: ReadonlySet<string>;
  /** Other things that an attack is about: password, account, server. */
  readonly things: ReadonlySet<string>;
  /** Words that attacks have and names seldom have. */
  readonly telling: ReadonlySet<string>;
  /** All words of a pack: what disguised letters may spell. */
  readonly vocabulary: ReadonlySet<string>;
  /** The same and the words of frames: letters that run together are parted into them. */
  readonly spellings: ReadonlySet<string>;
}

export function languageOf(pack: InstructionPack): Language {
  const set = (list: string | undefined): Set<string> => new Set((list ?? '').split(' '));
  const words = [...Object.values(pack.lists), pack.commonWords].flatMap((list) => list.split(' '));
  const framed = Object.values(pack.classes).flatMap((members) => members.split(/[ +]/));
  return {
    imperatives: set(pack.lists['imperative']),
    common: set(pack.commonWords),
    openers: set(pack.lists['opener']),
    startsAnywhere: set(pack.startsAnywhere),
    commentVerbs: set(pack.commentVerbs),
    elementVerbs: set(pack.elementVerbs),
    forPeople: set(pack.forPeople),
    descriptive: set(pack.descriptive),
    things: set(pack.things),
    mildVerbs: set(pack.mildVerbs),
    strongVerbs: set(pack.strongVerbs),
    actVerbs: new Set(['send', 'call', 'override'].flatMap((name) => [...set(pack.lists[name])])),
    telling: new Set(
      ['override', 'orders', 'secret', 'call', 'tool', 'send', 'answer'].flatMap((name) => [...set(pack.lists[name])]),
    ),
    agents: set(pack.lists['ai']),
    continues: set(pack.continues),
    nominal: set(pack.nominal),
    data: set(pack.lists['data']),
    vocabulary: new Set(words.filter((word) => /^[a-z]{2,}$/.test(word))),
    spellings: new Set([...words, ...framed].filter((word) => /^[a-z]{2,}$/.test(word))),
  };
}

/** A sentence that orders something: numbers of words, the end is excluded. */
export interface Order {
  readonly from: number;
  readonly to: number;
  readonly verb: string;
}

const AT_SIGN = 64;
const MIN_WORDS = 4;
const MAX_WORDS = 60;

/** 1 for each word that may be the verb of an order: at the start of a clause, or after words like "please", "you must". */
export function mayOrderIn(words: Words, language: Language): Uint8Array {
  const may = new Uint8Array(words.count);
  let mayStart = true;
  for (let at = 0; at < words.count; at += 1) {
    const word = words.word[at] ?? '';
    if (words.before[at] !== Break.none) mayStart = true;
    if (mayStart) may[at] = 1;
    mayStart = language.startsAnywhere.has(word) || (mayStart && language.openers.has(word));
  }
  return may;
}

/**
 * The sentences with the verb of an order that read like English. In a text that was decoded or hidden, requests such as
 * `could you send` count too, and nouns that look like verbs do not.
 */
export function ordersIn(words: Words, mayOrder: Uint8Array, language: Language, isDecoded: boolean): Order[] {
  const orders: Order[] = [];
  for (let at = 0; at < words.count; at += 1) {
    const verb = words.word[at] ?? '';
    const mayBe = mayOrder[at] === 1 || (isDecoded && isRequested(words, at));
    if (!mayBe || !isVerb(words, at, language) || (isDecoded && isNoun(words, at, language))) continue;
    const to = sentenceEnd(words, at);
    if (to - at >= MIN_WORDS && hasWordOf(words, at, to, language.common)) orders.push({ from: at, to, verb });
  }
  return orders;
}

const isRequested = ({ word }: Words, at: number): boolean =>
  word[at - 1] === 'you' && /^(?:could|can|would|will|must|should)$/.test(word[at - 2] ?? '');

/** `order of the day`, `access to the room is …`, `order 4411 …`. */
function isNoun(words: Words, at: number, { nominal }: Language): boolean {
  const next = words.word[at + 1] ?? '';
  if (words.before[at + 1] !== Break.none || words.word[at - 1] === 'please') return false;
  return nominal.has(next) || (words.word[at] === 'access' && next === 'to') || /^[0-9]/.test(next);
}

/** A verb of the pack, or any word after "please" that may be one. */
function isVerb(words: Words, at: number, language: Language): boolean {
  const word = words.word[at] ?? '';
  if (language.imperatives.has(word)) return true;
  return (
    words.word[at - 1] === 'please' && /^[a-z]{3,}$/.test(word) && !word.endsWith('ly') && !language.common.has(word)
  );
}

/**
 * Whether people ask each other for this: to explain or to remember something. It has no number, no address and none of the
 * things that an attack wants.
 */
export function isMild(words: Words, { from, to, verb }: Order, language: Language, lower: string): boolean {
  const isAsked = words.word[from - 1] === 'you' && !language.strongVerbs.has(verb);
  return (isAsked || language.mildVerbs.has(verb)) && !hasThing(words, from, to, language, lower);
}

/** Whether an order is to pay, delete or grant something, or to send, call or override something that an attack wants. */
export function isStrong(words: Words, { from, to, verb }: Order, language: Language, lower: string): boolean {
  return language.strongVerbs.has(verb) || (language.actVerbs.has(verb) && hasThing(words, from, to, language, lower));
}

/** A number, an address or a thing that an attack wants, in the words of an order. */
function hasThing(words: Words, from: number, to: number, language: Language, lower: string): boolean {
  for (let at = from + 1; at < to; at += 1) {
    const word = words.word[at] ?? '';
    const isAddress = lower.charCodeAt((words.start[at] ?? 0) - 1) === AT_SIGN;
    if (isAddress || /[0-9]{3}|^https?$/.test(word) || language.things.has(word)) return true;
  }
  return false;
}

/** Whether an order in a comment is one for people: to see, add or describe something of a document. */
export function isForPeople(words: Words, { from, to, verb }: Order, language: Language): boolean {
  return language.commentVerbs.has(verb) && hasWordOf(words, from, to, language.forPeople);
}

const MANY = 3;

/** Whether a whole comment is one for people. */
export function speaksToPeople(comment: string, language: Language): boolean {
  const found = new Set<string>();
  for (const word of wordsOf(comment).word) if (language.forPeople.has(word)) found.add(word);
  return found.size >= MANY;
}

function sentenceEnd(words: Words, from: number): number {
  let to = from + 1;
  while (to < words.count && to - from < MAX_WORDS && words.before[to] !== Break.hard) to += 1;
  return to;
}

function hasWordOf(words: Words, from: number, to: number, set: ReadonlySet<string>): boolean {
  for (let at = from + 1; at < to; at += 1) if (set.has(words.word[at] ?? '')) return true;
  return false;
}
