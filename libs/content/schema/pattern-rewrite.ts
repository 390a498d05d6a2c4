import { lengthOf, sizeOf, total } from './pattern-program.js';
import { sequence, type PatternNode } from './pattern-tree.js';

/** The conditions for a text to match a pattern: programs without look-around, and lengths in code points. */
export type Condition =
  | { readonly kind: 'program'; readonly node: PatternNode }
  | { readonly kind: 'length'; readonly min: number; readonly max: number }
  | { readonly kind: 'not'; readonly condition: Condition }
  | { readonly kind: 'all' | 'any'; readonly conditions: readonly Condition[] };

/** The most alternatives that are tried, after the text before a look-ahead has been spelled out. */
const MAX_BRANCHES = 16;
/** Look-arounds within look-arounds. */
const MAX_NESTED = 3;
/** A repetition that needs more instructions than this is bounded by the length of the text, if that means the same. */
const SMALL_SIZE = 64;

type Repeat = Extract<PatternNode, { kind: 'repeat' }>;
type Look = Extract<PatternNode, { kind: 'look' }>;
type Branch = readonly PatternNode[];

const START: PatternNode = { kind: 'assert', re2: '^' };
const END: PatternNode = { kind: 'assert', re2: '\\z' };
const isStart = (node: PatternNode | undefined): boolean => node?.kind === 'assert' && node.re2 === '^';
const isEnd = (node: PatternNode | undefined): boolean => node?.kind === 'assert' && node.re2 === '\\z';
const isLook = (node: PatternNode): node is Look => node.kind === 'look';

/**
 * Rewrites a pattern into conditions that together mean the same. A look-ahead that is always the same number of code
 * points after the start becomes a further pattern that must (or must not) match from the start; a look-behind at such
 * a place before the end likewise. Undefined if a look-around is anywhere else.
 */
export function conditionOf(node: PatternNode, nested = 0): Condition | undefined {
  if (!hasLook(node)) return withoutLook(node);
  if (nested > MAX_NESTED) return undefined;
  const tempered = temperedParts(node);
  if (tempered !== undefined) {
    const condition = conditionOf(tempered.never, nested + 1);
    if (condition === undefined) return undefined;
    return { kind: 'all', conditions: [withoutLook(tempered.all), { kind: 'not', condition }] };
  }
  const conditions: Condition[] = [];
  for (const branch of branchesOf(node) ?? [undefined]) {
    const condition = branch === undefined ? undefined : conditionOfBranch(branch, nested);
    if (condition === undefined) return undefined;
    conditions.push(condition);
  }
  return { kind: 'any', conditions };
}

/** `^(?:(?!never)all)*$`: a text of `all` in which `never` does not occur. */
function temperedParts(node: PatternNode): { readonly all: PatternNode; readonly never: PatternNode } | undefined {
  if (node.kind !== 'sequence' || node.nodes.length !== 3) return undefined;
  const [first, repeat, last] = node.nodes;
  if (!isStart(first) || !isEnd(last) || repeat?.kind !== 'repeat' || repeat.node.kind !== 'sequence') return undefined;
  const [look, one, ...more] = repeat.node.nodes;
  if (look?.kind !== 'look' || !look.ahead || !look.negate || one?.kind !== 'set' || more.length > 0) return undefined;
  // An empty match is also possible at the end, where nothing tests for it.
  if (lengthOf(look.body).min === 0) return undefined;
  return { all: sequence([START, { ...repeat, node: one }, END]), never: look.body };
}

function conditionOfBranch(branch: Branch, nested: number): Condition | undefined {
  const conditions: Condition[] = [];
  const plain = branch.filter((node) => !isLook(node));
  const demand = (look: Look, nodes: Branch): boolean => {
    const condition = conditionOf(sequence(nodes), nested + 1);
    if (condition !== undefined) conditions.push(look.negate ? { kind: 'not', condition } : condition);
    return condition !== undefined;
  };
  for (const [index, node] of branch.entries()) {
    if (!isLook(node)) {
      if (hasLook(node)) return undefined;
      continue;
    }
    const before = branch.slice(0, index).filter((each) => !isLook(each));
    const after = branch.slice(index + 1).filter((each) => !isLook(each));
    // `(?=a)^b` tests at the start too.
    const atStart = isStart(before[0]) || (before.length === 0 && isStart(after[0]));
    const fixed = node.ahead ? atStart && isFixed(before) : isEnd(after.at(-1)) && isFixed(after);
    if (!fixed) return undefined;
    if (!demand(node, node.ahead ? [START, ...before, node.body] : [node.body, ...after, END])) return undefined;
  }
  const rest = withoutLook(sequence(plain));
  return { kind: 'all', conditions: [rest, ...conditions] };
}

