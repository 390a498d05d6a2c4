import type { Attempted } from '../calls/decider.js';
import { shownCheck } from '../decision/record.js';
import type { CallDecided, ContextFiltered, ResponseValidated } from '../calls/events.js';
import type { ContentLabel } from '../content/filter/label.js';
import type { ControlView } from '../control/control-view.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { ownValue } from '../kernel/canonical-json.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { families } from '../streams/catalogue.js';
import type { ContentDesk } from './content-desk.js';
import type { EarlierPrints } from './content-jobs.js';
import { currentCleaner } from './flow-inputs.js';
import { offeredLabel, TaskFlow, type EarlierContent } from './task-flow.js';
import type { TaskLane } from './task-lane.js';

/** Records that are read back for one task. Above that, it counts as `strict`. */
const MAX_RECORDS = 5000;
/** Records of one job. */
const RECORDS_AT_ONCE = 64;

/** The content that a task has seen, as far as its events say, and the records that have the rest. */
export function earlierContent(
  view: Pick<ControlView, 'capability'>,
  events: readonly RecordedEvent[],
): { flow: TaskFlow; unread: EarlierContent[]; labels: Map<string, ContentLabel> } {
  const flow = new TaskFlow();
  const unread: EarlierContent[] = [];
  const labels = new Map<string, ContentLabel>();
  const allowed = new Map<string, Pick<Attempted, 'capability' | 'version' | 'operation'>>();
  let filtered: ContextFiltered | undefined;
  for (const event of events) {
    const read = families.calls.readWhole(event.json);
    if (!read.ok) continue;
    const { type, data } = read.value;
    const place = { stream: event.stream, revision: event.revision };
    if (type === 'ContextFiltered') filtered = data;
    if (type === 'CallDecided') {
      const { callId, decision, contextItems } = data;
      if (decision === 'allow') allowed.set(callId, data);
      const items = data.filtered === true ? (filtered?.items ?? []) : [];
      for (const { level, categories } of items) flow.offer(undefined, { level, categories });
      // The record lacks items: they may have held anything.
      if (data.filtered === true && contextItems > items.length) addUnknown(flow, callId, decision === 'allow');
      if (items.length > 0) unread.push({ ...place, callId, items, allowed: decision === 'allow' });
      if (contextItems > 0 && !reachedFilter(data)) unread.push({ ...place, callId, unfiltered: data.inputs ?? {} });
      for (const item of items) if (decision === 'allow' && item.sent) flow.add(seenItem(callId, item), NONE);
    }
    if (type === 'ResponseValidated' && isDelivered(data)) {
      const label = responseLabel(view, allowed.get(data.callId), data);
      labels.set(data.callId, label);
      flow.add({ source: data.callId, label }, NONE);
      unread.push({ ...place, callId: data.callId, label });
    }
  }
  return { flow, unread, labels };
}

const NONE = new Float64Array();

/** Whether the filter saw the content of a decision: it is the work of the check `context`. */
const reachedFilter = ({ checks }: Pick<CallDecided, 'checks'>): boolean =>
  checks.map(shownCheck).some(({ check, outcome }) => check === 'context' && outcome !== 'skipped');

const RESTRICTED: ContentLabel = { level: 'restricted', categories: [] };

function addUnknown(flow: TaskFlow, source: string, isSeen: boolean): void {
  flow.offer(undefined, RESTRICTED);
  if (isSeen) flow.add({ source, label: RESTRICTED }, undefined);
}

/** Whether the agent may have seen a response. One that is held may be released later. */
export const isDelivered = ({ verdict }: Pick<ResponseValidated, 'verdict'>): boolean => verdict !== 'rejected';

/** The label of a response: what its operation returns, else the sensitivity of the version; unknown is the highest. */
export function responseLabel(
  view: Pick<ControlView, 'capability'>,
  decided: Pick<Attempted, 'capability' | 'version' | 'operation'> | undefined,
  validated: Pick<ResponseValidated, 'verdict'> & { readonly label?: ContentLabel | undefined },
): ContentLabel {
  if (validated.label !== undefined) return validated.label;
  const state = decided && view.capability(decided.capability).state?.versions.get(decided.version ?? '');
  const returns = state && ownValue(state.operations, decided.operation)?.returns;
  return { level: returns ?? state?.sensitivity ?? 'restricted', categories: [] };
}

const seenItem = (callId: string, { path, level, categories }: ContextFiltered['items'][number]) => ({
  source: callId + path,
  label: { level, categories },
});

/** Reads the records of a lane's earlier content back, once for all who wait. Throws what the log and the desk throw. */
export function readEarlier(lane: TaskLane, log: Pick<LogReading, 'payloads'>, desk: ContentDesk): Promise<void> {
  lane.reading ??= readRecords(lane, log, desk).finally(() => (lane.reading = undefined));
  return lane.reading;
}

async function readRecords(lane: TaskLane, log: Pick<LogReading, 'payloads'>, desk: ContentDesk): Promise<void> {
  const { unread, flow, key, task } = lane;
  for (let at = 0; at < unread.length && !flow.full; at += RECORDS_AT_ONCE) {
    const chunk = unread.slice(at, at + RECORDS_AT_ONCE);
    const found = at < MAX_RECORDS ? await printsOfChunk(lane, chunk, log, desk) : undefined;
    for (const [index, content] of chunk.entries()) addTo(flow, content, found?.[index]);
  }
  if (lane.unread === unread) lane.unread = [];

  async function printsOfChunk(
    { callsStream }: TaskLane,
    chunk: readonly EarlierContent[],
    reading: Pick<LogReading, 'payloads'>,
    by: ContentDesk,
  ) {
    const bytes = await payloadsOf(reading, chunk);
    if (chunk.some(({ stream }) => stream !== callsStream) || bytes === undefined) return undefined;
    const records = chunk.map((each, index) => ({
      place: payloadPlace(each),
      bytes: bytes[index] as Uint8Array,
      is: each.label === undefined ? ('decision' as const) : ('response' as const),
    }));
    return by.earlier(task.host, { key, records });
  }
}

/** The payloads of all events. The log answers with fewer at a time if they are large. Undefined if one is missing. */
async function payloadsOf(
  log: Pick<LogReading, 'payloads'>,
  places: readonly EarlierContent[],
): Promise<Uint8Array[] | undefined> {
  const all: Uint8Array[] = [];
  while (all.length < places.length) {
    const found = await log.payloads(places.slice(all.length));
    if (found.length === 0 || found.includes(undefined)) return undefined;
    all.push(...(found as Uint8Array[]));
  }
  return all;
}

function addTo(flow: TaskFlow, content: EarlierContent, prints: EarlierPrints | undefined): void {
  const { callId, label, items = [], allowed, unfiltered } = content;
  if (label !== undefined) flow.add({ source: callId, label }, prints?.response);
  // Without the record, any item may have been anything.
  if (unfiltered !== undefined && prints?.context === undefined) flow.offer(undefined, RESTRICTED);
  if (unfiltered !== undefined)
    for (const [index, item] of (prints?.context ?? []).entries())
      flow.offer(item.id, offeredLabel(item, index, unfiltered, currentCleaner()));
  for (const [index, item] of items.entries()) {
    const seen = seenItem(callId, item);
    const read = prints?.context?.[index];
    if (read !== undefined) flow.offer(read.id, seen.label);
    if (allowed === true && item.sent) flow.add(seen, read?.prints);
  }
}
