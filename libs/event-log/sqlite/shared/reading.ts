import { isDamaged, type EventPlace, type LogReading, type ReadAllOptions, type RecordedEvent } from '../../port.js';
import type { Page } from '../../subscription.js';
import { CellReader, NO_PAYLOAD, type Found, type Query } from './query.js';
import { PAGE_EVENTS } from './settings.js';

/** Answers queries, in this thread or in another. Throws `LogUnavailable`. */
export type Finder = (query: Query) => Promise<Found>;

/** The reading half of the port, made of queries. `shown`: every reading shows damage, for a reader that decides nothing. */
export function readingOf(find: Finder, damaged?: 'shown'): LogReading {
  const shown = damaged === 'shown';
  return {
    head: async (stream) => firstNumber(await find({ kind: 'head', stream, shown })),
    read: (stream, after = 0, limit = Infinity) => readMany(find, { stream, after, limit, shown }),
    readAll: async (all) => (await readPage(find, shown ? { ...all, damaged } : all)).events,
    last: async (count) => pageIn(await find({ kind: 'last', limit: count })).events,
    end: async () => BigInt(firstNumber(await find({ kind: 'end' }))),
    payload: async (stream, revision) => (await find({ kind: 'payload', stream, revision })).bytes,
    payloads: async (places) => payloadsIn(await find(payloadsQuery(places))),
    blob: async (digest) => (await find({ kind: 'blob', digest })).bytes,
  };
}

/** A page of many streams. */
export const readPage = async (find: Finder, all: ReadAllOptions): Promise<Page> => pageIn(await find(allQuery(all)));

const allQuery = ({ after, categories, damaged, limit = PAGE_EVENTS }: ReadAllOptions) =>
  ({
    kind: 'all',
    // Positions are ours and below 2^53; one from elsewhere that is not finds nothing, as it should.
    after: Number(after),
    categories: categories ?? null,
    limit: Math.max(1, limit),
    shown: damaged === 'shown',
  }) as const;

/** The damaged events of an answer. Only a query that shows damage has any. */
export function damagedIn(query: Query, found: Found): readonly RecordedEvent[] {
  const mayHave = query.kind === 'last' || ((query.kind === 'all' || query.kind === 'stream') && query.shown === true);
  return mayHave ? pageIn(found).events.filter(isDamaged) : [];
}

/** The events of an answer, the end of the log at that moment, and whether more events follow. */
export function pageIn({ cells }: Found): Page {
  const input = new CellReader(cells);
  const end = BigInt(input.number());
  const more = input.number() === 1;
  const events = input.list((): RecordedEvent => ({
    position: BigInt(input.number()),
    stream: input.text(),
    revision: input.number(),
    type: input.text(),
    json: input.text(),
  }));
  return { events, end, more };
}

interface StreamRead {
  readonly stream: string;
  readonly after: number;
  readonly limit: number;
  readonly shown: boolean;
}

async function readMany(find: Finder, { stream, after, limit, shown }: StreamRead): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let more = true; more && events.length < limit;) {
    const from = events.at(-1)?.revision ?? after;
    const some = Math.min(PAGE_EVENTS, limit - events.length);
    const page = pageIn(await find({ kind: 'stream', stream, after: from, limit: some, shown }));
    events.push(...page.events);
    more = page.more;
  }
  return events;
}

const payloadsQuery = (places: readonly EventPlace[]) =>
  ({
    kind: 'payloads',
    streams: places.map(({ stream }) => stream),
    revisions: places.map(({ revision }) => revision),
  }) as const;

function payloadsIn({ cells, bytes = new Uint8Array() }: Found): (Uint8Array | undefined)[] {
  let offset = 0;
  return cells.map((length) => {
    if (typeof length !== 'number') throw new TypeError('a message that does not hold what it should');
    return length === NO_PAYLOAD ? undefined : bytes.subarray(offset, (offset += length));
  });
}

/** The only number of an answer. */
export function firstNumber({ cells: [cell] }: Found): number {
  if (typeof cell !== 'number') throw new TypeError('a message that does not hold what it should');
  return cell;
}
