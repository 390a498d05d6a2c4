import type { EventsQuery } from '../contract/audit.js';
import { parseEvent } from '../event-log/event.js';
import { justBefore } from '../event-log/position.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { toMs } from '../kernel/time.js';
import { categoriesOf, families, familyOf, familyOfType } from '../streams/catalogue.js';
import { positionIn } from './cursor.js';
import type { DirectiveHistory } from './directive-history.js';
import { revisionAt, streamSource } from './event-source.js';
import type { BlockFilter } from './index/messages.js';
import type { IndexReading } from './index/reading.js';
import { memberOf, namedCapabilities } from './named-capabilities.js';
import { isWhole } from './soundness.js';

const DEFAULT_EVENTS = 100;
/** Events that one request examines. Then the page ends with a cursor, even if few events matched. */
const MAX_SCANNED = 5_000;
const PAGE_EVENTS = 500;
/** Parts of the log that the index names at once. */
const MAX_BLOCKS = 32;

export interface EventSources {
  readonly log: LogReading;
  readonly index: IndexReading;
  readonly directives: DirectiveHistory;
}

/** A page of events in order of position, and the position where the next page begins. */
export interface EventPage {
  readonly events: readonly RecordedEvent[];
  readonly next?: bigint;
}

/**
 * Events of the log after a position, in its order. `next` is absent at the end of the log; it advances even if nothing
 * matched. A page may hold a few more than `limit`: events of one position stay together. A damaged event whose members
 * cannot be read fulfils each condition on them. `until` is the last position to read, if not the end. Throws `LogUnavailable`, `IndexUnavailable`.
 */
export async function readEvents(
  sources: EventSources,
  query: EventsQuery,
  until?: bigint,
): Promise<Result<EventPage, Refusal>> {
  const unknown = query.types?.split(',').find((type) => familyOfType(type) === undefined);
  if (unknown !== undefined) return err(unknownType());
  const from = positionIn(query.cursor);
  if (!from.ok) return from;
  // A lifting names its directive only, and the directive names the capability.
  if (query.capability !== undefined) await sources.directives.refresh();
  const after = query.cursor === undefined ? BigInt(query.after ?? 0) : from.value;
  const limit = query.limit ?? DEFAULT_EVENTS;
  const isWanted = conditionOf(query, sources.directives);
  const events: RecordedEvent[] = [];
  let at = after;
  let scanned = 0;
  for await (const page of pagesOf(sources, query, after)) {
    for (const event of page.events) {
      if (until !== undefined && event.position > until) return ok({ events });
      if (events.length >= limit && event.position !== at) return ok({ events, next: at });
      at = event.position;
      if (isWanted(event)) events.push(event);
    }
    if (page.to > at) at = page.to;
    scanned += Math.max(1, page.events.length);
    if (scanned >= MAX_SCANNED) return ok({ events, next: at });
  }
  return ok({ events });
}

interface Scanned {
  readonly events: readonly RecordedEvent[];
  /** All that can match up to this position has been handed over. */
  readonly to: bigint;
}

function pagesOf(sources: EventSources, query: EventsQuery, after: bigint): AsyncIterable<Scanned> {
  if (query.stream !== undefined) return pagesOfStream(sources.log, query.stream, after);
  const { actor, capability, from, to } = query;
  const categories = query.types === undefined ? undefined : categoriesOf(query.types.split(','));
  if (actor === undefined && capability === undefined && from === undefined && to === undefined)
    return pagesOfLog(sources.log, categories, after);
  return pagesOfBlocks(sources, query, after);
}

async function* pagesOfLog(
  log: LogReading,
  categories: readonly string[] | undefined,
  after: bigint,
  last?: bigint,
): AsyncGenerator<Scanned> {
  for (let at = after; ;) {
    const page = await log.readAll(defined({ after: at, limit: PAGE_EVENTS, categories }));
    const events = last === undefined ? page : page.filter(({ position }) => position <= last);
    at = page.at(-1)?.position ?? at;
    if (events.length > 0) yield { events, to: events.at(-1)?.position ?? at };
    if (page.length === 0 || events.length < page.length || at === last) return;
  }
}

async function* pagesOfStream(log: LogReading, stream: string, after: bigint): AsyncGenerator<Scanned> {
  const source = streamSource(log, stream, after === 0n ? 0 : await revisionAt(log, stream, after));
  for (;;) {
    const events: RecordedEvent[] = [];
    for (let event = await source.peek(); event !== undefined; event = await source.peek()) {
      if (events.length >= PAGE_EVENTS && event.position !== events.at(-1)?.position) break;
      events.push(event);
      source.take();
    }
    const last = events.at(-1);
    if (last === undefined) return;
    yield { events, to: last.position };
  }
}

/** Only the parts of the log in which the index knows such an event. */
async function* pagesOfBlocks(
  { log, index }: EventSources,
  query: EventsQuery,
  after: bigint,
): AsyncGenerator<Scanned> {
  const filter = blockFilterOf(query);
  // A block that the index does not have yet must not be skipped.
  await index.asOf();
  for (let at = after; ;) {
    const blocks = await index.blocks(filter, at, MAX_BLOCKS);
    for (const { first, last } of blocks) {
      yield* pagesOfLog(log, undefined, at < first ? justBefore(first) : at, last);
      at = last;
      yield { events: [], to: last };
    }
    if (blocks.length < MAX_BLOCKS) return;
  }
}

const blockFilterOf = ({ types, actor, capability, from, to }: EventsQuery): BlockFilter =>
  defined({
    types: types?.split(','),
    actor,
    capability,
    fromMs: from === undefined ? undefined : toMs(from),
    toMs: to === undefined ? undefined : toMs(to),
  });

function conditionOf(
  { types, actor, capability, from, to }: EventsQuery,
  directives: DirectiveHistory,
): (event: RecordedEvent) => boolean {
  const wanted = types === undefined ? undefined : new Set(types.split(','));
  const [fromMs, toMillis] = [from === undefined ? -Infinity : toMs(from), to === undefined ? Infinity : toMs(to)];
  const readsMembers = [actor, capability, from, to].some((condition) => condition !== undefined);
  return (event) => {
    if (isBookkeeping(event)) return false;
    if (event.type !== '' && wanted?.has(event.type) === false) return false;
    if (!readsMembers || !isWhole(event)) return true;
    const parsed = parseEvent(event.json);
    const timeMs = toMs(parsed.time);
    if (timeMs < fromMs || timeMs > toMillis) return false;
    if (actor !== undefined && parsed.actor !== actor) return false;
    return capability === undefined || concerns(parsed, capability, directives);
  };
}

/** The progress of a relay says nothing about what was decided or changed. */
const isBookkeeping = ({ stream }: RecordedEvent): boolean => familyOf(stream)?.role === 'bookkeeping';

function concerns(event: ReturnType<typeof parseEvent>, capability: string, directives: DirectiveHistory): boolean {
  for (const named of namedCapabilities(event)) if (named === capability) return true;
  if (event.type !== 'DirectiveLifted' || !families.directives.has(event.stream)) return false;
  const id = memberOf(event.data, 'id');
  const target = typeof id === 'string' ? directives.targetOf(id) : undefined;
  return target !== undefined && 'capability' in target && target.capability === capability;
}

function unknownType(): Refusal {
  const errors = [{ path: '/types', message: 'has a type that no event has' }];
  return refusal('malformed_request', 'an event type is unknown', errors);
}
