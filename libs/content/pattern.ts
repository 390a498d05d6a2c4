import { RE2JS } from 're2js';
import { err, ok, type Result } from '#libs/kernel/result.js';

/** A regular expression that RE2 runs: no backtracking, so no text makes it explode. */
export interface Pattern {
  readonly source: string;
  /** Instructions of the compiled program. */
  readonly size: number;
  /** True where the pattern matches anywhere in the text. */
  test(text: string): boolean;
}

const MAX_SOURCE_LENGTH = 1000;
/** Beyond this many instructions one step of the automaton becomes slow: up to 70 ns an instruction and character. */
const MAX_SIZE = 5000;
/** What one Unicode class costs to compile, in instructions. */
const UNICODE_CLASS_SIZE = 100;
/** RE2 runs programs of at most this size without falling back to its slowest engine. */
const SMALL_SIZE = 64;

/**
 * Compiles an attacker-controlled `pattern` or key of `patternProperties`. Refused: more than 1,000 characters, repeats
 * that unroll to more than 5,000 instructions, and whatever RE2 does not know (look-around, back-references).
 * ECMA-262 escapes `\uXXXX` and `\u{X}` are understood. Two differences from ECMA-262 stay: `\s` is ASCII white space,
 * and `.` does not exclude CR, U+2028 and U+2029.
 */
export function compilePattern(source: string): Result<Pattern, string> {
  const estimate = unrolledSize(source);
  if (estimate > MAX_SIZE) return err('a pattern that is too long or repeats too much');
  const translated = translate(source);
  if (translated === undefined) return err('a pattern with syntax that is not allowed here');
  try {
    const compiled = RE2JS.compile(translated);
    return ok({ source, size: compiled.programSize(), test: (text) => compiled.test(text) });
  } catch {
    return err('a pattern that RE2 does not compile');
  }
}

/**
 * Upper estimate of the program that a pattern unrolls to, in instructions; infinite where it is not worth compiling.
 * Compiling costs microseconds an instruction, so this is asked first. Linear in the source.
 */
export function unrolledSize(source: string): number {
  if (source.length > MAX_SOURCE_LENGTH) return Infinity;
  const outer: number[] = [];
  let size = 1;
  let atom = 0;
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at];
    if (character === '(') {
      outer.push(size);
      size = 0;
      continue;
    }
    if (character === ')') {
      atom = size + 2;
      size = (outer.pop() ?? 0) + atom;
      continue;
    }
    if (character === '{') {
      const repeat = repeatAt(source, at);
      if (repeat !== undefined) {
        size += atom * (repeat.times - 1);
        atom *= repeat.times;
        at = repeat.end;
        continue;
      }
    }
    if (character === '[') {
      const end = endOfClass(source, at);
      atom = 1 + UNICODE_CLASS_SIZE * (source.slice(at, end).match(/\\[pP]/g)?.length ?? 0);
      at = end;
    } else if (character === '\\') {
      at += 1;
      atom = source[at] === 'p' || source[at] === 'P' ? UNICODE_CLASS_SIZE : 1;
    } else if (!'*+?'.includes(character ?? '')) {
      atom = 1;
    }
    size += atom;
  }
  return outer.reduce((total, part) => total + part, size);
}

/** Steps that one test of a text is charged, about 70 to 300 ns each at worst. */
export function patternSteps(pattern: Pattern, text: string): number {
  return text.length * (pattern.size <= SMALL_SIZE ? 4 : Math.ceil(pattern.size / 4)) + 1;
}

function repeatAt(source: string, at: number): { times: number; end: number } | undefined {
  const found = /^\{(\d{1,6})(?:,(\d{0,6}))?\}/.exec(source.slice(at, at + 16));
  if (found === null) return undefined;
  const times = Math.max(Number(found[1]), Number(found[2] ?? 0), 1);
  return { times, end: at + found[0].length - 1 };
}

/** Index of the `]` that ends a class. A `]` that comes first is a character, as RE2 reads it. */
function endOfClass(source: string, at: number): number {
  let end = at + (source[at + 1] === '^' ? 2 : 1);
  if (source[end] === ']') end += 1;
  while (end < source.length && source[end] !== ']') end += source[end] === '\\' ? 2 : 1;
  return Math.min(end, source.length - 1);
}

/**
 * Rewrites the Unicode escapes of ECMA-262 to RE2's. Undefined for what the size estimate would read differently from
 * RE2 (`\Q…\E`, `[[:posix:]]`) and for escaped surrogates, which no text contains.
 */
function translate(source: string): string | undefined {
  let unsafe = source.includes('[:');
  const translated = source.replace(/\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|[^])/g, (escape, braced, four) => {
    const hex = (braced ?? four) as string | undefined;
    if (hex !== undefined) {
      const code = Number.parseInt(hex, 16);
      if (code >= 0xd800 && code <= 0xdfff) unsafe = true;
      return `\\x{${hex}}`;
    }
    if (escape === '\\Q' || escape === '\\E') unsafe = true;
    return escape;
  });
  return unsafe ? undefined : translated;
}
