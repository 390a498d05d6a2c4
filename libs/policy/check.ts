import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { Effect } from '../vocabulary/words.js';
import { wrongApprovals } from './approvals.js';
import { parsePolicies, type Cedar, type PolicyFault } from './cedar.js';
import { formOf } from './forms.js';
import { CONTEXT_ATTRIBUTES, POLICY_SCHEMA } from './schema.js';
import { isName, isSign, placeOf, tokensOf, unitsOf, type Place, type Token } from './tokens.js';

/** A fault of a policy set, with its place. The message is one line and may quote names of the text. */
export interface PolicyFinding extends Place {
  readonly message: string;
}

/** A finding as one line. */
export const findingText = ({ line, column, message }: PolicyFinding): string =>
  `line ${line}, column ${column}: ${message}`;

/** A name that a policy set expects to find in the registry. `Operation` ids are `<capability>/<operation>`. */
export interface ExpectedName {
  readonly type: 'Capability' | 'Operation' | 'Category';
  readonly id: string;
  /** The first UTF-16 unit of its first mention. */
  readonly at: number;
}

export interface CheckedPolicies {
  /** The first errors by their place. Empty if the set may be proposed. */
  readonly errors: readonly PolicyFinding[];
  /** In order of place, each name once. */
  readonly names: readonly ExpectedName[];
}

/** Limit of findings in an answer. Finding each place costs a walk over the text. */
const MAX_FINDINGS = 50;
const MAX_MESSAGE_CHARS = 300;

/**
 * Checks a policy set against the schema: it must parse, and name only actions, entity types and attributes of
 * `context` that exist, and grades of `@approval` that exist. The text is not trusted. Throws errors from inside the engine.
 */
export function checkPolicies(cedar: Cedar, text: string): CheckedPolicies {
  const parsed = parsePolicies(cedar, text);
  if (!parsed.ok) return { errors: findingsOf(text, parsed.error), names: [] };
  const tokens = tokensOf(text);
  const { json } = parsed.value;
  const faults = [...unknownTerms(cedar, text), ...unknownAttributes(json, tokens), ...wrongApprovals(json, tokens)];
  return { errors: findingsOf(text, faults), names: expectedNames(tokens) };
}

/** The first faults by their place. */
export function findingsOf(text: string, faults: readonly PolicyFault[]): PolicyFinding[] {
  const first = [...faults].sort((a, b) => a.at - b.at).slice(0, MAX_FINDINGS);
  return first.map(({ message, at }) => ({ message: message.slice(0, MAX_MESSAGE_CHARS), ...placeOf(text, at) }));
}

