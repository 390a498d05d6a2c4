import type { ErrorObject } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import type { Json } from '../../kernel/canonical-json.js';
import { defined } from '../../kernel/defined.js';
import { digestOf, type Digest } from '../../kernel/digest.js';
import { pointerTo, type JsonPointer } from '../../kernel/pointer.js';
import { err, ok, type Result } from '../../kernel/result.js';
import { boundedPointer } from '../bounded-pointer.js';
import { compilerFor, type Multiples, type Steps } from './schema-compiler.js';
import { planSchema, UNEVALUATED_KEYWORD } from './schema-plan.js';
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
