import { randomUUID } from 'node:crypto';
import { within } from '../kernel/within.js';
import { openClient, type KafkaConnection } from './client.js';

/** A record with its headers as text. */
export interface ReadRecord {
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

const START_MS = 15_000;
/** A broker that sends nothing for this time is taken for gone. */
const SILENT_MS = 30_000;

/**
 * Reads all that a topic holds at the time of the call, in a consumer group of its own, and keeps no offsets. Throws if the
 * brokers do not answer, or the topic is not there.
 */
export async function readTopic(
  connection: KafkaConnection,
  topic: string,
  groupPrefix: string,
  onRecord: (record: ReadRecord) => void,
): Promise<void> {
  const client = openClient(connection);
  try {
    const admin = client.kafka.admin();
    const asked = admin.connect().then(() => admin.fetchTopicOffsets(topic));
    const offsets = await within(START_MS, 'asking the brokers', asked);
    /** The next offset to expect at the end of each partition that still has records to come. */
    const ends = new Map(
      offsets.flatMap(({ partition, low, high }) => (low === high ? [] : [[partition, BigInt(high)] as const])),
    );
    if (ends.size === 0) return;
    const done = Promise.withResolvers<void>();
    const silence = setTimeout(() => done.reject(new Error(`no record for ${SILENT_MS} ms`)), SILENT_MS);
    const consumer = client.kafka.consumer({
      groupId: `${groupPrefix}-${randomUUID()}`,
      allowAutoTopicCreation: false,
      retry: { retries: 2, initialRetryTime: 100, restartOnFailure: () => Promise.resolve(false) },
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
    try {
      await within(START_MS, 'joining the topic', consumer.connect());
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: true,
        eachBatch: async ({ batch }) => {
          silence.refresh();
          const end = ends.get(batch.partition);
          for (const { offset, value, headers = {} } of batch.messages)
            if (end !== undefined && BigInt(offset) < end)
              onRecord({ value: value?.toString() ?? null, headers: textsOf(headers) });
          // Compaction and transactions leave gaps, so the end of the batch counts and not its last record.
          if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) ends.delete(batch.partition);
          if (ends.size === 0) done.resolve();
        },
      });
      await done.promise;
    } finally {
      clearTimeout(silence);
    }
  } finally {
    client.discard();
  }
}

const textsOf = (headers: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
