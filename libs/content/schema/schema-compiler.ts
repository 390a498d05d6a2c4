import { _, Ajv2020, type KeywordCxt } from 'ajv/dist/2020.js';
import { canonicalJson, type Json } from '../../kernel/canonical-json.js';
import { isMultipleOf } from './decimal.js';
import { patternSteps, readPattern, type Pattern } from './pattern.js';
import { PROTO_NAME, PROTO_PATTERN, STEP_KEYWORD, UNEVALUATED_KEYWORD } from './schema-plan.js';

/** How `multipleOf` is decided: on decimal digits, or on doubles. Each decider says which. */
export type Multiples = 'digits' | 'doubles';

/** Counts the work of one validation at a time. */
export interface Steps {
  left: number;
  take(steps: number): void;
}

/**
 * A compiler for one schema: it keeps every pattern and function that it ever made, so it is discarded with its schema.
 * `verbose` leads an error back to its schema; the values that it adds to errors never leave this file.
 */
export function compilerFor(patterns: ReadonlyMap<string, Pattern>, steps: Steps, multiples: Multiples): Ajv2020 {
  const ajv = new Ajv2020({
    meta: false,
    validateSchema: false,
    strict: false,
    ownProperties: true,
    inlineRefs: false,
    allErrors: false,
    messages: false,
    verbose: true,
    logger: false,
    validateFormats: false,
    // Code that names each name would take seconds to make for long lists of names.
    loopRequired: 8,
    code: {
      optimize: false,
      regExp: Object.assign((source: string) => counted(source, patterns, steps), { code: 're2' }),
    },
  });
  // One function for all places: making the code takes quadratic time in the functions that it refers to.
  const step = (data: Json, weight: number): void => steps.take(weight + sizeOf(data));
  ajv.addKeyword({
    keyword: STEP_KEYWORD,
    before: '$ref',
    schemaType: 'number',
    code({ gen, data, schema }: KeywordCxt) {
      gen.code(_`${gen.scopeValue('func', { ref: step })}(${data}, ${schema as number})`);
    },
  });
  addOwnKeywords(ajv, steps);
  if (multiples === 'digits') addMultipleOf(ajv, steps);
  // The compiler collects evaluated names in plain objects, where `constructor` looks like one of them.
  ajv.addKeyword({
    keyword: UNEVALUATED_KEYWORD,
    type: 'object',
    schemaType: 'array',
    errors: false,
    validate: (declared: string[], data: object) =>
      Object.keys(data).every((name) => !(name in Object.prototype) || declared.includes(name)),
  });
  return ajv;
}

/** Members and sixteenths of characters that the keywords of one schema may look at. */
function sizeOf(data: Json): number {
  if (typeof data === 'string') return data.length >> 4;
  if (typeof data !== 'object' || data === null) return 0;
  return Array.isArray(data) ? data.length : Object.keys(data).length;
}

/**
 * The compiler caches patterns by `String(regExp)`: without a text of its own for each, all patterns of a schema would
 * be the first one, and bad values would pass.
 */
function counted(source: string, patterns: ReadonlyMap<string, Pattern>, steps: Steps) {
  const pattern = patterns.get(source) ?? ourOwn(source);
  const test = (text: string): boolean => {
    steps.take(patternSteps(pattern, text));
    return pattern.test(text);
  };
  return { test, toString: () => `re2:${source}` };
}

function ourOwn(source: string): Pattern {
  const read = source === PROTO_NAME || source === PROTO_PATTERN ? readPattern(source) : undefined;
  const pattern = read?.ok === true ? read.value.compile() : undefined;
  if (pattern?.ok !== true) throw new Error('a pattern that was not vetted');
  return pattern.value;
}

/** A division of decimal digits takes about as long as this many other steps. */
const MULTIPLE_STEPS = 16;

/** `multipleOf` on decimal digits: the compiler divides doubles. */
function addMultipleOf(ajv: Ajv2020, steps: Steps): void {
  ajv.removeKeyword('multipleOf');
  ajv.addKeyword({
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    errors: false,
    validate(step: number, data: number) {
      steps.take(MULTIPLE_STEPS);
      return isMultipleOf(data, step);
    },
  });
}

/**
 * `enum`, `const` and `uniqueItems` by canonical form: linear where the compiler's own are quadratic, and right for
 * members called `constructor` or `valueOf`. `dependentRequired` without code for each of its names.
 */
function addOwnKeywords(ajv: Ajv2020, steps: Steps): void {
  const formOf = (data: Json): string => {
    const form = canonicalJson(data);
    steps.take(form.length >> 3);
    return form;
  };
  const enumForms = new WeakMap<readonly Json[], ReadonlySet<string>>();
  const formsOf = (allowed: readonly Json[]): ReadonlySet<string> => {
    const forms = enumForms.get(allowed) ?? new Set(allowed.map((value) => canonicalJson(value)));
    enumForms.set(allowed, forms);
    return forms;
  };
  for (const keyword of ['enum', 'const', 'uniqueItems', 'dependentRequired']) ajv.removeKeyword(keyword);
  ajv.addKeyword({
    keyword: 'enum',
    schemaType: 'array',
    errors: false,
    validate: (allowed: Json[], data: Json) => formsOf(allowed).has(formOf(data)),
  });
  ajv.addKeyword({
    keyword: 'const',
    errors: false,
    validate: (allowed: Json, data: Json) => formOf(allowed) === formOf(data),
  });
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    validate: (unique: boolean, data: Json[]) => !unique || new Set(data.map(formOf)).size === data.length,
  });
  ajv.addKeyword({
    keyword: 'dependentRequired',
    type: 'object',
    schemaType: 'object',
    errors: false,
    validate: (lists: Record<string, string[]>, data: object) =>
      Object.keys(lists).every(
        (name) => !Object.hasOwn(data, name) || lists[name]?.every((needed) => Object.hasOwn(data, needed)),
      ),
  });
}
