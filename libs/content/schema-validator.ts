import { _, Ajv2020, type ErrorObject, type KeywordCxt } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { canonicalJson, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { digestOf, type Digest } from '../kernel/digest.js';
import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import { err, ok, type Result } from '../kernel/result.js';
import { boundedPointer } from './bounded-pointer.js';
import { isMultipleOf } from './decimal.js';
import { patternSteps, readPattern, type Pattern } from './pattern.js';
import { planSchema, PROTO_NAME, PROTO_PATTERN, STEP_KEYWORD, UNEVALUATED_KEYWORD } from './schema-plan.js';
import { readSchema } from './schema-vetting.js';

/**
 * Why a value did not pass: codes and pointers, never a value. `path` leads into the value, `schemaPath` into the schema
 * as the server wrote it; both are cut at 256 characters. `keyword` is JSON Schema's, or one of `false_schema` (a schema
 * that is `false`), `schema_refused` (vetting said no), `steps_exceeded` (validating would take too long) and
 * `exception` (anything unexpected, a schema of another digest included).
 */
export interface SchemaError {
  readonly path: JsonPointer;
  readonly keyword: string;
  readonly schemaPath: JsonPointer;
  /** The member that is missing at the path, or whose name is not allowed there; at most 64 characters. */
  readonly member?: string;
}

export interface SchemaValidator {
  /**
   * Validates a value against the schema of a digest (`digestOf`). `loadSchema` is called only if the schema is not
   * compiled yet. The value's depth bounds the recursion, so the caller has to bound it.
   */
  validate(schemaDigest: Digest, loadSchema: () => Json, value: Json): Result<void, readonly SchemaError[]>;
}

/** How `multipleOf` is decided: on decimal digits, or on doubles. Each decider says which. */
export type Multiples = 'digits' | 'doubles';

type Failures = readonly SchemaError[];
type Validate = (value: Json) => Failures | undefined;

/** Enough for the alternatives of honest schemas. */
const MAX_ERRORS = 256;
/** About a second of hostile work at worst; honest values need a thousandth of it. */
const DEFAULT_MAX_STEPS = 5_000_000;

/**
 * Validates JSON against JSON Schemas that servers wrote: hostile input on both sides. A schema is vetted and rewritten
 * before it is compiled (`schema-vetting.ts`, `schema-plan.ts`). At most `maxCompiled` compiled schemas are kept; the
 * least recently used one is dropped. `format` is an annotation, as 2020-12 has it by default.
 *
 * A recursive schema can make even a small value take exponential time, and a clock would make a decision unrepeatable.
 * So each application of a subschema, and each character that a pattern reads, is counted, and `maxSteps` of them
 * refuse the value. Every failure is an error, never a pass.
 */
export function createSchemaValidator(options: {
  maxCompiled: number;
  maxSteps?: number;
  multiples?: Multiples;
}): SchemaValidator {
  const { maxSteps = DEFAULT_MAX_STEPS, multiples = 'digits' } = options;
  const compiled = new LRUCache<Digest, Validate>({ max: options.maxCompiled });

  function validatorOf(schemaDigest: Digest, loadSchema: () => Json): Validate {
    const known = compiled.get(schemaDigest);
    if (known !== undefined) return known;
    const validate = compile(schemaDigest, loadSchema(), maxSteps, multiples);
    compiled.set(schemaDigest, validate);
    return validate;
  }

  return {
    validate(schemaDigest, loadSchema, value) {
      try {
        const failures = validatorOf(schemaDigest, loadSchema)(value);
        return failures === undefined ? ok(undefined) : err(failures);
      } catch (thrown) {
        return err([failure(thrown instanceof StepsExceeded ? 'steps_exceeded' : 'exception', '')]);
      }
    },
  };
}

const failure = (keyword: string, schemaPath: JsonPointer): SchemaError => ({ path: '', keyword, schemaPath });

class StepsExceeded extends Error {
  override readonly name = 'StepsExceeded';
}

/** Counts the work of one validation at a time. */
interface Steps {
  left: number;
  take(steps: number): void;
}

/**
 * Throws on a wrong digest and if the compiler throws. A refused schema compiles to a function that refuses every
 * value.
 */
function compile(schemaDigest: Digest, schema: Json, maxSteps: number, multiples: Multiples): Validate {
  // Otherwise a wrong digest of one caller would plant a wrong schema, or a refusal, for all callers.
  if (digestOf(schema) !== schemaDigest) throw new Error('a schema of another digest');
  const vetted = readSchema(schema);
  if (!vetted.ok) {
    const refused = [failure('schema_refused', boundedPointer(vetted.error.path))];
    return () => refused;
  }
  const steps: Steps = {
    left: 0,
    take(count) {
      this.left -= count;
      if (this.left < 0) throw new StepsExceeded();
    },
  };
  const plan = planSchema(vetted.value);
  const check = compilerFor(vetted.value.patterns, steps, multiples).compile(plan.schema);
  return (value) => {
    steps.left = maxSteps;
    // Anything except `true` is a failure: a promise would be truthy.
    const passed: unknown = check(value);
    if (passed === true) return undefined;
    const errors = (check.errors ?? []).slice(0, MAX_ERRORS).map((error) => schemaErrorOf(error, plan.pathOf));
    check.errors = null;
    return errors;
  };
}

function schemaErrorOf(error: ErrorObject, pathOf: WeakMap<object, JsonPointer>): SchemaError {
  const holder: unknown = error.parentSchema;
  const place = typeof holder === 'object' && holder !== null ? pathOf.get(holder) : undefined;
  const keyword = KEYWORD_NAMES.get(error.keyword) ?? error.keyword;
  const member = memberOf(error);
  return defined({
    path: boundedPointer(error.instancePath),
    keyword,
    member,
    schemaPath: place === undefined ? '' : boundedPointer(place + pointerTo(keyword)),
  });
}

/** A longer name is not repeated: it is the caller's, and may be content. */
const MAX_NAME_CHARS = 64;

/** The member that an error of an object is about: one that is missing, or one whose name is not allowed. */
function memberOf({ params, propertyName }: ErrorObject): string | undefined {
  const told = params as Readonly<Record<string, unknown>>;
  const name = told['missingProperty'] ?? told['additionalProperty'] ?? told['unevaluatedProperty'] ?? propertyName;
  return typeof name === 'string' && name.length <= MAX_NAME_CHARS ? name : undefined;
}

/** The compiler's names for keywords that we name differently. */
const KEYWORD_NAMES: ReadonlyMap<string, string> = new Map([
  [UNEVALUATED_KEYWORD, 'unevaluatedProperties'],
  ['false schema', 'false_schema'],
]);

/**
 * A compiler for one schema: it keeps every pattern and function that it ever made, so it is discarded with its schema.
 * `verbose` leads an error back to its schema; the values that it adds to errors never leave this file.
 */
function compilerFor(patterns: ReadonlyMap<string, Pattern>, steps: Steps, multiples: Multiples): Ajv2020 {
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
