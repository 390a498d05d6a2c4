import type { InstructionPack } from './pack.js';

/** Says whether a place in a text is quoted as an example, and not addressed to its reader. */
export type Mention = (from: number, to: number) => boolean;

const BEFORE = 160;
const QUOTES = /["'`“«「]/;
const MAX_SUBJECTS_READ = 200_000;
const NEGATED =
  /\b(?:can|could|may|might|to|cannot|would|trying|attempting|attempts?|tries|tried|asked|asks|asking|telling|tells|says|who|which|that|by|of)\s{1,2}$/;

interface Words {
  readonly cues: RegExp;
  readonly subjects: RegExp;
}

const made = new WeakMap<InstructionPack, Words>();

function wordsOf(pack: InstructionPack): Words {
  const known = made.get(pack);
  if (known !== undefined) return known;
  const any = (list: string): string =>
    list
      .split('|')
      .map((cue) => cue.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('|');
  const words = {
    cues: new RegExp(`(?:^|[^a-z])(?:${any(pack.mention.cues)})`, 'g'),
    subjects: new RegExp(any(pack.mention.subjects), 'g'),
  };
  made.set(pack, words);
  return words;
}

/**
 * The use of an attack differs from its mention: a text on security quotes attacks after words like "such as", in quotes or
 * in code. Attacker-controlled: who writes so that a text seems to be a mention makes it read as one, too.
 */
export function mentionIn(lower: string, pack: InstructionPack): Mention {
  const { cues, subjects } = wordsOf(pack);
  let count: number | undefined;
  const subjectCount = (): number => (count ??= new Set(lower.slice(0, MAX_SUBJECTS_READ).match(subjects)).size);
  return (from) => {
    const before = lower.slice(Math.max(0, from - BEFORE), from);
    const paragraph = before.slice(before.lastIndexOf('\n\n') + 1);
    let cueEnd = -1;
    for (const cue of paragraph.matchAll(cues)) cueEnd = cue.index + cue[0].length;
    const isQuoted = QUOTES.test(paragraph.slice(Math.max(0, cueEnd, paragraph.length - 60)));
    if (cueEnd >= 0 && isQuoted) return true;
    if (NEGATED.test(paragraph) && subjectCount() >= 1) return true;
    return subjectCount() >= 2 && (isQuoted || cueEnd >= 0);
  };
}