/** The start of the validator's messages; the ids of policies are Cedar's own. */
const UNKNOWN = /^for policy `policy\d+`, unrecognized (action|entity type) `/;
const WORDS: Readonly<Record<string, string>> = {
  action: `the actions are ${Effect.options.map((effect) => `Action::"${effect}"`).join(', ')}`,
  'entity type': `the entity types are ${Object.keys(POLICY_SCHEMA['']?.entityTypes ?? {}).join(', ')} and Action`,
};

/** Actions and entity types that are not in the schema, as Cedar's validator finds them. */
function unknownTerms(cedar: Cedar, text: string): PolicyFault[] {
  const answer = cedar.validate({ schema: POLICY_SCHEMA, policies: { staticPolicies: text } });
  if (answer.type === 'failure') throw new Error('the schema or the policies do not parse');
  const unitOf = unitsOf(text);
  return answer.validationErrors.flatMap(({ error }) => {
    const kind = UNKNOWN.exec(error.message)?.[1];
    if (kind === undefined) return [];
    const { start = 0, end = 0 } = error.sourceLocations?.[0] ?? {};
    const [at, past] = [unitOf(start), unitOf(end)];
    const term = text.slice(at, past).replaceAll(/\s+/g, ' ');
    return [{ message: `unknown ${kind} ${term}; ${WORDS[kind] ?? ''}`, at }];
  });
}

const KNOWN_ATTRIBUTES: ReadonlySet<string> = new Set(CONTEXT_ATTRIBUTES);

/** Attributes of `context` that no question has. Cedar's JSON gives the names, and the tokens give the places. */
function unknownAttributes(policies: readonly Json[], tokens: readonly Token[]): PolicyFault[] {
  const unknown = new Set<string>();
  for (const policy of policies) collectAttributes(policy, unknown);
  if (unknown.size === 0) return [];
  const accesses = Map.groupBy(accessesOf(tokens), ({ name }) => name);
  return [...unknown].flatMap((name) => {
    const named = accesses.get(name) ?? [{ at: 0, ofContext: false }];
    const direct = named.filter(({ ofContext }) => ofContext);
    const message = `unknown attribute ${JSON.stringify(name)} of context, which has ${CONTEXT_ATTRIBUTES.join(', ')}`;
    return (direct.length > 0 ? direct : named.slice(0, 1)).map(({ at }) => ({ message, at }));
  });
}

function collectAttributes(node: Json, unknown: Set<string>): void {
  if (typeof node !== 'object' || node === null) return;
  const form = formOf(node);
  if (form?.form === 'attribute' && mayBeContext(form.left)) {
    const [name = ''] = form.path;
    if (!KNOWN_ATTRIBUTES.has(name)) unknown.add(name);
  }
  for (const part of Object.values<Json>(node)) collectAttributes(part, unknown);
}

/** Whether an expression may evaluate to `context`: the variable, a branch of an `if`, or a member of a record. */
function mayBeContext(node: Json): boolean {
  const form = formOf(node);
  if (form?.form === 'variable') return form.name === 'context';
  if (form?.form === 'attribute') {
    const record = isJsonObject(form.left) ? ownValue(form.left, 'Record') : undefined;
    const member = isJsonObject(record) ? ownValue(record, form.path[0] ?? '') : undefined;
    return form.path.length === 1 && member !== undefined && mayBeContext(member);
  }
  const branches = isJsonObject(node) ? ownValue(node, 'if-then-else') : undefined;
  return isJsonObject(branches) && ['then', 'else'].some((branch) => mayBeContext(ownValue(branches, branch) ?? null));
}

interface Access {
  readonly name: string;
  readonly at: number;
  /** Whether the attribute belongs to the variable `context`. */
  readonly ofContext: boolean;
}

/** Every place that may name an attribute: after `.`, in brackets, after `has`. */
function accessesOf(tokens: readonly Token[]): Access[] {
  return tokens.flatMap((token, index) => {
    const opens = isSign(token, '.') || isSign(token, '[') || isName(token, 'has');
    const named = tokens[index + 1];
    if (!opens || named === undefined || named.kind === 'sign') return [];
    return [{ name: named.text, at: named.at, ofContext: endsInContext(tokens, index) }];
  });
}

/** Whether the tokens before `end` end in the variable `context`, with or without parentheses. */
function endsInContext(tokens: readonly Token[], end: number): boolean {
  let last = end - 1;
  while (isSign(tokens[last], ')')) last -= 1;
  const before = tokens[last - 1];
  return isName(tokens[last], 'context') && !isSign(before, '.') && !isSign(before, '::') && !isName(before, 'has');
}

const REGISTERED: ReadonlySet<string> = new Set<ExpectedName['type']>(['Capability', 'Operation', 'Category']);

function expectedNames(tokens: readonly Token[]): ExpectedName[] {
  const seen = new Set<string>();
  return tokens.flatMap(({ kind, text, at }, index) => {
    const id = tokens[index + 2];
    const isEntity = kind === 'name' && isSign(tokens[index + 1], '::') && id?.kind === 'string';
    if (!isEntity || !REGISTERED.has(text) || isSign(tokens[index - 1], '::')) return [];
    const key = `${text} ${id.text}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ type: text as ExpectedName['type'], id: id.text, at }];
  });
}
