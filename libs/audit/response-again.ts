import type { CapabilityState, VersionState } from '../capability/state.js';
import { validateResponse } from '../content/response.js';
import { Envelope, type Finding } from '../content/shapes.js';
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
 * - `unchecked`: the record does not hold what the verdict rested on (a limit of the service, the time, a directive), or
 *   its content is gone.
 */
export type ResponseSameness = 'same' | 'differs' | 'unchecked';

/** Findings about something other than the content: limits of the service, the time, directives, chance. */
const isOutside = ({ detector, kind }: Finding): boolean =>
  detector === 'caps' || detector === 'directives' || detector === 'response' || kind === 'boundary';

/** Nothing is too large here: the limits of then are not recorded, and the content was within them. */
const NO_LIMITS = { maxBytes: Infinity, maxDepth: 1024, maxParts: Infinity };

/** The rules that validated responses of the first decider are not recorded apart from it. */
const FIRST_WITH_RULES = 2;

/** Validates a recorded response again, by its content and the version that the call names. */
export async function validatedAgain(
  engines: DecisionEngines,
  history: History,
  contents: Contents,
  { decided, response }: Attempt,
): Promise<ResponseSameness | undefined> {
  if (response === undefined) return undefined;
  const { verdict, findings, commitments } = response.validated;
  if (findings.some(isOutside) || decided.engines.decider < FIRST_WITH_RULES) return 'unchecked';
  const content = await contents.of(response.event, decided.taskId, commitments);
  if (typeof content === 'string') return content === 'damaged' ? 'differs' : 'unchecked';
  const { raw, validated } = content.parts;
  const envelope = validated === undefined ? undefined : Envelope.safeParse(validated);
  if (!isJsonObject(raw) || envelope?.success === false || (verdict === 'accepted') !== (validated !== undefined))
    return 'differs';
  const stream = families.capability.stream(decided.capability);
  const { state } = await history.at<CapabilityState | undefined>(stream, decided.basis[stream] ?? 0);
  const version = state?.versions.get(decided.version ?? '');
  if (version === undefined) return 'differs';
  const recorded = canonicalJson({ verdict, findings, validated });
  const rules = { version, decided, raw, boundary: envelope?.data.boundary };
  for (const schema of schemasOf(version, decided.operation)) {
    const loaded = schema === undefined ? undefined : { digest: schema, document: await engines.loadSchema(schema) };
    if (verdictBy(engines, rules, loaded) === recorded) return 'same';
  }
  return 'differs';
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
}

function verdictBy(
  { validator }: DecisionEngines,
  { version, decided, raw, boundary }: Rules,
  schema: { readonly digest: Digest; readonly document: Json } | undefined,
): string {
  const { capability, operation, observed } = decided;
  const { method } = observed.server;
  const server = { method, result: compareServer(version.server, observed.server) };
  const [result, error] = [ownValue(raw, 'result'), ownValue(raw, 'error')];
  const { verdict, findings, content } = validateResponse(
    defined({
      source: { capability, version: version.version, operation, server },
      result: isJsonObject(result) ? result : undefined,
      error: isJsonObject(error) ? error : undefined,
      outputSchema: schema && { digest: schema.digest, load: () => schema.document },
      limits: NO_LIMITS,
      validator,
      boundarySeed: () => boundary ?? '0'.repeat(32),
    }),
  );
  return canonicalJson({ verdict, findings, validated: content });
}
