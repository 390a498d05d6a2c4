import { RegExpParser, type AST } from '@eslint-community/regexpp';
import { err, ok, type Result } from '../../kernel/result.js';
import { propertyMembers } from '../envelope/unicode-names.js';

/** A regular expression of ECMA-262 without capture groups: what is left decides only whether a text matches. */
export type PatternNode =
  /** One code point: `members` is the inside of an RE2 class. `fold` ignores the case. */
  | { readonly kind: 'set'; readonly members: string; readonly negate: boolean; readonly fold: boolean }
  | { readonly kind: 'assert'; readonly re2: '^' | '\\z' | '\\b' | '\\B' }
  | { readonly kind: 'look'; readonly ahead: boolean; readonly negate: boolean; readonly body: PatternNode }
  | { readonly kind: 'sequence'; readonly nodes: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly nodes: readonly PatternNode[] }
  /** `max` is infinite for an open repetition. */
  | { readonly kind: 'repeat'; readonly min: number; readonly max: number; readonly node: PatternNode };

/** White space and line ends of ECMA-262 (`\s`), and what is neither a line feed, CR, U+2028 nor U+2029 (`.`). */
const SPACE = String.raw`\x{9}-\x{D}\x{20}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}`;
const NO_SPACE = String.raw`\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{FEFE}\x{FF00}-\x{10FFFF}`;
const DOT = String.raw`\x{0}-\x{9}\x{B}\x{C}\x{E}-\x{2027}\x{202A}-\x{10FFFF}`;
const ANYTHING = String.raw`\x{0}-\x{10FFFF}`;

const [FIRST_SURROGATE, LAST_SURROGATE] = [0xd800, 0xdfff];

class Unsupported extends Error {}

/**
 * Reads a pattern as JSON Schema asks for it: ECMA-262 in Unicode mode. A pattern that only the older mode accepts
 * (`\_`, a brace alone, `[\w-.]`) is read so if both modes agree on everything else in it. Forms of other dialects have
 * the meaning that they have there: a leading `(?i)` or `(?s)`, `(?P<name>…)`, and `\A` and `\z` for start and end.
 * The source is attacker-controlled: its length is bounded by the caller.
 */
export function parsePattern(source: string): Result<PatternNode, string> {
  const own = source
    .replace(/\\[^]|\[(?:\\[^]|[^\]\\])*\]|\(\?P</g, (part) => (part === '(?P<' ? '(?<' : part))
    .replace(/^\(\?([is]{1,2})\)([^]*)$/, '(?$1:$2)');
  try {
    return ok(nodeOf(parsed(own, true) ?? older(own), { fold: false, dotAll: false }));
  } catch (error) {
    return err(error instanceof Unsupported ? error.message : 'a pattern that cannot be read');
  }
}

function parsed(source: string, unicode: boolean): AST.Pattern | undefined {
  try {
    return new RegExpParser({ ecmaVersion: 2025 }).parsePattern(source, 0, source.length, { unicode });
  } catch {
    return undefined;
  }
}

/** The pattern in the older mode, if it holds nothing that Unicode mode reads otherwise. */
function older(source: string): AST.Pattern {
  const pattern = /[\ud800-\udfff]|\\u[dD][89a-fA-F]/.test(source) ? undefined : parsed(source, false);
  if (pattern === undefined) throw new Unsupported('a pattern with a syntax error');
  return pattern;
}

type Member = AST.CharacterClassElement | AST.CharacterSet;

interface Modifiers {
  readonly fold: boolean;
  readonly dotAll: boolean;
}

function nodeOf(node: AST.Pattern | AST.Alternative | AST.Element, modifiers: Modifiers): PatternNode {
  switch (node.type) {
    case 'Pattern':
    case 'CapturingGroup':
      return choice(node.alternatives.map((each) => nodeOf(each, modifiers)));
    case 'Group': {
      const within = modified(modifiers, node.modifiers);
      return choice(node.alternatives.map((each) => nodeOf(each, within)));
    }
    case 'Alternative':
      return sequence(node.elements.map((each) => nodeOf(each, modifiers)));
    case 'Assertion':
      return assertionOf(node, modifiers);
    case 'Quantifier': {
      if (node.element.type === 'Assertion') throw new Unsupported('a repeated look-ahead');
      return { kind: 'repeat', min: node.min, max: node.max, node: nodeOf(node.element, modifiers) };
    }
    case 'Character':
      if (node.raw === '\\A') return { kind: 'assert', re2: '^' };
      if (node.raw === '\\z') return { kind: 'assert', re2: '\\z' };
      return oneOf([node], false, modifiers);
    case 'CharacterSet':
      return oneOf([node], false, modifiers);
    case 'CharacterClass':
      return oneOf(node.elements, node.negate, modifiers);
    case 'Backreference':
      throw new Unsupported('a back-reference');
    case 'ExpressionCharacterClass':
      throw new Unsupported('a class with set operations');
  }
}

