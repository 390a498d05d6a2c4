import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { newTraceId } from '../../libs/decision-point/trace.js';
import { parseEvent, sealEvent, type Event, type SealedEvent } from '../../libs/event-log/event.js';
import type { EventLog, StreamWrite } from '../../libs/event-log/port.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';

/**
 * Fills a store with copies of what the service wrote itself: events that are real in all but their ids. The content of
 * copied calls is of the real size, and cannot be opened: its tasks have no keys.
 */

export const CALLS_PER_TASK = 48;
const CAPABILITIES_PER_BATCH = 80;
const APPENDS_AT_ONCE = 16;

export interface Fill {
  /** More capabilities: three control events each. */
  readonly capabilities: number;
  /** Tasks of 50 events each: opened, joined to a trace of its own, 48 calls. */
  readonly tasks: number;
}

type Template = Omit<Event<string, Record<string, unknown>>, 'id'> & { readonly payload: Uint8Array | undefined };

/** Appends while nobody else has the store open. */
export async function fill(dataDir: string, { capabilities, tasks }: Fill): Promise<void> {
  const log = await openSqliteLog({ file: join(dataDir, 'sallyport.db') });
  try {
    const made = await templates(log);
    const batches: (() => StreamWrite[])[] = [];
    for (let done = 0; done < capabilities; done += CAPABILITIES_PER_BATCH) {
      const count = Math.min(CAPABILITIES_PER_BATCH, capabilities - done);
      batches.push(() => Array.from({ length: count }, () => capability(made)));
    }
    for (let done = 0; done < tasks; done += 1) batches.push(() => task(made));
    for (let next = 0; next < batches.length; next += APPENDS_AT_ONCE) {
      const some = batches.slice(next, next + APPENDS_AT_ONCE);
      const outcomes = await Promise.all(some.map((batch) => log.append({ writes: batch(), checks: [] })));
      if (outcomes.some(({ kind }) => kind !== 'committed')) throw new Error('the store could not be filled');
    }
  } finally {
    await log.close();
  }
}

/** The first event of each type, of the first capability that was registered and of any task. */
async function templates(log: EventLog): Promise<ReadonlyMap<string, Template>> {
  const found = new Map<string, Template>();
  for (const { json, type, stream, revision } of await log.readAll({ after: 0n, limit: 1000 })) {
    if (found.has(type)) continue;
    const { id: _, ...event } = parseEvent(json) as Event<string, Record<string, unknown>>;
    found.set(type, { ...event, payload: await log.payload(stream, revision) });
  }
  return found;
}

function copy(
  made: ReadonlyMap<string, Template>,
  type: string,
  stream: string,
  revision: number,
  data: Record<string, unknown>,
  links: Partial<Event> = {},
): SealedEvent {
  const template = made.get(type);
  if (template === undefined) throw new Error(`the store holds no ${type} to copy`);
  const { payload, ...event } = template;
  return sealEvent({ ...event, ...links, stream, revision, data: { ...event.data, ...data } }, payload);
}

function capability(made: ReadonlyMap<string, Template>): StreamWrite {
  const id = `server-${randomUUID()}`;
  const stream = `capability-${id}`;
  const types = ['CapabilityRegistered', 'VersionProposed', 'VersionReviewed'];
  const events = types.map((type, index) => copy(made, type, stream, index + 1, { capability: id }));
  return { stream, expected: 0, events };
}

function task(made: ReadonlyMap<string, Template>): StreamWrite[] {
  const taskId = randomUUID();
  const traceId = newTraceId();
  const write = (stream: string, events: readonly SealedEvent[]): StreamWrite => ({ stream, expected: 0, events });
  const calls = Array.from({ length: CALLS_PER_TASK }, (_, index) => {
    const callId = randomUUID();
    const links = { traceId, correlationId: callId };
    return copy(made, 'CallDecided', `calls-${taskId}`, index + 1, { callId, taskId }, links);
  });
  return [
    write(`task-${taskId}`, [copy(made, 'TaskOpened', `task-${taskId}`, 1, { taskId }, { traceId })]),
    write(`trace-${traceId}`, [copy(made, 'TaskJoined', `trace-${traceId}`, 1, { taskId }, { traceId })]),
    write(`calls-${taskId}`, calls),
  ];
}
