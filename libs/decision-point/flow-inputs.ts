import type { DecisionInputs, FlowLabel } from '../calls/events.js';
import type { AuthorizeRequest, ContextItem } from '../calls/requests.js';
import { joinOf, PUBLIC, type ContentLabel } from '../content/filter/label.js';
import { MIN_RUN } from '../content/flow/fingerprints.js';
import { isJsonObject, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo } from '../kernel/pointer.js';
import type { Level } from '../vocabulary/words.js';
import type { RequestPrints } from './content-jobs.js';
import type { FlowSource } from './task-flow.js';
import type { TaskLane } from './task-lane.js';

/** How labels flow from earlier content of a task into its later calls. */
export interface FlowSettings {
  /** `detect`: content that is repeated verbatim keeps its label. `strict`: arguments get the highest label of the task. */
  readonly mode: 'detect' | 'strict';
  /** The level of context items without one. */
  readonly contextLevel: Level;
}

type Request = Pick<AuthorizeRequest, 'arguments' | 'context' | 'labels'>;

/** Whether a decision needs fingerprints of the request: to compare it, or to remember its context items. */
export function needsPrints({ flow }: TaskLane, request: Request, { mode }: FlowSettings): boolean {
  if (mode === 'strict') return false;
  return (request.context?.length ?? 0) > 0 || (!flow.isEmpty && !flow.full && mayRepeat(request.arguments));
}

/** Whether earlier content of the task has to be read back first. */
export function needsEarlier({ unread }: TaskLane, request: Request, { mode }: FlowSettings): boolean {
  if (unread.length === 0) return false;
  const isDerived = request.context?.some(({ derivedFrom = [] }) => derivedFrom.length > 0) === true;
  return isDerived || (mode === 'detect' && ((request.context?.length ?? 0) > 0 || mayRepeat(request.arguments)));
}

/** Whether a text in a value is long enough to repeat something. A character may be normalised into several. */
function mayRepeat(value: Json): boolean {
  if (typeof value === 'string') return value.length >= MIN_RUN || !ASCII.test(value);
  if (Array.isArray(value)) return value.some(mayRepeat);
  return isJsonObject(value) && Object.values(value).some(mayRepeat);
}

// eslint-disable-next-line no-control-regex -- ASCII has them
const ASCII = /^[\u0000-\u007f]*$/;

/**
 * The labels that a request has because of the settings and of earlier content of its task. `prints` are its
 * fingerprints, if `needsPrints`.
 */
export function inputsOf(
  lane: TaskLane,
  request: Request,
  settings: FlowSettings,
  prints: RequestPrints | undefined,
): DecisionInputs {
  const { context = [] } = request;
  const { flow } = lane;
  const highest = settings.mode === 'strict' || flow.full;
  const labels = [
    ...(highest ? highWaterLabels(request, flow.highWater) : repeatedInArguments(lane, prints)),
    ...context.flatMap((item, index) => labelsOfItem(lane, context, index, settings, prints)),
  ];
  return defined({
    contextLevel: context.some(({ level }) => level === undefined) ? settings.contextLevel : undefined,
    flow: labels.length === 0 ? undefined : labels,
    flowIsFull: flow.full ? (true as const) : undefined,
  });
}

/** Of the arguments of one decision. Above that, all of them have one label. */
const MAX_LABELS = 512;

const labelOf = (path: string, { source, label }: FlowSource): FlowLabel => ({
  path,
  level: label.level,
  categories: [...label.categories],
  source,
});

function repeatedInArguments({ flow }: TaskLane, prints: RequestPrints | undefined): FlowLabel[] {
  const labels = (prints?.arguments ?? []).flatMap((each) =>
    flow.repeatedBy(each.prints).map((source) => labelOf(`/arguments${each.ordinals}`, source)),
  );
  if (labels.length <= MAX_LABELS) return labels;
  // Hostile numbers of labels are joined: the arguments as a whole have all of them.
  return [labelOf('/arguments', { source: 'several', label: joinOf(labels) })];
}

/** A value for which the caller states no level gets the highest label of the task. */
function highWaterLabels({ arguments: args, labels = [] }: Request, highWater: ContentLabel): FlowLabel[] {
  if (highWater.level === 'public' && highWater.categories.length === 0) return [];
  const stated = labels.flatMap(({ path, level }) => (level === undefined ? [] : [path]));
  const paths = unlabelled(args, '', '', stated);
  return (paths.length > MAX_LABELS ? [''] : paths).map((path) =>
    labelOf(`/arguments${path}`, { source: 'task', label: highWater }),
  );
}

/** The members of a value, by their ordinals, that no stated label covers. */
function unlabelled(value: JsonObject, pointer: string, ordinals: string, stated: readonly string[]): string[] {
  const names = Object.keys(value).sort();
  return names.flatMap((name, index) => {
    const own = pointer + pointerTo(name);
    const place = `${ordinals}/${index}`;
    if (stated.includes(own)) return [];
    const member = value[name] as Json;
    const hasStated = stated.some((each) => each.startsWith(`${own}/`));
    return hasStated && isJsonObject(member) ? unlabelled(member, own, place, stated) : [place];
  });
}

/** The label of the content that an item is derived from or repeats. */
function labelsOfItem(
  lane: TaskLane,
  context: readonly ContextItem[],
  index: number,
  settings: FlowSettings,
  prints: RequestPrints | undefined,
): FlowLabel[] {
  const path = pointerTo('context', index);
  const origins = derivedLabels(lane, context, index, settings);
  const repeated = settings.mode === 'detect' ? lane.flow.repeatedBy(prints?.context[index] ?? NONE) : [];
  const all = [...origins, ...repeated];
  const [first] = all;
  if (first === undefined) return [];
  const source = all.every((each) => each.source === first.source) ? first.source : 'several';
  return [labelOf(path, { source, label: joinOf(all.map(({ label }) => label)) })];
}

const NONE = new Float64Array();

/** The labels of the items and calls that an item is derived from. An unknown one has the highest label of the task. */
function derivedLabels(
  lane: TaskLane,
  context: readonly ContextItem[],
  index: number,
  settings: FlowSettings,
): FlowSource[] {
  return (context[index]?.derivedFrom ?? []).map((id) => {
    const call = lane.responseLabels.get(id);
    if (call !== undefined) return { source: id, label: call };
    const earlier = context.slice(0, index).findIndex((item) => item.id === id);
    const label = earlier >= 0 ? ownLabel(lane, context, earlier, settings) : lane.flow.labelOfItem(id);
    return {
      source: 'derived',
      label: label ?? joinOf([lane.flow.highWater, { ...PUBLIC, level: settings.contextLevel }]),
    };
  });
}

function ownLabel(
  lane: TaskLane,
  context: readonly ContextItem[],
  index: number,
  settings: FlowSettings,
): ContentLabel {
  const { level = settings.contextLevel, categories = [] } = context[index] ?? {};
  return joinOf([{ level, categories }, ...derivedLabels(lane, context, index, settings).map(({ label }) => label)]);
}
