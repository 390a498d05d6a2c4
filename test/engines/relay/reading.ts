import { randomUUID } from 'node:crypto';
import type { KafkaMessage } from 'kafkajs';
import { openClient, type KafkaConnection } from '../../../libs/kafka/client.js';

/** A record as any consumer of the topic gets it. */
export interface ReadRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TopicReading {
  readonly records: readonly ReadRecord[];
  /** When the last of them came, by the monotonic clock. */
  lastMs(): number;
  stop(): void;
}

/** Reads a topic from its beginning and goes on, for as long as its broker is there. */
export async function readTopic(connection: KafkaConnection, topic: string): Promise<TopicReading> {
  const client = openClient(connection);
  const records: ReadRecord[] = [];
  let stopped = false;
  const consumer = client.kafka.consumer({
    groupId: `test-${randomUUID()}`,
    maxWaitTimeInMs: 200,
    // A broker that has just started may not coordinate groups yet. Later, a restart would give each record once more.
    retry: { restartOnFailure: () => Promise.resolve(!stopped && records.length === 0) },
  });
  let lastMs = 0;
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      lastMs = performance.now();
      for (const message of batch.messages) records.push(recordOf(batch.partition, message));
    },
  });
  const stop = () => {
    stopped = true;
    client.discard();
  };
  return { records, lastMs: () => lastMs, stop };
}

function recordOf(partition: number, { key, value, headers = {} }: KafkaMessage): ReadRecord {
  const text = (each: unknown): string => (Buffer.isBuffer(each) ? each.toString() : String(each));
  return {
    partition,
    key: text(key),
    value: text(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, text(each)])),
  };
}

/** The records that an obedient consumer keeps: in each partition it drops positions at or below the last. */
export function keptOf(records: readonly ReadRecord[]): bigint[] {
  const last = new Map<number, bigint>();
  const kept: bigint[] = [];
  for (const { partition, headers } of records) {
    const position = BigInt(headers['ce_position'] ?? '');
    if (position <= (last.get(partition) ?? 0n)) continue;
    last.set(partition, position);
    kept.push(position);
  }
  return kept.sort((a, b) => (a < b ? -1 : 1));
}
