import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { everyEvent } from '../../libs/event-log/every-event.js';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { openClient } from '../../libs/kafka/client.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import { familyOf } from '../../libs/streams/catalogue.js';

/** Reads the topic of events as a SIEM would, and holds it against the log. */

const WAIT_MS = 60_000;
const SETTLE_MS = 1500;

interface Arrived {
  readonly partition: number;
  readonly id: string;
  readonly position: bigint;
}

/** The records of `sallyport.events.v1`, from its beginning until none has arrived for a while and `done` agrees. */
async function arrivals(brokers: readonly string[], done: (seen: ReadonlySet<string>) => boolean): Promise<Arrived[]> {
  const client = openClient({ brokers, clientId: 'siem' });
  const consumer = client.kafka.consumer({ groupId: `siem-${randomUUID()}` });
  const arrived: Arrived[] = [];
  const ids = new Set<string>();
  let lastMs = performance.now();
  try {
    await consumer.connect();
    await consumer.subscribe({ topic: 'sallyport.events.v1', fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message: { headers } }) => {
        const id = String(headers?.['ce_id']);
        arrived.push({ partition, id, position: BigInt(String(headers?.['ce_position'])) });
        ids.add(id);
        lastMs = performance.now();
        return Promise.resolve();
      },
    });
    const endMs = performance.now() + WAIT_MS;
    while (performance.now() < endMs && (!done(ids) || performance.now() - lastMs < SETTLE_MS)) await pause(50);
    return arrived;
  } finally {
    await consumer.disconnect();
    client.discard();
  }
}

/** Every event of the log that is public has arrived at least once, in order within its partition. The log is closed. */
export async function nothingIsMissing(brokers: readonly string[], dataDir: string): Promise<void> {
  const log = await openSqliteLog({ file: `${dataDir}/sallyport.db` });
  const events: RecordedEvent[] = [];
  for await (const event of everyEvent(log)) events.push(event);
  await log.close();
  const wanted = new Set(
    events
      .filter(({ stream }) => familyOf(stream)?.role !== 'bookkeeping')
      .map(({ json }) => (JSON.parse(json) as { id: string }).id),
  );
  const arrived = await arrivals(brokers, (ids) => [...wanted].every((id) => ids.has(id)));
  const ids = new Set(arrived.map(({ id }) => id));
  assert.deepEqual(
    [...wanted].filter((id) => !ids.has(id)),
    [],
    'events that never arrived',
  );
  assert.deepEqual(
    [...ids].filter((id) => !wanted.has(id)),
    [],
    'events that are not in the log',
  );
  const highest = new Map<number, bigint>();
  const seen = new Set<string>();
  for (const { partition, id, position } of arrived) {
    const last = highest.get(partition) ?? 0n;
    // A consumer drops what lies at or below the last position of its partition: nothing new may lie there.
    if (position <= last) assert.ok(seen.has(id), `${id} comes too late in partition ${partition}`);
    else highest.set(partition, position);
    seen.add(id);
  }
}
