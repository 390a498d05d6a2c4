import type { EventPlace, LogReading, RecordedEvent } from '../event-log/port.js';
import { payloadPlace } from '../payloads/payload-place.js';

/** Most unneeded events between two needed ones that one read includes, instead of a second read. */
const MAX_GAP = 16;
const MAX_AT_ONCE = 32;

/** The events at these places, by `payloadPlace`. Places that the log lacks are absent. Throws `LogUnavailable`. */
export async function eventsAt(
  log: Pick<LogReading, 'read'>,
  places: readonly EventPlace[],
): Promise<ReadonlyMap<string, RecordedEvent>> {
  const runs = runsOf(places);
  const found = new Map<string, RecordedEvent>();
  for (let from = 0; from < runs.length; from += MAX_AT_ONCE) {
    const reads = runs
      .slice(from, from + MAX_AT_ONCE)
      .map(({ stream, first, last }) => log.read(stream, first - 1, last - first + 1));
    for (const event of (await Promise.all(reads)).flat()) found.set(payloadPlace(event), event);
  }
  return found;
}

function runsOf(places: readonly EventPlace[]): { stream: string; first: number; last: number }[] {
  const ordered = [...places].sort((a, b) =>
    a.stream === b.stream ? a.revision - b.revision : a.stream < b.stream ? -1 : 1,
  );
  const runs: { stream: string; first: number; last: number }[] = [];
  for (const { stream, revision } of ordered) {
    const run = runs.at(-1);
    if (run?.stream === stream && revision - run.last <= MAX_GAP) run.last = revision;
    else runs.push({ stream, first: revision, last: revision });
  }
  return runs;
}

/** The event at a place; undefined if the log does not have it. Throws `LogUnavailable`. */
export async function eventAt(
  log: Pick<LogReading, 'read'>,
  { stream, revision }: EventPlace,
): Promise<RecordedEvent | undefined> {
  const [event] = await log.read(stream, revision - 1, 1);
  return event?.revision === revision ? event : undefined;
}
