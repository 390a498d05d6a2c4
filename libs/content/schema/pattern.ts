import { RE2JS } from 're2js';
import { err, ok, type Result } from '../../kernel/result.js';
import { re2Of, total } from './pattern-program.js';
import { conditionOf, conditionSize, type Condition } from './pattern-rewrite.js';
import { parsePattern } from './pattern-tree.js';

/** A regular expression that RE2 runs: no backtracking, so no text makes it explode. */
export interface Pattern {
  readonly source: string;
  /** Instructions of the compiled programs together. */
  readonly size: number;
  /** Whether the pattern matches anywhere in the text. */
  test(text: string): boolean;
}

/** A pattern that was read, and what compiling it will cost. */
export interface ReadPattern {
  /** Instructions, estimated from above. */
  readonly size: number;
  compile(): Result<Pattern, string>;
}

const MAX_SOURCE_LENGTH = 1000;
/** Beyond this many instructions one step of the automaton becomes slow: up to 70 ns an instruction and character. */
const MAX_SIZE = 5000;
/** RE2 runs programs of at most this size without falling back to its slowest engine. */
const SMALL_SIZE = 64;
/** A character of the source costs about an eighth of an instruction to read. */
const CHARS_PER_INSTRUCTION = 8;

/**
 * Reads an attacker-controlled `pattern` or key of `patternProperties` in time that is linear in its length. It has the
 * meaning of ECMA-262 in Unicode mode; `pattern-tree.ts` names the extensions, and `pattern-rewrite.ts` the
 * look-arounds that are supported. Refused: more than 1,000 characters, repetitions that unroll to more than 5,000
 * instructions, back-references and all other look-arounds. The error text is ours and quotes nothing.
 */
export function readPattern(source: string): Result<ReadPattern, string> {
  if (source.length > MAX_SOURCE_LENGTH) return err('a pattern that is too long');
  const parsed = parsePattern(source);
  if (!parsed.ok) return parsed;
  const condition = conditionOf(parsed.value);
  if (condition === undefined) return err('a look-ahead or look-behind that cannot be rewritten');
  const size = conditionSize(condition) + Math.ceil(source.length / CHARS_PER_INSTRUCTION);
  if (size > MAX_SIZE) return err('a pattern that repeats too much');
  return ok({
    size,
    compile() {
      const programs: RE2JS[] = [];
      try {
        const test = testOf(condition, programs);
        return ok({ source, size: total(programs.map((program) => program.programSize())), test });
      } catch {
        return err('a pattern that RE2 does not compile');
      }
    },
  });
}

function testOf(condition: Condition, programs: RE2JS[]): Pattern['test'] {
  switch (condition.kind) {
    case 'program': {
      const program = RE2JS.compile(re2Of(condition.node));
      programs.push(program);
      return (text) => program.test(text);
    }
    case 'length':
      return (text) => isOfLength(text, condition);
    case 'not': {
      const test = testOf(condition.condition, programs);
      return (text) => !test(text);
    }
    case 'all': {
      const tests = condition.conditions.map((each) => testOf(each, programs));
      return (text) => tests.every((test) => test(text));
    }
    case 'any': {
      const tests = condition.conditions.map((each) => testOf(each, programs));
      return (text) => tests.some((test) => test(text));
    }
  }
}

/** Lengths count code points, as a pattern in Unicode mode does. */
function isOfLength(text: string, { min, max }: { readonly min: number; readonly max: number }): boolean {
  let length = 0;
  for (const _ of text) length += 1;
  return length >= min && length <= max;
}

/** Steps that one test of a text is charged, about 70 to 300 ns each at worst. */
export function patternSteps(pattern: Pattern, text: string): number {
  return text.length * (pattern.size <= SMALL_SIZE ? 4 : Math.ceil(pattern.size / 4)) + 1;
}
