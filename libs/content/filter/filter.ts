import type { JsonObject } from '../../kernel/canonical-json.js';
import { pointerTo } from '../../kernel/pointer.js';
import type { Result } from '../../kernel/result.js';
import { ArgumentFilter, isUntouched } from './arguments.js';
import { filterContext } from './context.js';
import type { DeclaredPlace } from './declared.js';
import { NO_FIELD } from './field.js';
import { neededBy } from './needed.js';
import type { Denial, Detecting, FilterInput, FilterResult, RefusalReason } from './shapes.js';
import { Notes, Redactor } from './walk.js';

/** The rules of the filter: the same for the same pack and schema. */
export interface FilterRules {
  readonly pack: Detecting;
  readonly declared: DeclaredPlace;
  /** Whether arguments match the pinned schema, if it is enforced. */
  valid(this: void, value: JsonObject): Result<void, readonly ArgumentFault[]>;
}

interface ArgumentFault {
  readonly path: string;
  readonly keyword: string;
  readonly member?: string | undefined;
}

const NOTHING_RECORDED = { redactions: [], refusals: [], labels: [], items: [] };
const NOTHING_SENT = { arguments: {}, context: [], redactions: [], refusals: [], labels: [] };

/**
 * The part of a request that may cross outwards. On arguments, in this order: what the schema does not declare is taken out, what
 * the manifest does not need is taken out, spans are redacted, values with a label above the sensitivity are taken out,
 * and what is left is searched again. Context items follow. An error, or a span that is left, denies `filter_failed`.
 */
export function filterOutbound(input: FilterInput, rules: FilterRules): FilterResult {
  try {
    return filtered(input, rules);
  } catch {
    return failed();
  }
}

/** The answer if the filter could not do its work. */
export const failed = (): FilterResult => ({
  outbound: NOTHING_SENT,
  obligations: [],
  record: NOTHING_RECORDED,
  denial: { reason: 'filter_failed', evidence: {} },
});

function filtered(input: FilterInput, rules: FilterRules): FilterResult {
  const redactor = new Redactor(rules.pack, input.sensitivity);
  const needed = neededBy(input.needs.arguments);
  // Most calls have nothing to filter, and need only this look at them.
  if (hasNoLabels(input) && isUntouched(input.arguments, rules.declared, needed, redactor, NO_FIELD))
    return untouched(input);
  const notes = new Notes();
  const filter = new ArgumentFilter(input, redactor, notes);
  const args = filter.filter(input.arguments, rules.declared, needed);
  const invalid = args === input.arguments ? undefined : denialOf(args, notes, rules);
  const context = filterContext(input, redactor, notes);
  const { allRedactions: redactions, refusals, sent: labels } = notes;
  return {
    outbound: { arguments: args, context: context.sent, redactions, refusals, labels },
    obligations: context.obligations,
    denial: invalid ?? context.denial,
    record: notes.record(context.items),
  };
}

const hasNoLabels = ({ labels, flow, context }: FilterInput): boolean =>
  labels.length === 0 && flow.length === 0 && context.length === 0;

const untouched = ({ arguments: args }: FilterInput): FilterResult => ({
  outbound: { ...NOTHING_SENT, arguments: args },
  obligations: [],
  record: NOTHING_RECORDED,
});

/**
 * Why the call is denied, if the arguments that are left do not match their schema. The evidence names the place whose
 * loss the schema complains about, else the first that was taken out. The validator does not assert `format`. But a text with
 * a redaction has no format of a name or an address, and the call would go to something else.
 */
function denialOf(args: JsonObject, { taken, renamed }: Notes, { valid }: FilterRules): Denial | undefined {
  if (renamed !== undefined)
    return { reason: reasonOf(renamed.type), evidence: { path: renamed.recorded, type: renamed.type } };
  const result = valid(args);
  if (result.ok) return undefined;
  const places = new Set(
    result.error.map(({ path, member }) => (member === undefined ? path : path + pointerTo(member))),
  );
  const cause = taken.find(({ own }) => places.has(own)) ?? taken[0];
  if (cause === undefined) return { reason: 'filter_failed', evidence: {} };
  const { recorded: path, type } = cause;
  return { reason: reasonOf(type), evidence: { path, type } };
}

/** The reason of a denial, by the type of the redaction. */
export const reasonOf = (type: string | undefined): RefusalReason =>
  REASONS.get(type ?? '') ?? 'context_above_sensitivity';

/** By what was taken out. All others are spans, or labels above the sensitivity. */
const REASONS: ReadonlyMap<string, RefusalReason> = new Map([
  ['not_declared', 'context_not_needed'],
  ['not_needed', 'context_not_needed'],
  ['context_too_large', 'context_too_large'],
]);
