import { returnedLevel } from '../capability/returned-level.js';
import type { CapabilityState, MaybeCapability, VersionState } from '../capability/state.js';
import { validateResponse, type Searching, type ValidatedResponse } from '../content/response.js';
import { rulesOf } from '../content/search-rules.js';
import { Envelope, type Finding } from '../content/shapes.js';
import { operationsOf, requestText } from '../decision-point/call-context.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import { compareServer } from '../decision/server-identity.js';
import { canonicalJson, isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { families } from '../streams/catalogue.js';
import type { Attempt } from './attempts.js';
import type { Contents } from './contents.js';
import type { History } from './history.js';

/**
 * - `same`: verdict, findings and envelope come out as recorded.
 * - `differs`: they do not, or the content is not what the record committed to.
 * - `unchecked`: the record does not hold what the verdict rested on (a limit of the service, the time, a directive, an
 *   operation of a version that the log does not show), its content is gone, or this build lacks the rules that searched
 *   it.
 */
export type ResponseSameness = 'same' | 'differs' | 'unchecked';

/** Findings about something other than the content: limits of the service, the time, directives, chance. */
const isOutside = ({ detector }: Finding): boolean =>
  /^(caps|directives|response)(\/|$)|^envelope\/boundary$/.test(detector);

/** Nothing is too large here: the limits of then are not recorded, and the content was within them. */
const NO_LIMITS = { maxBytes: Infinity, maxDepth: 1024, maxParts: Infinity };

/** The rules that validated responses of the first decider are not recorded apart from it. */
const FIRST_WITH_RULES = 2;

/** Validates a recorded response again, by its content and the version that the call names. */
export async function validatedAgain(
  engines: DecisionEngines,
  history: History,
  contents: Contents,
  attempt: Attempt,
): Promise<ResponseSameness | undefined> {
  const { decided, response } = attempt;
  if (response === undefined) return undefined;
  const { verdict, findings, commitments } = response.validated;
  if (findings.some(isOutside) || decided.engines.decider < FIRST_WITH_RULES) return 'unchecked';
  const content = await contents.of(response.event, decided.taskId, commitments);
  if (typeof content === 'string') return content === 'damaged' ? 'differs' : 'unchecked';
  const { raw, validated } = content.parts;
  const envelope = validated === undefined ? undefined : Envelope.safeParse(validated);
  if (!isJsonObject(raw) || envelope?.success === false || (verdict !== 'rejected') !== (validated !== undefined))
    return 'differs';
  const stream = families.capability.stream(decided.capability);
  const { state } = await history.at<CapabilityState | undefined>(stream, decided.basis[stream] ?? 0);
  const version = state?.versions.get(decided.version ?? '');
  if (version === undefined) return 'differs';
  const search = await searchOf(history, contents, attempt, version);
  if (search === 'unchecked') return 'unchecked';
  const recorded = canonicalJson(defined({ ...toldOf(response.validated), validated }));
  const rules = { version, decided, raw, boundary: envelope?.data.boundary, searching: search?.searching };
  for (const schema of schemasOf(version, decided.operation)) {
    const loaded = schema === undefined ? undefined : { digest: schema, document: await engines.loadSchema(schema) };
    if (verdictBy(engines, rules, loaded) === recorded) return 'same';
    // A record without rules may be older than safe pointers.
    if (search === undefined && verdictBy(engines, { ...rules, hasRawPaths: true }, loaded) === recorded) return 'same';
  }
  return search?.isPartial === true ? 'unchecked' : 'differs';
}

/** The parts of a verdict that are compared. */
const toldOf = ({
  verdict,
  findings,
  leftOut,
  handling,
  label,
}: Pick<ValidatedResponse, 'verdict' | 'leftOut' | 'handling' | 'label'> & {
  readonly findings: readonly Finding[];
}) => ({
  verdict,
  findings,
  leftOut,
  handling,
  label,
});

interface Search {
  readonly searching: Searching;
  /** A version of the task cannot be read, so some of its operations are not known. */
  readonly isPartial: boolean;
}

/** The search that judged the response. Undefined if it was not searched. */
async function searchOf(
  history: History,
  contents: Contents,
  { event, decided, response }: Attempt,
  version: VersionState,
): Promise<Search | 'unchecked' | undefined> {
  const engines = response?.validated.engines;
  if (engines === undefined) return undefined;
  const rules = rulesOf(engines);
  const [opened] = await history.events(families.task.stream(decided.taskId));
  const task = opened && (await contents.ofTask(opened, decided.taskId));
  const asked = await contents.of(event, decided.taskId, decided.commitments);
  if (rules === undefined || opened === undefined || task === undefined) return 'unchecked';
  if (typeof task === 'string' || typeof asked === 'string') return 'unchecked';
  const { pins } = families.task.fold([opened]) ?? {};
  if (pins === undefined) return 'unchecked';
  const capabilities = new Map<string, MaybeCapability>();
  for (const id of pins.keys()) capabilities.set(id, await wholeState(history, id));
  const isPartial = [...pins.values()].some((pin) => !capabilities.get(pin.capability)?.versions.has(pin.version));
  const operations = operationsOf(pins, (id) => capabilities.get(id));
  const context = { operations, request: requestText(task.purpose, asked.parts) };
  const handling = response?.validated.handling ?? 'quote';
  const level = returnedLevel(version, decided.operation);
  return { searching: { rules, context, handling, level }, isPartial };
}

/** The last states of capabilities, by the history of a request: a history that goes back and forth folds them again. */
const lastStates = new WeakMap<History, Map<string, MaybeCapability>>();

/** A capability with every version that the log shows. Versions never change. */
async function wholeState(history: History, id: string): Promise<MaybeCapability> {
  const known = lastStates.get(history) ?? new Map<string, MaybeCapability>();
  lastStates.set(history, known);
  if (known.has(id)) return known.get(id);
  const stream = families.capability.stream(id);
  const events = await history.events(stream);
  const { state } = await history.at<MaybeCapability>(stream, events.length);
  known.set(id, state);
  return state;
}

/** An exception from enforcing a schema may have changed between the call and its response: then both are possible. */
function schemasOf({ operations }: VersionState, operation: string): (Digest | undefined)[] {
  const facts = ownValue(operations, operation);
  return facts?.unenforced?.output === undefined ? [facts?.output] : [undefined, facts.output];
}

interface Rules {
  readonly version: VersionState;
  readonly decided: Attempt['decided'];
  readonly raw: JsonObject;
  readonly boundary: string | undefined;
  readonly searching: Searching | undefined;
  readonly hasRawPaths?: true;
}

function verdictBy(
  { validator }: DecisionEngines,
  { version, decided, raw, boundary, searching, hasRawPaths }: Rules,
  schema: { readonly digest: Digest; readonly document: Json } | undefined,
): string {
  const { capability, operation, observed } = decided;
  const { method } = observed.server;
  const server = { method, result: compareServer(version.server, observed.server) };
  const [result, error] = [ownValue(raw, 'result'), ownValue(raw, 'error')];
  const validated = validateResponse(
    defined({
      source: { capability, version: version.version, operation, server },
      result: isJsonObject(result) ? result : undefined,
      error: isJsonObject(error) ? error : undefined,
      outputSchema: schema && { digest: schema.digest, load: () => schema.document },
      limits: NO_LIMITS,
      validator,
      boundarySeed: () => boundary ?? '0'.repeat(32),
      searching,
      hasRawPaths,
    }),
  );
  return canonicalJson(defined({ ...toldOf(validated), validated: validated.content }));
}
