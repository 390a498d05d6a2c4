import { createRequire } from 'node:module';
import type { CedarValueJson, DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import { canonicalJson, isJsonObject, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { digestOfBytes, type Digest } from '../kernel/digest.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { ApprovalGrade, Effect, Level } from '../vocabulary/words.js';
import { approvalBy, gradeOf, type PolicyApproval, type PolicyGrades } from './approvals.js';
import { readsOf, type Readable } from './reads.js';
import { isSign, policyStarts, tokensOf, unitsOf } from './tokens.js';

/** One instance of the engine, with its own memory. */
export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

const CEDAR_MODULE = '@cedar-policy/cedar-wasm/nodejs';
const require = createRequire(import.meta.url);

/** A new instance. After a failure inside an instance, its memory can no longer be trusted. */
export function freshCedar(): Cedar {
  delete require.cache[require.resolve(CEDAR_MODULE)];
  return require(CEDAR_MODULE) as Cedar;
}

export const MAX_POLICIES = 2000;

/** One question to a policy set: may this user do this with one effect of one operation? */
export interface AuthorityRequest {
  readonly user: { readonly id: string; readonly roles: readonly string[]; readonly attributes: JsonObject };
  readonly effect: Effect;
  readonly capability: string;
  readonly category: string;
  readonly operation: string;
  readonly context: {
    readonly purpose: string;
    readonly agent: string;
    readonly host: string;
    readonly sensitivity: Level;
    readonly arguments: JsonObject;
  };
}

/** `determining` names policies by their `@id`, else by `policy<n>` in order of the text; sorted. */
export interface AuthorityAnswer {
  readonly outcome: 'allow' | 'deny' | 'error';
  readonly determining: readonly string[];
  /** The approval that the determining permits ask for. Absent if none does. */
  readonly approval?: PolicyApproval;
}

/** A policy set that parses. */
interface ParsedPolicies {
  /** Texts by id, in the form that Cedar takes. */
  readonly texts: Readonly<Record<string, string>>;
  /** The same policies in Cedar's JSON policy format. */
  readonly json: readonly Json[];
  /** The grades of `@approval`, by id. */
  readonly grades: PolicyGrades;
}

/** The reason why a text is not a policy set, in Cedar's own words, and the first UTF-16 unit of the faulty part. */
export interface PolicyFault {
  readonly message: string;
  readonly at: number;
}

/** Parses a policy set's text. */
export function parsePolicies(cedar: Cedar, text: string): Result<ParsedPolicies, readonly PolicyFault[]> {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') return err(parts.errors.map((error) => faultOf(text, error)));
  const tokens = tokensOf(text);
  if (parts.policy_templates.length > 0) {
    const at = tokens.find((token) => isSign(token, '?'))?.at ?? 0;
    return err([{ message: 'templates cannot be linked here; write the policies out', at }]);
  }
  const starts = policyStarts(tokens);
  if (parts.policies.length > MAX_POLICIES) {
    return err([{ message: `more than ${MAX_POLICIES} policies`, at: starts[MAX_POLICIES] ?? 0 }]);
  }
  const texts = Object.create(null) as Record<string, string>;
  const json: Json[] = [];
  const grades = new Map<string, ApprovalGrade>();
  // Cedar hands them back in the order of its own ids as texts: policy0, policy1, policy10, …
  const numbers = parts.policies.map((_, index) => index).sort((a, b) => (String(a) < String(b) ? -1 : 1));
  const ordered = parts.policies.map((policy, place) => ({ policy, index: numbers[place] ?? 0 }));
  for (const { policy, index } of ordered.sort((a, b) => a.index - b.index)) {
    const parsed = cedar.policyToJson(policy);
    const at = starts[index] ?? 0;
    if (parsed.type === 'failure') return err(parsed.errors.map(({ message }) => ({ message, at })));
    const id = parsed.json.annotations?.['id'] ?? `policy${index}`;
    if (Object.hasOwn(texts, id)) return err([{ message: `two policies have the @id ${JSON.stringify(id)}`, at }]);
    texts[id] = policy;
    const written: object = parsed.json;
    json.push(written as Json);
    const grade = gradeOf(written as Json);
    if (grade !== undefined) grades.set(id, grade);
  }
  const checked = cedar.checkParsePolicySet({ staticPolicies: texts });
  return checked.type === 'success'
    ? ok({ texts, json, grades })
    : err(checked.errors.map(({ message }) => ({ message, at: 0 })));
}

function faultOf(text: string, { message, sourceLocations }: DetailedError): PolicyFault {
  return { message, at: unitsOf(text)(sourceLocations?.[0]?.start ?? 0) };
}

/** The facts about a set after its preparation. */
interface Prepared {
  /** The parts of a question that it can see. */
  readonly reads: ReadonlySet<Readable>;
  readonly grades: PolicyGrades;
}

/** Prepares a set for evaluation under a name. Throws if the text does not parse. */
export function preparePolicies(cedar: Cedar, name: string, text: string): Prepared {
  const policies = parsePolicies(cedar, text);
  if (!policies.ok) throw new Error('the policy set does not parse');
  const prepared = cedar.preparsePolicySet(name, { staticPolicies: policies.value.texts });
  if (prepared.type === 'failure') throw new Error('the policy set does not parse');
  return { reads: readsOf(policies.value.json), grades: policies.value.grades };
}

/** User attributes and arguments as Cedar values. Undefined if they hold a key that data must not contain. */
function contentOf({ user, context }: AuthorityRequest, nulls: Nulls): CedarContent | undefined {
  const attributes = toCedar(user.attributes, nulls);
  const argumentsRecord = toCedar(context.arguments, nulls);
  if (!attributes.ok || !argumentsRecord.ok) return undefined;
  return { attributes: attributes.value as CedarContent['attributes'], arguments: argumentsRecord.value };
}

interface CedarContent {
  readonly attributes: Record<string, CedarValueJson>;
  readonly arguments: CedarValueJson;
}

const ERROR: AuthorityAnswer = { outcome: 'error', determining: [] };

const NO_GRADES: PolicyGrades = new Map();

/** Asks a prepared set. Throws errors from inside the engine, after which its memory may be corrupt. */
export function askPolicies(
  cedar: Cedar,
  set: string,
  request: AuthorityRequest,
  nulls: Nulls = 'shown',
  grades = NO_GRADES,
): AuthorityAnswer {
  const content = contentOf(request, nulls);
  if (content === undefined) return ERROR;
  const user = { type: 'User', id: request.user.id };
  const resource = { type: 'Operation', id: `${request.capability}/${request.operation}` };
  const capability = { type: 'Capability', id: request.capability };
  const category = { type: 'Category', id: request.category };
  const roles = request.user.roles.map((id) => ({ type: 'Role', id }));
  const answer = cedar.statefulIsAuthorized({
    principal: user,
    action: { type: 'Action', id: request.effect },
    resource,
    context: { ...request.context, arguments: content.arguments },
    preparsedPolicySetId: set,
    entities: [
      { uid: user, attrs: content.attributes, parents: roles },
      { uid: resource, attrs: {}, parents: [capability] },
      { uid: capability, attrs: {}, parents: [category] },
    ],
  });
  if (answer.type === 'failure') return ERROR;
  const { decision, diagnostics } = answer.response;
  const determining = [...diagnostics.reason].sort();
  const outcome = diagnostics.errors.length > 0 ? 'error' : decision;
  const approval = outcome === 'allow' ? approvalBy(determining, grades) : undefined;
  return approval === undefined ? { outcome, determining } : { outcome, determining, approval };
}

/** Answers kept for each policy set. Above this limit, all are dropped: that is quick and takes no memory. */
const MAX_REMEMBERED = 50_000;
/** Longer questions are stored by their digest. Roles and attributes come from the caller, up to 170 kB of them. */
const MAX_QUESTION_CHARS = 512;

interface PreparedSet extends Prepared {
  readonly text: string;
  /** Answers by everything that the set can see of a question. */
  readonly remembered: Map<string, AuthorityAnswer>;
}

/**
 * Evaluates policy sets by the digest of their text. A set is parsed once, and Cedar keeps it for the life of its
 * instance. So memory grows with the number of distinct sets ever used, which reviewers bound. `evaluate` remembers
 * each answer by exactly the parts that the set can see, unless the set can see the arguments.
 */
export class PolicyEngine {
  private cedar = freshCedar();
  /** Cedar's version, as records name it. */
  readonly version: string = this.cedar.getCedarSDKVersion();
  private readonly sets = new Map<Digest, PreparedSet>();
  /** Sets that this instance of Cedar has prepared. */
  private readonly prepared = new Set<Digest>();

  knows(set: Digest): boolean {
    return this.sets.has(set);
  }

  /** Throws if the text does not parse. The text was vetted when it was proposed, so the store must be broken. */
  load(set: Digest, text: string): void {
    try {
      const prepared = preparePolicies(this.cedar, set, text);
      this.prepared.add(set);
      if (!this.sets.has(set)) this.sets.set(set, { text, ...prepared, remembered: new Map() });
    } catch (error) {
      this.renew();
      throw error;
    }
  }

  private renew(): void {
    this.cedar = freshCedar();
    this.prepared.clear();
  }

  /**
   * Denies by default. A forbid wins over a permit, and any error denies, even if a policy allows. Never throws. A
   * request that breaks the engine (by a stack overflow inside it) is an error for that request alone. The next request
   * gets a fresh instance.
   */
  evaluate(set: Digest, request: AuthorityRequest): AuthorityAnswer {
    const known = this.sets.get(set);
    if (known === undefined || known.reads.has('arguments')) return this.ask(set, request);
    if (contentOf(request, 'shown') === undefined) return ERROR;
    const { reads, remembered } = known;
    const question = questionOf(request, reads);
    const earlier = remembered.get(question);
    if (earlier !== undefined) return earlier;
    const answer = this.ask(set, request);
    // An error may come from parts that the set does not read, such as content that breaks the engine.
    if (answer.outcome !== 'error') {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(question, answer);
    }
    return answer;
  }

  /** Gets the same answer from Cedar itself: it neither reads nor writes remembered answers. Never throws. */
  ask(set: Digest, request: AuthorityRequest, nulls: Nulls = 'shown'): AuthorityAnswer {
    const known = this.sets.get(set);
    if (known === undefined) return ERROR;
    try {
      if (!this.prepared.has(set)) this.load(set, known.text);
      return askPolicies(this.cedar, set, request, nulls, known.grades);
    } catch {
      this.renew();
      return ERROR;
    }
  }
}

/** The parts of a question that a set can see, as one short text. */
function questionOf(
  { user, effect, capability, category, operation, context }: AuthorityRequest,
  reads: ReadonlySet<Readable>,
): string {
  const text = JSON.stringify([
    effect,
    capability,
    category,
    operation,
    user.id,
    user.roles,
    reads.has('attributes') ? user.attributes : 0,
    reads.has('purpose') ? context.purpose : 0,
    reads.has('agent') ? context.agent : 0,
    reads.has('host') ? context.host : 0,
    reads.has('sensitivity') ? context.sensitivity : 0,
  ]);
  return text.length <= MAX_QUESTION_CHARS ? text : digestOfBytes(text);
}

/** Keys that Cedar's JSON reads as an entity or an extension value. Data must never contain them. */
const ESCAPES = new Set(['__entity', '__extn', '__expr']);

/** Whether a policy sees a null as the empty record, or does not see it. Each decider says which. */
export type Nulls = 'shown' | 'hidden';

/**
 * Converts attacker-controlled data to a Cedar value, member by member: a policy sees everything that is sent. A null
 * becomes the empty record, and a number that is not an i64 becomes its JCS text. So does an integer beyond 2^53: its
 * JCS text is rounded, and Cedar would read another integer than the double holds.
 */
export function toCedar(value: Json, nulls: Nulls = 'shown'): Result<CedarValueJson, 'escape'> {
  if (value === null) return ok({});
  if (typeof value === 'number') return ok(Number.isSafeInteger(value) ? value : canonicalJson(value));
  if (typeof value !== 'object') return ok(value);
  if (!isJsonObject(value)) {
    const items: CedarValueJson[] = [];
    for (const item of value) {
      if (item === null && nulls === 'hidden') continue;
      const converted = toCedar(item, nulls);
      if (!converted.ok) return converted;
      items.push(converted.value);
    }
    return ok(items);
  }
  const entries: [string, CedarValueJson][] = [];
  for (const [key, member] of Object.entries(value)) {
    if (ESCAPES.has(key)) return err('escape');
    if (member === null && nulls === 'hidden') continue;
    const converted = toCedar(member, nulls);
    if (!converted.ok) return converted;
    entries.push([key, converted.value]);
  }
  return ok(Object.fromEntries(entries) as Record<string, CedarValueJson>);
}
