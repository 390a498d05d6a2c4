import { ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import type { JsonPointer } from '../kernel/pointer.js';
import { depthOf } from '../kernel/strict-json.js';
import { boundedPointer } from './bounded-pointer.js';
import { liftAsDeclared, liftBytes } from './bytes.js';
import { buildEnvelope, type EnvelopeInput } from './envelope/envelope.js';
import { partsOf, type RawPart } from './envelope/parts.js';
import type { SchemaValidator } from './schema/schema-validator.js';
import type { CallContext } from './instructions/finding.js';
import type { SearchEngines, SearchRules } from './search-rules.js';
import { declaredNames, safePointer } from './safe-pointer.js';
import { findingOf, MAX_FINDINGS, searchParts } from './search.js';
import { refusing, type ContentLabel, type Envelope, type FindingKind, type NewFinding } from './shapes.js';
import { tellingErrors } from './schema/telling-errors.js';
import { higher } from '../vocabulary/levels.js';
import type { Handling } from '../vocabulary/quarantine.js';
import type { Level, ResponseVerdict } from '../vocabulary/words.js';

/** Findings that a result's schema can bring. */
const MAX_SCHEMA_FINDINGS = 16;

export interface ResponseLimits {
  /** Of the response as JSON in UTF-8. */
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxParts: number;
}

/** The rules of the search, and the handling of a response that holds an instruction. */
export interface Searching {
  readonly rules: SearchRules;
  readonly context: CallContext;
  readonly handling: Handling;
  /** The level of the operation's responses, before anything is found in them. */
  readonly level: Level;
}

export interface ResponseInput extends EnvelopeInput {
  /** The pinned output schema of the operation, if it declares one. */
  readonly outputSchema?: { readonly digest: Digest; readonly load: () => Json } | undefined;
  /** Size of the response as JSON in UTF-8, if it is known. */
  readonly bytes?: number;
  readonly limits: ResponseLimits;
  readonly validator: SchemaValidator;
  /** Absent for a response that was recorded before responses were searched. */
  readonly searching?: Searching | undefined;
  /** The record that is validated again is older than safe pointers. */
  readonly hasRawPaths?: boolean | undefined;
}

export interface ValidatedResponse {
  readonly verdict: ResponseVerdict;
  /** The content that the agent may get, a held one after its release. Absent exactly if the verdict is `rejected`. */
  readonly content?: Envelope | undefined;
  /** The same as RFC 8785 text. */
  readonly contentText?: string | undefined;
  readonly findings: readonly NewFinding[];
  /** How many further findings there are. */
  readonly leftOut?: number | undefined;
  /** Present if the response holds an instruction. */
  readonly handling?: Handling | undefined;
  /** Present if the response was searched, as `engines` is. */
  readonly label?: Readonly<ContentLabel> | undefined;
  readonly engines?: SearchEngines | undefined;
}

type Check = (input: ResponseInput) => readonly NewFinding[];

/** In order; the first that finds something refuses the response. */
const CHECKS: readonly Check[] = [checkShape, checkDepth, checkBytes, checkOutputSchema];

/**
 * Validates a server's response, which is untrusted from every server: caps, then the pinned output schema, then the
 * search of every text, then cleaning and the envelope. Any failure, including an exception, refuses the whole response:
 * verdict `rejected`, its findings, no content. Findings hold codes and pointers into `{result}` or `{error}` (the pointer
 * starts inside of it), never content: `*` replaces a name that a server chose. A tool's own error (`isError`) and a JSON-RPC error need not match the output schema.
 */
export function validateResponse(input: ResponseInput): ValidatedResponse {
  const validated = validatedAsFound(input);
  if (input.hasRawPaths === true || validated.findings.every(({ path }) => path === '')) return validated;
  const names = namesOf(input);
  const findings = validated.findings.map((each) => ({ ...each, path: safePointer(each.path, names) }));
  return { ...validated, findings };
}

/** The names of the pinned schema; none if it cannot be loaded. */
function namesOf({ outputSchema }: ResponseInput): ReadonlySet<string> {
  try {
    return outputSchema === undefined ? NO_NAMES : declaredNames(outputSchema.load());
  } catch {
    return NO_NAMES;
  }
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** The same, with the names in pointers as the server chose them. */
function validatedAsFound(input: ResponseInput): ValidatedResponse {
  try {
    for (const check of CHECKS) {
      const findings = check(input);
      if (findings.length > 0) return { verdict: 'rejected', findings };
    }
    const parts = partsOf(input, input.searching === undefined ? liftAsDeclared : liftBytes);
    if (parts.length > input.limits.maxParts) return rejected('cap', 'caps/too_many_parts');
    return input.searching === undefined ? unsearched(input, parts) : searched(input, parts, input.searching);
  } catch {
    return rejected('failure', 'response/exception');
  }
}

function unsearched(input: ResponseInput, parts: readonly RawPart[]): ValidatedResponse {
  const envelope = buildEnvelope(input, parts);
  if (!envelope.ok) return { verdict: 'rejected', findings: [envelope.error] };
  const { envelope: content, text: contentText } = envelope.value;
  return { verdict: 'accepted', content, contentText, findings: [] };
}

/** Severity `high` quarantines, `low` marks its span, `info` counts. */
function searched(input: ResponseInput, parts: readonly RawPart[], searching: Searching): ValidatedResponse {
  const { rules, context, handling, level } = searching;
  const found = searchParts(parts, rules, context);
  const isQuarantined = found.hits.some(({ severity }) => severity === 'high');
  const kept = found.hits.slice(0, MAX_FINDINGS);
  const told = defined({
    findings: kept.map(findingOf),
    leftOut: found.hits.length === kept.length ? undefined : found.hits.length - kept.length,
    handling: isQuarantined ? handling : undefined,
    label: { level: higher(found.level ?? level, level), categories: found.categories },
    engines: { instructions: rules.instructions.digest, pack: rules.pack.digest },
  });
  if (isQuarantined && handling === 'refuse') return { verdict: 'rejected', ...told };
  const hits = found.hits.filter(({ severity }) => severity !== 'info');
  const envelope = buildEnvelope(input, parts, {
    isQuarantined,
    hits,
    named: Math.min(hits.length, kept.length),
  });
  if (!envelope.ok) return { verdict: 'rejected', findings: [envelope.error] };
  const { envelope: content, text: contentText } = envelope.value;
  return { verdict: isQuarantined ? 'quarantined' : 'accepted', content, contentText, ...told };
}

const rejected = (kind: FindingKind, detector: string): ValidatedResponse => ({
  verdict: 'rejected',
  findings: [refusing(kind, detector)],
});

const mismatch = (keyword: string, path: JsonPointer): NewFinding =>
  refusing('schema', `output_schema/${keyword}`, boundedPointer(path));

const bodyOf = (input: ResponseInput): JsonObject | undefined => input.result ?? input.error;

function checkShape(input: ResponseInput): readonly NewFinding[] {
  return (input.result === undefined) === (input.error === undefined)
    ? [refusing('failure', 'response/malformed')]
    : [];
}

/** Before anything else recurses into the response. */
function checkDepth(input: ResponseInput): readonly NewFinding[] {
  const { maxDepth } = input.limits;
  return depthOf(bodyOf(input), maxDepth) > maxDepth ? [refusing('cap', 'caps/too_deep')] : [];
}

function checkBytes(input: ResponseInput): readonly NewFinding[] {
  const bytes = input.bytes ?? Buffer.byteLength(JSON.stringify(bodyOf(input)));
  return bytes > input.limits.maxBytes ? [refusing('cap', 'caps/too_large')] : [];
}

function checkOutputSchema({ result, outputSchema, validator }: ResponseInput): readonly NewFinding[] {
  if (outputSchema === undefined || result === undefined || ownValue(result, 'isError') === true) return [];
  const structured = ownValue(result, 'structuredContent');
  // The schema of a result that is not an MCP tool's (a skill's, a plugin's) describes the result itself.
  const isToolResult = structured !== undefined || Array.isArray(ownValue(result, 'content'));
  if (isToolResult && structured === undefined) return [mismatch('missing', '/structuredContent')];
  const valid = validator.validate(outputSchema.digest, outputSchema.load, structured ?? result);
  if (valid.ok) return [];
  const at = isToolResult ? '/structuredContent' : '';
  return tellingErrors(valid.error, MAX_SCHEMA_FINDINGS).map(({ path, keyword }) => mismatch(keyword, `${at}${path}`));
}
