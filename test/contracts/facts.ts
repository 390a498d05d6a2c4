import { sealEvent, type SealedEvent } from '../../libs/event-log/event.js';
import type { Batch, EventLog, RecordedEvent, StreamCheck, StreamWrite } from '../../libs/event-log/port.js';

/** Small valid facts for tests of the log. Different data makes two facts; the same data makes one. */
export function fact(stream: string, revision: number, data: unknown = {}, payload?: Uint8Array): SealedEvent {
  const time = '2026-11-22T10:00:00.000Z';
  return sealEvent({ stream, revision, type: 'Happened', schemaVersion: 1, time, actor: 'system:test', data }, payload);
}

/** A write of one event for each of `data`. */
export function write(stream: string, expected: number, ...data: readonly unknown[]): StreamWrite {
  return { stream, expected, events: data.map((item, index) => fact(stream, expected + index + 1, item)) };
}

export function batch(writes: readonly StreamWrite[], checks: readonly StreamCheck[] = []): Batch {
  return { writes, checks };
}

/** Appends and insists on success. */
export async function committed(log: EventLog, ...writes: readonly StreamWrite[]): Promise<bigint> {
  const outcome = await log.append(batch(writes));
  if (outcome.kind !== 'committed') throw new Error(`not committed: ${outcome.kind}`);
  return outcome.position;
}

export const dataOf = (event: RecordedEvent): unknown => (JSON.parse(event.json) as { data: unknown }).data;

/** `stream@revision` of each event, for short comparisons. */
export const namesOf = (events: readonly RecordedEvent[]): string[] =>
  events.map(({ stream, revision }) => `${stream}@${revision}`);
