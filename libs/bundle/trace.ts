import { DirectiveHistory } from '../audit/directive-history.js';
import type { IndexReading } from '../audit/index/reading.js';
import { TraceAudit } from '../audit/trace.js';
import type { Bundle } from '../contract/bundle-format.js';
import { DecisionEngines } from '../decision-point/engines.js';
import { parseEvent } from '../event-log/event.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { taints } from '../calls/taint.js';
import { families } from '../streams/catalogue.js';
import { logOf } from './bundle-log.js';
import type { BundledStreams } from './streams.js';

/** A bundle with no fault. */
export interface SoundBundle {
  readonly bundle: Bundle;
  readonly streams: BundledStreams;
}

/**
 * The evidence of the trace as one page of `GET /v1/audit/traces/{traceId}`, made from the bundle alone by the same code.
 * Positions are the numbers of leaves, pseudonyms stay, and tasks are as of the last event. Throws what `TraceAudit` throws.
 */
export async function traceIn({ bundle, streams: { streams, needs } }: SoundBundle): Promise<Buffer> {
  const { log: reading, keys } = logOf(bundle, streams, needs.shredded);
  const events = [...streams.values()].flat();
  const end = events.reduce((last, { position }) => (position > last ? position : last), 0n);
  const log = wholeLog(reading, streams, end);
  const now = events.reduce<Instant>((last, { json }) => (timeOf(json) > last ? timeOf(json) : last), '' as Instant);
  const nobody = { knownPseudonym: async () => undefined, userOf: async () => undefined };
  const audit = new TraceAudit(
    log,
    { ...keys, ...nobody },
    new DecisionEngines(log),
    indexOf(bundle.traceId, streams, end),
    new DirectiveHistory(log),
    { maxCalls: Infinity, maxEvents: Infinity, maxChars: Infinity },
  );
  const page = await audit.trace(bundle.traceId, now);
  if (!page.ok) throw new Error(page.error.detail);
  return page.value ?? Buffer.from('{}');
}

type Streams = BundledStreams['streams'];

const timeOf = (json: string): Instant => parseEvent(json).time;

function wholeLog(reading: ReturnType<typeof logOf>['log'], streams: Streams, end: bigint): LogReading {
  const of = (stream: string): readonly RecordedEvent[] => streams.get(stream) ?? [];
  return {
    ...reading,
    // A bundle has the refusals of its trace alone, so revisions are missing between them.
    read: async (stream, after = 0, limit = Infinity) => {
      if (!families.refusals.has(stream)) return reading.read(stream, after, limit);
      return of(stream).filter(({ revision }) => revision > after && revision <= after + limit);
    },
    head: async (stream) => of(stream).at(-1)?.revision ?? 0,
    payload: async (stream, revision) => (await reading.payloads([{ stream, revision }]))[0],
    end: async () => end,
    // Only damaged logs are searched, and no sound bundle is of one.
    readAll: async () => [],
    last: async () => [],
  };
}

/** The answers of an index that the evidence of one trace needs, in one page. */
function indexOf(traceId: string, streams: Streams, end: bigint): IndexReading {
  const named = [...streams];
  const refusals = named.flatMap(([stream, events]) => (families.refusals.has(stream) ? events : []));
  const drifted = named.flatMap(([stream, events]) => {
    const capability = families.capability.idOf(stream);
    const isOwn = events.some(({ json }) => parseEvent(json).traceId === traceId);
    return capability !== undefined && isOwn ? [capability] : [];
  });
  const never = async () => {
    throw new TypeError('one page of one trace does not ask this');
  };
  return {
    asOf: async () => end,
    refusals: async () => refusals.map(({ position, stream, revision }) => ({ position, stream, revision })),
    drifted: async () => drifted,
    ends: async (asked) => asked.map((stream) => streams.get(stream)?.at(-1)?.position ?? 0n),
    attempts: never,
    calls: never,
    taints: async (taskIds) => taskIds.map((taskId) => taintOf(streams, taskId)),
    draw: never,
    tasks: never,
    approvals: never,
    blocks: never,
  };
}

/** When a response of a task first held an instruction. */
function taintOf(streams: Streams, taskId: string): Instant | undefined {
  for (const { json } of streams.get(families.calls.stream(taskId)) ?? []) {
    const read = families.calls.readWhole(json);
    if (read.ok && read.value.type === 'ResponseValidated' && taints(read.value.data)) return read.value.time;
  }
  return undefined;
}
