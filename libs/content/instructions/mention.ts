import type { InstructionPack } from './pack.js';

/** Says whether a span of a text is quoted as an example, and not addressed to its reader. */
export type Mention = (from: number, to?: number) => boolean;

const BEFORE = 200;
/** An attack that is quoted may be some sentences long. */
const BEFORE_QUOTED = 400;
const MAX_READ = 200_000;
/** A quote that is open at the end of a text, and is not the quote of a JSON or Python string. */
const OPEN_QUOTE = /(?:^|[^"'`:,{[(\s][\s:(]{1,2}|\()["'`“«「][^"`“”»」\n]{0,120}$/;
/** The start of a string of JSON or of a program. */
const STRING_START = /["'`]\s{0,2}$/;
const FENCE = /```/g;
/** The words before a verb that only tells of an order. */
const TOLD =
  /\b(?:can|could|may|might|to|cannot|would|trying|attempting|attempts?|tries|tried|asked|asks|asking|telling|tells|says|who|which|that|by|of)\s{1,2}$/;

/** Words of a sentence on attacks: the words of an attack follow them. */
const GOVERNS =
  /\b(?:attempts?|attempting|tries|trying|asking|instructing|telling|could|may|might|causing|forcing|tricking|manipulat(?:e|es|ing)|designed to|aims? to|intended to|meant to|detect(?:s|ed|ing)?|flag(?:s|ged|ging)?|block(?:s|ed|ing)?|refus(?:es|ed|ing) to|reject(?:s|ed|ing)?|payloads?|phrases?|requests? to|prompts? to)\b/;
/** A sentence that reports on a text: "the slide quotes", "our test asserts that". */
const REPORTER = /^[\s"'*>-]{0,8}(?:the|this|that|these|our|a|an|one|for|in|some|each|every|it|we|they)\b/;
const REPORTS =
  /\b(?:explain(?:s|ed)?|describ(?:e|es|ed)|warn(?:s|ed)?|discuss(?:es|ed)?|mention(?:s|ed)?|demonstrat(?:e|es|ed)|illustrat(?:e|es|ed)|document(?:s|ed)?|cover(?:s|ed)?|assert(?:s|ed)?|flag(?:s|ged)?|detect(?:s|ed)?|quot(?:e|es|ed)|classif(?:y|ies|ied)|reject(?:s|ed)?|block(?:s|ed)?|match(?:es|ed)?|cit(?:e|es|ed)|example|sample|fixture|pattern|regex|phrases?|strings?|expect(?:s|ed)?)\b/;
/** A line of the code of a detector or of its tests: `PATTERNS = ["…`, `assert flags("…`. */
const TESTS =
  /\b(?:[a-z]{1,16}_)?(?:asserts?|expects?|patterns?|regex(?:es)?|re\.compile|fixtures?|payloads?|samples?|signatures?|denylist|blocklist|blocked|detect\w{0,8}|flags?|flagged|is_\w{1,24})[\w.]{0,24}\s?[=(:[,].{0,120}["'`/]/;

/** A short quote in the middle of a sentence is a noun: "the words 'ignore all rules' were found". */
const NOUN_STARTS = /([a-z]{1,24}),?\s["'`“‘][^"'`“”‘’\n]{0,60}$/;
const NOUN_ENDS = /^[^"'`“”‘’\n]{0,60}["'`”’](?:\s[a-z(]|[.,;)]\s)/;
/** Verbs that have their reader do what is quoted. */
const USES =
  /^(?:execute|run|do|follow|obey|perform|decode|say|print|output|write|repeat|respond|reply|answer|with|is|are|please|now|and|then|to)$/;

interface Words {
  readonly cues: RegExp;
  readonly subjects: RegExp;
  readonly themes: RegExp;
}

const made = new WeakMap<InstructionPack, Words>();

function wordsOf(pack: InstructionPack): Words {
  const known = made.get(pack);
  if (known !== undefined) return known;
  const any = (list: string): string =>
    list
      .split('|')
      .map((cue) => RegExp.escape(cue))
      .join('|');
  const words = {
    cues: new RegExp(`(?:^|[^a-z])(?:${any(pack.mention.cues)})`),
    subjects: new RegExp(any(pack.mention.subjects), 'g'),
    themes: new RegExp(any(pack.mention.themes), 'g'),
  };
  made.set(pack, words);
  return words;
}

/**
 * The use of an attack differs from its mention: a text on security quotes attacks after words like "such as", in quotes or
 * in code. Attacker-controlled: an attack that is written like a mention reads as one to an agent, too.
 */
export function mentionIn(lower: string, pack: InstructionPack): Mention {
  const words = wordsOf(pack);
  const different = (pattern: RegExp): number => new Set(lower.slice(0, MAX_READ).match(pattern)).size;
  let subjects: number | undefined;
  let themes: number | undefined;
  const isOnSecurity = (): boolean => (subjects ??= different(words.subjects)) >= 1;
  const isNearSecurity = (): boolean => isOnSecurity() || (themes ??= different(words.themes)) >= 3;
  return (from, to) => {
    const before = lower.slice(Math.max(0, from - BEFORE), from);
    const longer = lower.slice(Math.max(0, from - BEFORE_QUOTED), from);
    if (to !== undefined && isNoun(longer, lower.slice(to, to + 80))) return true;
    const hasCue = words.cues.test(before);
    const sentence = lastPart(before, /[.!?\n]/);
    const isReported = REPORTER.test(sentence) && REPORTS.test(sentence);
    if (isReported || TESTS.test(lastPart(longer, /\n/))) return true;
    if (OPEN_QUOTE.test(longer) || isFenced(lower, from)) return words.cues.test(longer) || isNearSecurity();
    if (STRING_START.test(before) && isOnSecurity()) return true;
    return (hasCue && isOnSecurity()) || ((TOLD.test(before) || GOVERNS.test(sentence)) && isNearSecurity());
  };
}

function isNoun(before: string, after: string): boolean {
  const [, verb] = NOUN_STARTS.exec(before.slice(-96)) ?? [];
  return verb !== undefined && !USES.test(verb) && NOUN_ENDS.test(after);
}

/** The part of a text after the last of some marks. */
function lastPart(text: string, mark: RegExp): string {
  let at = text.length;
  while (at > 0 && !mark.test(text.charAt(at - 1))) at -= 1;
  return text.slice(at);
}

/** How far back the start of a block of code is looked for. */
const MAX_BLOCK = 4000;

function isFenced(lower: string, from: number): boolean {
  const before = lower.slice(Math.max(0, from - MAX_BLOCK), from);
  return before.includes('```') && (before.match(FENCE)?.length ?? 0) % 2 === 1;
}
