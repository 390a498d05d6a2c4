import { RegExpParser, type AST } from '@eslint-community/regexpp';

/**
 * The most steps that a backtracking engine takes for one attempt of a pattern at one place, from above. A repetition that
 * is followed by something that can begin as its own element does may be left at several places, and the rest of the
 * pattern is tried at each. Throws on what RE2 lacks (look-around, back-references), and on repetitions without a limit.
 */
export function costOf(pattern: string): number {
  return disjunction(new RegExpParser({ ecmaVersion: 2024 }).parsePattern(pattern).alternatives, NOTHING).cost;
}

/** Characters by their codes; the last place is for all that are not ASCII. */
type Members = readonly boolean[];
const ASCII = 128;
const NOTHING: Members = Array.from({ length: ASCII + 1 }, () => false);

interface Part {
  /** The characters that it can begin with. */
  readonly first: Members;
  readonly isNullable: boolean;
  /** Steps from its begin on, with every way through it. */
  readonly cost: number;
  /** The number of places at which it can end. */
  readonly ways: number;
}

const union = (one: Members, other: Members): Members => one.map((is, code) => is || other[code] === true);
const meets = (one: Members, other: Members): boolean => one.some((is, code) => is && other[code] === true);

function disjunction(alternatives: readonly AST.Alternative[], follow: Members): Part {
  const parts = alternatives.map(({ elements }) => sequence(elements, follow));
  return {
    first: parts.map(({ first }) => first).reduce(union, NOTHING),
    isNullable: parts.some(({ isNullable }) => isNullable),
    cost: parts.reduce((sum, { cost }) => sum + cost, 0),
    // Alternatives that begin differently cannot both match.
    ways: parts.some((part, at) => parts.slice(at + 1).some((other) => meets(part.first, other.first)))
      ? parts.reduce((sum, { ways }) => sum + ways, 0)
      : Math.max(...parts.map(({ ways }) => ways)),
  };
}

function sequence(elements: readonly AST.Element[], follow: Members): Part {
  let rest: Part = { first: follow, isNullable: true, cost: 0, ways: 1 };
  for (const element of elements.toReversed()) {
    const part = partOf(element, rest.first);
    rest = {
      first: part.isNullable ? union(part.first, rest.first) : part.first,
      isNullable: part.isNullable && rest.isNullable,
      cost: part.cost + part.ways * rest.cost,
      ways: part.ways * rest.ways,
    };
  }
  return rest;
}

function partOf(element: AST.Element, follow: Members): Part {
  switch (element.type) {
    case 'Character':
    case 'CharacterClass':
    case 'CharacterSet':
      return { first: membersOf(element.raw), isNullable: false, cost: 1, ways: 1 };
    case 'Group':
    case 'CapturingGroup':
      return disjunction(element.alternatives, follow);
    case 'Quantifier':
      return repetition(element, follow);
    default:
      throw new Error(`RE2 lacks ${element.raw}, or a pack does not use it`);
  }
}

function repetition({ element, min, max, raw }: AST.Quantifier, follow: Members): Part {
  if (!Number.isFinite(max)) throw new Error(`a repetition without a limit: ${raw}`);
  const part = partOf(element, follow);
  // Within itself, an element is followed by itself.
  const isAmbiguous = part.ways > 1 || meets(part.first, follow);
  const ways = isAmbiguous ? (max - min + 1) * part.ways ** Math.min(max, 3) : 1;
  return { first: part.first, isNullable: min === 0 || part.isNullable, cost: part.cost * max, ways };
}

function membersOf(raw: string): Members {
  const pattern = new RegExp(`^${raw}$`, 's');
  return NOTHING.map((_, code) => pattern.test(code < ASCII ? String.fromCharCode(code) : 'é'));
}
