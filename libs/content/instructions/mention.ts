import type { InstructionPack } from './pack.js';

/** Says whether a place in a text is quoted as an example, and not addressed to its reader. */
export type Mention = (from: number) => boolean;

const BEFORE = 200;
const MAX_READ = 200_000;
/** A quote that is open at the end of a text, and is not the quote of a JSON or Python string. */
const OPEN_QUOTE = /(?:^|[^"'`:,{[(\s][\s:(]{1,2}|\()["'`“«「][^"`“”»」\n]{0,120}$/;
/** The start of a string of JSON or of a program. */
const STRING_START = /["'`]\s{0,2}$/;
const FENCE = /```/g;
/** The words before a verb that only tells of an order. */
const TOLD =
  /\b(?:can|could|may|might|to|cannot|would|trying|attempting|attempts?|tries|tried|asked|asks|asking|telling|tells|says|who|which|that|by|of)\s{1,2}$/;

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
  return (from) => {
    const before = lower.slice(Math.max(0, from - BEFORE), from);
    const isQuoted = OPEN_QUOTE.test(before) || isFenced(lower, from);
    const hasCue = words.cues.test(before);
    if (isQuoted) return hasCue || isNearSecurity();
    if (STRING_START.test(before) && isOnSecurity()) return true;
    return (hasCue || TOLD.test(before)) && isOnSecurity();
  };
}

/** How far back the start of a block of code is looked for. */
const MAX_BLOCK = 4000;

function isFenced(lower: string, from: number): boolean {
  const before = lower.slice(Math.max(0, from - MAX_BLOCK), from);
  return before.includes('```') && (before.match(FENCE)?.length ?? 0) % 2 === 1;
}
