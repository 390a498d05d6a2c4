/** The gap between a word and the one before it. */
export const Break = {
  none: 0,
  /** A line, a comma, a bracket, a quote. */ soft: 1,
  /** A sentence or a paragraph. */ hard: 2,
} as const;

/** The words of a text in lower case. */
export interface Words {
  readonly count: number;
  readonly word: readonly string[];
  /** Offsets in the text: the end is excluded. */
  readonly start: readonly number[];
  readonly end: readonly number[];
  /** A value of `Break` for each word: what comes before it. The first word has a hard one. */
  readonly before: readonly number[];
}

/** Of ASCII: 1 of a word, 2 a soft break, 3 a mark that ends a sentence if white space follows, 4 a line break. */
const KIND = new Uint8Array(128);
for (const unit of 'abcdefghijklmnopqrstuvwxyz0123456789_') KIND[unit.charCodeAt(0)] = 1;
for (const unit of ',:"\'()[]{}<>|*#=~`/\\-@+') KIND[unit.charCodeAt(0)] = 2;
for (const unit of '.!?;') KIND[unit.charCodeAt(0)] = 3;
KIND[10] = 4;
/** Marks that join two words rather than part them. */
const JOINS = new Set([45, 47, 64, 43, 61, 126]);

const isWordUnit = (unit: number): boolean =>
  unit < 128
    ? KIND[unit] === 1
    : unit >= 0xc0 && !(unit >= 0x2000 && unit <= 0x2bff) && !(unit >= 0x3000 && unit <= 0x303f) && unit < 0xff00;

/** Parts a text in lower case into words. Linear. */
export function wordsOf(lower: string): Words {
  const start: number[] = [];
  const end: number[] = [];
  const before: number[] = [];
  const word: string[] = [];
  let pending: number = Break.hard;
  for (let at = 0; at < lower.length;) {
    const unit = lower.charCodeAt(at);
    if (!isWordUnit(unit)) {
      pending = Math.max(pending, breakAt(lower, at, unit));
      at += 1;
      continue;
    }
    const from = at;
    at = wordEnd(lower, at);
    start.push(from);
    end.push(at);
    before.push(pending);
    word.push(lower.slice(from, at));
    pending = Break.none;
  }
  return { count: word.length, word, start, end, before };
}

function wordEnd(lower: string, from: number): number {
  let at = from + 1;
  for (; at < lower.length; at += 1) {
    const unit = lower.charCodeAt(at);
    if (isWordUnit(unit)) continue;
    // An apostrophe inside of a word belongs to it: don't.
    if (unit === 39 && isWordUnit(lower.charCodeAt(at + 1)) && at + 1 < lower.length) continue;
    break;
  }
  return at;
}

function breakAt(lower: string, at: number, unit: number): number {
  if (unit >= 128)
    return unit === 0x3002 || unit === 0xff01 || unit === 0xff1f || unit === 0x2026 ? Break.hard : Break.soft;
  const kind = KIND[unit];
  if (kind === 2) return JOINS.has(unit) ? Break.none : Break.soft;
  const next = lower.charCodeAt(at + 1);
  if (kind === 3) return isWordUnit(next) && at + 1 < lower.length ? Break.none : Break.hard;
  if (kind === 4) return next === 10 || next === 32 || next === 9 ? Break.hard : Break.soft;
  return Break.none;
}