function oneOf(elements: readonly Member[], negate: boolean, modifiers: Modifiers): PatternNode {
  const members = elements.map((each) => memberOf(each, modifiers)).join('');
  return { kind: 'set', members, negate, fold: modifiers.fold };
}

function modified(modifiers: Modifiers, change: AST.Modifiers | null): Modifiers {
  if (change === null) return modifiers;
  const { add, remove } = change;
  if (add.multiline || remove?.multiline === true) throw new Unsupported('the modifier m');
  return {
    fold: (modifiers.fold || add.ignoreCase) && remove?.ignoreCase !== true,
    dotAll: (modifiers.dotAll || add.dotAll) && remove?.dotAll !== true,
  };
}

function assertionOf(node: AST.Assertion, modifiers: Modifiers): PatternNode {
  switch (node.kind) {
    case 'start':
      return { kind: 'assert', re2: '^' };
    case 'end':
      return { kind: 'assert', re2: '\\z' };
    case 'word':
      return { kind: 'assert', re2: node.negate ? '\\B' : '\\b' };
    default: {
      const body = choice(node.alternatives.map((each) => nodeOf(each, modifiers)));
      return { kind: 'look', ahead: node.kind === 'lookahead', negate: node.negate, body };
    }
  }
}

function memberOf(node: Member, { dotAll }: Modifiers): string {
  switch (node.type) {
    case 'Character':
      return range(codeOf(node), codeOf(node));
    case 'CharacterClassRange':
      return range(codeOf(node.min), codeOf(node.max));
    case 'CharacterSet':
      break;
    default:
      throw new Unsupported('a class with set operations');
  }
  switch (node.kind) {
    case 'any':
      return dotAll ? ANYTHING : DOT;
    case 'digit':
      return node.negate ? '\\D' : '\\d';
    case 'word':
      return node.negate ? '\\W' : '\\w';
    case 'space':
      return node.negate ? NO_SPACE : SPACE;
    case 'property': {
      const known = ['General_Category', 'gc', 'Script', 'sc'].includes(node.key) || node.value === null;
      if (!known) throw new Unsupported('a Unicode property that is not known here');
      return propertyMembers(node.value ?? node.key, node.negate);
    }
  }
}

const CHARACTER = /^(?:[^\\]|\\(?:[^A-Za-z0-9]|[tnvfrb0]|x..|u.{4}|u\{.+\}|u.{4}\\u.{4}|c[A-Za-z]))$/su;

/** The code point of a character. The older mode reads `\a` as `a`, but a pattern from another dialect means a bell. */
function codeOf({ raw, value }: AST.Character): number {
  if (!CHARACTER.test(raw)) throw new Unsupported('an escape that is not of ECMA-262');
  return value;
}

/** Code points from one to another as members of an RE2 class. Surrogates are left out: no text holds them. */
function range(from: number, to: number): string {
  const hex = (code: number): string => `\\x{${code.toString(16)}}`;
  const part = (low: number, high: number): string => (low > high ? '' : `${hex(low)}-${hex(high)}`);
  return part(from, Math.min(to, FIRST_SURROGATE - 1)) + part(Math.max(from, LAST_SURROGATE + 1), to);
}

/** Nodes one after the other, with the sequences among them spread out. */
export function sequence(nodes: readonly PatternNode[]): PatternNode {
  const flat = nodes.flatMap((node) => (node.kind === 'sequence' ? node.nodes : [node]));
  const [first] = flat;
  return flat.length === 1 && first !== undefined ? first : { kind: 'sequence', nodes: flat };
}

export function choice(nodes: readonly PatternNode[]): PatternNode {
  const [first] = nodes;
  return nodes.length === 1 && first !== undefined ? first : { kind: 'choice', nodes };
}
