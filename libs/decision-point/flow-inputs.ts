import type { DecisionInputs, FlowLabel } from '../calls/events.js';
import type { AuthorizeRequest, ContextItem } from '../calls/requests.js';
import { CURRENT_PACK, packOf } from '../content/detect/packs.js';
import { joinOf, labelOf, PUBLIC, WHOLE_TASK, type ContentLabel } from '../content/filter/label.js';
import { categoryCleaner } from '../content/filter/names.js';
import { MIN_RUN } from '../content/flow/fingerprints.js';
import { isJsonObject, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { pointerTo } from '../kernel/pointer.js';
import type { Level } from '../vocabulary/words.js';
import type { PrintsJob, RequestPrints } from './content-jobs.js';
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
export function needsPrints({ flow }: TaskLane, request: Request, settings: FlowSettings): boolean {
  return (request.context?.length ?? 0) > 0 || (!flow.isEmpty && mayCompare(request, flow.full, settings));
}

/** The texts of context items that are sent. */
export const textsOfItems = (context: readonly ContextItem[] = []): Pick<PrintsJob, 'context' | 'names'> => ({
  context: context.map(({ content }) => content),
  names: context.map(({ id, source, mimeType = '' }) => [id, source, mimeType]),
});

/** Whether earlier content of the task has to be read back first. */
export function needsEarlier({ unread, flow }: TaskLane, request: Request, settings: FlowSettings): boolean {
  if (unread.length === 0) return false;
  return (request.context?.length ?? 0) > 0 || mayCompare(request, flow.full, settings);
}

/** Whether arguments are compared: those that the high-water mark does not cover, if one is long enough. */
function mayCompare({ arguments: args, labels = [] }: Request, full: boolean, { mode }: FlowSettings): boolean {
  const isCovered = (mode === 'strict' || full) && labels.every(({ level }) => level === undefined);
  return !isCovered && mayRepeat(args);
}

/** Whether a text or a name in a value is long enough to repeat something. A character may be normalised into several. */
function mayRepeat(value: Json): boolean {
  if (typeof value === 'string') return value.length >= MIN_RUN || !ASCII.test(value);
  if (Array.isArray(value)) return value.some(mayRepeat);
  return isJsonObject(value) && Object.entries(value).some(([name, member]) => mayRepeat(name) || mayRepeat(member));
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
  const isHighest = settings.mode === 'strict' || flow.full;
  const labels = [
    ...argumentLabels(lane, isHighest ? highWaterLabels(request, flow.highWater) : [], prints),
    ...labelsOfItems(lane, context, settings, prints),
  ];
  return defined({
    contextLevel: context.some(({ level }) => level === undefined) ? settings.contextLevel : undefined,
    flow: labels.length === 0 ? undefined : labels,
    flowIsFull: flow.full ? (true as const) : undefined,
  });
}

/** Of the arguments of one decision. Above that, all of them have one label. */
const MAX_LABELS = 512;

const flowLabel = (path: string, { source, label }: FlowSource): FlowLabel => ({
  path,
  level: label.level,
  categories: [...label.categories],
  source,
});

/**
 * The high-water labels, and the labels of content that the other arguments repeat. A level that the caller states lifts the
 * high-water mark alone. A value with the mark needs no other label, because none is higher.
 */
function argumentLabels({ flow }: TaskLane, highest: FlowLabel[], prints: RequestPrints | undefined): FlowLabel[] {
  const covered = new Set(highest.map(({ path }) => path));
  const repeated = (prints?.arguments ?? []).flatMap((each) => {
    const path = `/arguments${each.ordinals}`;
    return isWithin(path, covered) ? [] : flow.repeatedBy(each.prints).map((source) => flowLabel(path, source));
  });
  if (repeated.length <= MAX_LABELS) return [...highest, ...repeated];
  // Hostile numbers of labels are joined: the arguments as a whole have all of them.
  return [...highest, flowLabel('/arguments', { source: 'several', label: joinOf(repeated) })];
}

/** Whether a place or one above it is among some places. */
function isWithin(path: string, places: ReadonlySet<string>): boolean {
  if (places.size === 0) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
    if (places.has(path.slice(0, end))) return true;
  return false;
}

/** A value for which the caller states no level gets the highest label of the task. */
function highWaterLabels({ arguments: args, labels = [] }: Request, highWater: ContentLabel): FlowLabel[] {
  if (highWater.level === 'public' && highWater.categories.length === 0) return [];
  const stated = labels.flatMap(({ path, level }) => (level === undefined ? [] : [path]));
  const paths = unlabelled(args, '', '', stated);
  return (paths.length > MAX_LABELS ? [''] : paths).map((path) =>
    flowLabel(`/arguments${path}`, { source: WHOLE_TASK, label: highWater }),
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

/**
 * The labels of items by the content that they are derived from or repeat. An item is derived from earlier ones alone, so each is
 * labelled once, in the order of the request.
 */
function labelsOfItems(
  lane: TaskLane,
  context: readonly ContextItem[],
  settings: FlowSettings,
  prints: RequestPrints | undefined,
): FlowLabel[] {
  const known = new Map<string, ContentLabel>();
  const named = new Set(context.flatMap(({ derivedFrom = [] }) => derivedFrom));
  const clean = currentCleaner();
  return context.flatMap((item, index) => {
    const origins = derivedLabels(lane, item, known, settings);
    const repeated = [prints?.context[index], prints?.names[index]].flatMap((each) =>
      lane.flow.repeatedBy(each ?? NONE),
    );
    const all = [...origins, ...repeated];
    const label = joinOf(all.map((each) => each.label));
    const { id, level = settings.contextLevel, categories = [] } = item;
    if (named.has(id)) known.set(id, joinOf([labelOf(level, categories.map(clean)), label]));
    const [first] = all;
    if (first === undefined) return [];
    const source = all.every((each) => each.source === first.source) ? first.source : 'several';
    return [flowLabel(pointerTo('context', index), { source, label })];
  });
}

const NONE = new Float64Array();

/** Cleans categories by the rule pack of new decisions. */
export function currentCleaner(): (category: string) => string {
  const pack = packOf(CURRENT_PACK);
  if (pack === undefined) throw new Error('the current rule pack is missing');
  return categoryCleaner(pack);
}

/**
 * The labels of the items and calls that an item is derived from. `known` has those of earlier items. An unknown one has
 * the highest label of the task.
 */
function derivedLabels(
  { flow, responseLabels }: TaskLane,
  { derivedFrom = [] }: ContextItem,
  known: ReadonlyMap<string, ContentLabel>,
  settings: FlowSettings,
): FlowSource[] {
  return [...new Set(derivedFrom)].map((id) => {
    const call = responseLabels.get(id);
    if (call !== undefined) return { source: id, label: call };
    const label = known.get(id) ?? flow.labelOfItem(id);
    const unknown = () => joinOf([flow.highWater, flow.highestOffered, { ...PUBLIC, level: settings.contextLevel }]);
    return { source: 'derived', label: label ?? unknown() };
  });
}
