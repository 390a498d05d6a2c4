import { textOf, tracked } from '../files.js';
import { commentsOf, paragraphsOf, sentenceLengths, textsOf, type Piece } from './extract.js';
import { TURNS, type TurnName } from './words.js';

/** Longer sentences are read twice. */
export const LONG_WORDS = 25;

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly turn: TurnName;
  readonly text: string;
}

export interface Prose {
  readonly findings: readonly Finding[];
  /** Sentences, and those with more than `LONG_WORDS` words. */
  readonly documents: Share;
  readonly comments: Share;
}

export interface Share {
  sentences: number;
  long: number;
}

/** These files hold the turns because they are about them. */
const ABOUT_PROSE = /^(test\/house\/(prose\/|plain-english)|CONTRIBUTING\.md$)/;

/** Reads the prose of every tracked document and source: documents, comments, and the texts of sources that are no tests. */
export function readProse(under = ''): Prose {
  const prose = {
    findings: [] as Finding[],
    documents: { sentences: 0, long: 0 },
    comments: { sentences: 0, long: 0 },
  };
  for (const path of tracked('.md', '.ts', '.mjs')) {
    if (!path.startsWith(under) || ABOUT_PROSE.test(path)) continue;
    const text = textOf(path);
    const isDocument = path.endsWith('.md');
    const pieces = isDocument ? paragraphsOf(text) : commentsOf(text);
    count(isDocument ? prose.documents : prose.comments, pieces);
    const isTest = path.startsWith('test/') || path.endsWith('.test.ts');
    const read = isDocument || isTest ? pieces : [...pieces, ...textsOf(text)];
    prose.findings.push(...read.flatMap((piece) => turnsIn(path, piece)));
  }
  return prose;
}

function count(share: Share, pieces: readonly Piece[]): void {
  const lengths = pieces.flatMap(({ text }) => sentenceLengths(text));
  share.sentences += lengths.length;
  share.long += lengths.filter((length) => length > LONG_WORDS).length;
}

export function turnsIn(path: string, { line, text }: Piece): Finding[] {
  const flat = text
    .replaceAll(/`[^`]*`/g, 'code')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return Object.entries(TURNS).flatMap(([turn, { pattern }]) =>
    [...flat.matchAll(pattern)].map(({ index }) => ({
      path,
      line,
      turn: turn as TurnName,
      text: flat.slice(Math.max(0, index - 40), index + 60),
    })),
  );
}

export function countByTurn(findings: readonly Finding[]): Record<TurnName, number> {
  const counts = Object.fromEntries(Object.keys(TURNS).map((turn) => [turn, 0])) as Record<TurnName, number>;
  for (const { turn } of findings) counts[turn] += 1;
  return counts;
}
