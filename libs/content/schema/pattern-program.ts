import type { PatternNode } from './pattern-tree.js';

/** RE2 refuses a repetition whose nested counts multiply to more than this. */
const MAX_REPEAT = 1000;
/** Compiling a Unicode class costs about as much as this many instructions. */
const UNICODE_CLASS_SIZE = 100;

/** How many code points a node matches: at least, and at most (perhaps infinitely many). */
export function lengthOf(node: PatternNode): { readonly min: number; readonly max: number } {
  switch (node.kind) {
    case 'set':
      return { min: 1, max: 1 };
    case 'assert':
    case 'look':
      return { min: 0, max: 0 };
    case 'sequence': {
      const lengths = node.nodes.map(lengthOf);
      return { min: total(lengths.map(({ min }) => min)), max: total(lengths.map(({ max }) => max)) };
    }
    case 'choice': {
      const lengths = node.nodes.map(lengthOf);
      return { min: Math.min(...lengths.map(({ min }) => min)), max: Math.max(...lengths.map(({ max }) => max)) };
    }
    case 'repeat': {
      const { min, max } = lengthOf(node.node);
      return { min: min * node.min, max: max === 0 || node.max === 0 ? 0 : max * node.max };
    }
  }
}

/** Instructions that a node compiles to, estimated from above; infinitely many for a look-around, which RE2 lacks. */
export function sizeOf(node: PatternNode): number {
  switch (node.kind) {
    case 'set':
      return 1 + UNICODE_CLASS_SIZE * (node.members.match(/\\[pP]/g)?.length ?? 0);
    case 'assert':
      return 1;
    case 'look':
      return Infinity;
    case 'sequence':
      return total(node.nodes.map(sizeOf));
    case 'choice':
      return node.nodes.length + total(node.nodes.map(sizeOf));
    case 'repeat': {
      const size = sizeOf(node.node);
      const optional = node.max === Infinity ? Number(node.min === 0) : node.max - node.min;
      return 1 + node.min * size + optional * (size + 1);
    }
  }
}

/** A node without look-around in the syntax of RE2. */
export function re2Of(node: PatternNode): string {
  switch (node.kind) {
    case 'set':
      return classOf(node);
    case 'assert':
      return node.re2;
    case 'look':
      throw new Error('RE2 has no look-around');
    case 'sequence':
      return node.nodes.map((each) => (each.kind === 'choice' ? `(?:${re2Of(each)})` : re2Of(each))).join('');
    case 'choice':
      return node.nodes.map(re2Of).join('|');
    case 'repeat':
      return repeatOf(`(?:${re2Of(node.node)})`, node, Math.floor(MAX_REPEAT / largestRepeat(node.node)));
  }
}

function classOf({ members, negate, fold }: Extract<PatternNode, { kind: 'set' }>): string {
  // RE2 has no empty class.
  if (members === '') return negate ? String.raw`[\x{0}-\x{10FFFF}]` : String.raw`[^\x{0}-\x{10FFFF}]`;
  const written = `[${negate ? '^' : ''}${members}]`;
  return fold ? `(?i:${written})` : written;
}

/**
 * `X{2500}` as `X{1000}X{1000}X{500}`; `X{5,2500}` as a required part and an optional part, each split in the same way.
 */
function repeatOf(atom: string, { min, max }: { min: number; max: number }, most: number): string {
  if (max === Infinity && min <= 1) return `${atom}${min === 0 ? '*' : '+'}`;
  const parts = chunks(min, most).map((count) => `${atom}{${count}}`);
  if (max === Infinity) return `${parts.join('')}${atom}*`;
  return [...parts, ...chunks(max - min, most).map((count) => `${atom}{0,${count}}`)].join('');
}

function chunks(count: number, most: number): number[] {
  const whole = Array.from({ length: Math.floor(count / most) }, () => most);
  return count % most === 0 ? whole : [...whole, count % most];
}

/** The largest product of nested counts. */
function largestRepeat(node: PatternNode): number {
  if (node.kind === 'sequence' || node.kind === 'choice') return Math.max(1, ...node.nodes.map(largestRepeat));
  if (node.kind !== 'repeat') return 1;
  const own = Math.min(MAX_REPEAT, Math.max(1, node.min, node.max === Infinity ? 0 : node.max - node.min));
  // A nested repetition is split too, so that it stays within the limit of RE2.
  return Math.min(MAX_REPEAT, own * largestRepeat(node.node));
}

export const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
