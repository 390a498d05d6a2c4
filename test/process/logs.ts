import { setTimeout as pause } from 'node:timers/promises';
import type { AppendOutcome, Batch, EventLog } from '../../libs/event-log/port.js';

/** Logs that behave otherwise than the real one beneath them; for `wrapLog`. */

type Append = (batch: Batch, append: (batch: Batch) => Promise<AppendOutcome>) => Promise<AppendOutcome>;

/** The same log with other appends. */
export function appendingBy(log: EventLog, append: Append): EventLog {
  return {
    append: (batch) => append(batch, (sent) => log.append(sent)),
    head: (stream) => log.head(stream),
    read: (stream, after, limit) => log.read(stream, after, limit),
    readAll: (options) => log.readAll(options),
    last: (count) => log.last(count),
    end: () => log.end(),
    subscribe: (options, subscriber) => log.subscribe(options, subscriber),
    payload: (stream, revision) => log.payload(stream, revision),
    payloads: (places) => log.payloads(places),
    blob: (digest) => log.blob(digest),
    close: () => log.close(),
  };
}

/** A switch for tests alone: it writes a batch even if its streams have moved meanwhile. */
export const withoutChecks = (log: EventLog): EventLog =>
  appendingBy(log, (batch, append) => append(batch.writes.length === 0 ? batch : { ...batch, checks: [] }));

export const writesTo = (batch: Batch, prefix: string): boolean =>
  batch.writes.some(({ stream }) => stream.startsWith(prefix));

/** Appends of calls reach the store a few milliseconds late, in the order of their stream, so that others overtake. */
export function lateCalls(log: EventLog, delayMs: () => number): EventLog {
  const last = new Map<string, Promise<unknown>>();
  return appendingBy(log, async (batch, append) => {
    const stream = batch.writes.find((write) => write.stream.startsWith('calls-'))?.stream;
    if (stream === undefined) return append(batch);
    const before = last.get(stream);
    const turn = Promise.all([before, pause(delayMs())]).then(() => undefined);
    last.set(stream, turn);
    await turn;
    return append(batch);
  });
}
