/**
 * Words and turns that a reader has to read twice, each with what to write instead. `ceiling` is the most that the whole
 * project may hold, in documents, comments and texts together; it only falls.
 */
export interface Turn {
  readonly pattern: RegExp;
  readonly instead: string;
}

const AUXILIARY = String.raw`(?:is|are|was|were|has|had|have|does|did|can|cannot|comes|goes|stands|waits|asks|shows|reads|may)`;

export const TURNS = {
  'headless who': {
    pattern: new RegExp(
      String.raw`(?:(?<=^|[.:;] |\*\*)Who(?: \w+)? ${AUXILIARY}\b(?!.*\?)|\b(?:for|to|by|of|from|with|than|and|or|beside) who ${AUXILIARY}\b|\bwho (?:cannot|comes back|shows no)\b)`,
      'g',
    ),
    instead: 'name the subject: "a host that cannot hear …"',
  },
  'headless what': {
    pattern: new RegExp(
      String.raw`(?:(?<=^|[.] |\*\*)What\b(?![^.]*\?)|\bwhat (?:is too|was too|is more|cannot|has to|else is)\b)`,
      'g',
    ),
    instead: 'name the subject: "Excess load is refused"',
  },
  'headless where': {
    pattern: /(?<=^|[.] )Where (?:a|an|the|there|it|no|they|one|nothing|some)\b(?![^.]*\?)/g,
    instead: 'if',
  },
  whoever: { pattern: /\bwho(?:ever|mever)\b/gi, instead: 'anyone who, the caller that' },
  whatever: { pattern: /\bwhatever\b/gi, instead: 'everything that, any' },
  anew: { pattern: /\banew\b/gi, instead: 'again' },
  'so long': { pattern: /\bso long\b/gi, instead: 'as long as, that long' },
  'so much': { pattern: /\bso much\b/gi, instead: 'that much, much' },
  'any more': { pattern: /\bany ?more\b/gi, instead: 'no longer' },
  'but for': { pattern: /\bbut for\b/gi, instead: 'except for' },
  beside: { pattern: /\bbeside\b/gi, instead: 'in addition to, next to, with' },
  stands: { pattern: /\b(?:stands|stand|stood|standing)\b/gi, instead: 'is written, is, holds' },
  'is told': { pattern: /\b(?:is|are|be|been|was|were|being) told\b/gi, instead: 'learns, receives, gets' },
  'of which nobody': { pattern: /\bof (?:which|whom) (?:nobody|none|no one)\b/gi, instead: 'that nobody' },
  'lets go of': { pattern: /\b(?:let|lets|letting) go\b/gi, instead: 'releases' },
  'comes to': { pattern: /\b(?:come|comes|came|coming) to\b/gi, instead: 'reaches, is, becomes' },
  'more than it': { pattern: /\b(?:more|less) is (?:asked|needed|given)\b/gi, instead: 'name the subject' },
  'has not the': { pattern: /\b(?:has|have|had) (?:not|no) (?:the|a|an|any)\b/gi, instead: 'does not have, lacks' },
  'the like': {
    pattern: /\b(?:the like|its like|all the same|for good|as it were|no more)\b/gi,
    instead: 'similar; still; permanently',
  },
  'past it': { pattern: /\bpast (?:it|that|which|this|them)\b/gi, instead: 'above that limit' },
} as const satisfies Record<string, Turn>;
export type TurnName = keyof typeof TURNS;
