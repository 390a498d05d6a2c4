import { isJsonObject, ownValue, type Json, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { endless, query, type Call } from '../client.js';
import { at, dig, list } from '../print.js';

/** The evidence of a trace, from all pages of its answer. */
export interface TraceEvidence {
  readonly traceId: string;
  readonly tasks: readonly Json[];
  readonly calls: readonly Json[];
  readonly events: readonly Json[];
  /** The events about each capability, if the answer lists them once; `calls` then have positions in them. */
  readonly histories?: JsonObject;
  /** The events about the capability of a call, from its registration to the end of the task. */
  readonly historyOf: (call: Json) => readonly Json[];
}

/** Most pages of one trace: a server can answer a list that never ends. */
const MAX_PAGES = 10_000;

/** Reads the evidence or the replay of a trace to its end. Resolves to its pages as they came: most traces have one. */
export async function readPages(call: Call, target: string): Promise<readonly JsonObject[]> {
  const pages: JsonObject[] = [];
  for (let cursor: string | undefined; pages.length < MAX_PAGES;) {
    const page = await call('GET', target + query({ cursor }));
    pages.push(page);
    const next = ownValue(page, 'next');
    if (typeof next !== 'string') return pages;
    cursor = next;
  }
  throw endless(MAX_PAGES);
}

/** Joins the pages of a trace. A task or an event that several pages repeat is listed once. */
export function traceOf(pages: readonly JsonObject[]): TraceEvidence {
  const all = (member: string): readonly Json[] => pages.flatMap((page) => list(page, member));
  const histories = new Map<string, readonly Json[]>();
  for (const page of pages) {
    const found = ownValue(page, 'histories');
    for (const capability of isJsonObject(found) ? Object.keys(found) : []) {
      histories.set(capability, once([...(histories.get(capability) ?? []), ...list(found, capability)], placeOf));
    }
  }
  return {
    traceId: at(pages[0], 'traceId'),
    tasks: once(all('tasks'), (task) => at(task, 'taskId')),
    calls: all('calls'),
    events: once(all('events'), placeOf),
    ...(histories.size > 0 && { histories: Object.fromEntries(histories) }),
    historyOf: (call) => historyOf(call, histories),
  };
}

/** A call holds the events of its history, or their positions in the histories of the answer. */
function historyOf(call: Json, histories: ReadonlyMap<string, readonly Json[]>): readonly Json[] {
  const own = list(call, 'capabilityHistory');
  const places = new Set(own.filter((each) => typeof each === 'string'));
  if (places.size === 0) return own.filter(isJsonObject);
  return (histories.get(at(call, 'capability')) ?? []).filter((event) => places.has(at(event, 'position')));
}

/** The place of an event in the log, because events of one append may share a position. Empty if it has none. */
export function placeOf(event: Json): string {
  const position = at(event, 'position');
  return position === '' ? '' : `${position} ${at(event, 'stream')}@${at(event, 'revision')}`;
}

/** The items in their order, without those whose key came before. An empty key is nobody's. */
export function once(items: readonly Json[], keyOf: (item: Json) => string): readonly Json[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = keyOf(item);
    const isNew = key === '' || !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** In the order of the log. */
export function inOrder(events: readonly Json[]): readonly Json[] {
  const places = new Map(events.map((event) => [event, numberOf(dig(event, 'position'))]));
  const placed = (event: Json): bigint => places.get(event) ?? 0n;
  return [...events].sort((a, b) => (placed(a) < placed(b) ? -1 : placed(a) > placed(b) ? 1 : 0));
}

/** A position as a number that can be compared; 0 if it is none. */
export const numberOf = (position: Json | undefined): bigint =>
  typeof position === 'string' && /^\d{1,20}$/.test(position) ? BigInt(position) : 0n;