const isFixed = (nodes: Branch): boolean => {
  const { min, max } = lengthOf(sequence(nodes));
  return min === max;
};

/**
 * The alternatives of a pattern as lists. Every choice and short repetition that holds a look-around, or that leaves
 * the place of one open, is spelled out. Undefined if there are too many.
 */
function branchesOf(node: PatternNode): readonly Branch[] | undefined {
  const done: Branch[] = [];
  const open: Branch[] = [[node]];
  for (let branch = open.pop(); branch !== undefined; branch = open.pop()) {
    const nodes = branch;
    const index = nodes.findIndex((each, at) => opensUp(each, nodes, at));
    const spelt = nodes[index];
    if (spelt === undefined) done.push(nodes);
    else for (const one of spellingsOf(spelt)) open.push([...nodes.slice(0, index), ...one, ...nodes.slice(index + 1)]);
    if (open.length + done.length > MAX_BRANCHES) return undefined;
  }
  return done;
}

function opensUp(node: PatternNode, branch: Branch, at: number): boolean {
  if (spellingsOf(node).length === 0) return false;
  if (node.kind === 'sequence' || hasLook(node)) return true;
  const { min, max } = lengthOf(node);
  if (min === max) return false;
  return (
    branch.slice(at + 1).some((each) => isLook(each) && each.ahead) ||
    branch.slice(0, at).some((each) => isLook(each) && !each.ahead)
  );
}

function spellingsOf(node: PatternNode): readonly Branch[] {
  if (node.kind === 'sequence') return [node.nodes];
  if (node.kind === 'choice') return node.nodes.map((each) => [each]);
  if (node.kind !== 'repeat' || node.max - node.min > 3 || node.max > 8) return [];
  const times = (count: number): Branch => Array.from({ length: count }, () => node.node);
  return Array.from({ length: node.max - node.min + 1 }, (_, more) => times(node.min + more));
}

function hasLook(node: PatternNode): boolean {
  switch (node.kind) {
    case 'look':
      return true;
    case 'sequence':
    case 'choice':
      return node.nodes.some(hasLook);
    case 'repeat':
      return hasLook(node.node);
    default:
      return false;
  }
}

/** A node without look-around: a program, whose long repetitions are left to the length of the text if they can be. */
function withoutLook(node: PatternNode): Condition {
  if (sizeOf(node) <= SMALL_SIZE) return { kind: 'program', node };
  if (node.kind === 'choice') return { kind: 'any', conditions: node.nodes.map(withoutLook) };
  const nodes = node.kind === 'sequence' ? node.nodes : [node];
  const long = nodes.filter((each) => each.kind === 'repeat' && sizeOf(each) > SMALL_SIZE);
  const [repeat] = long as Repeat[];
  if (repeat === undefined || long.length > 1) return { kind: 'program', node };
  const replaced = (by: PatternNode): PatternNode => sequence(nodes.map((each) => (each === repeat ? by : each)));
  // The end of the text is open here, so further characters cannot matter.
  if (repeat === nodes[0] || repeat === nodes.at(-1)) {
    return { kind: 'program', node: replaced({ ...repeat, max: repeat.min }) };
  }
  const atom = lengthOf(repeat.node);
  const around = lengthOf(sequence(nodes.filter((each) => each !== repeat)));
  if (
    !isStart(nodes[0]) ||
    !isEnd(nodes.at(-1)) ||
    atom.min !== atom.max ||
    atom.min === 0 ||
    around.min !== around.max
  )
    return { kind: 'program', node };
  const conditions: Condition[] = [
    { kind: 'program', node: replaced({ kind: 'repeat', min: 0, max: Infinity, node: repeat.node }) },
    { kind: 'length', min: around.min + atom.min * repeat.min, max: around.min + atom.min * repeat.max },
  ];
  return { kind: 'all', conditions };
}

/** Instructions of all programs of a condition together, estimated from above. */
export function conditionSize(condition: Condition): number {
  switch (condition.kind) {
    case 'program':
      return 1 + sizeOf(condition.node);
    case 'length':
      return 1;
    case 'not':
      return conditionSize(condition.condition);
    default:
      return total(condition.conditions.map(conditionSize));
  }
}
