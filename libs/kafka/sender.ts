import { Partitioners, type Message } from 'kafkajs';
import { within } from '../kernel/within.js';
import { openClient, type KafkaConnection } from './client.js';

export interface OutgoingRecord {
  /** Determines the partition. */
  readonly key: string;
  readonly value: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One idempotent producer with connections of its own. After its first failure it is discarded, never used again. */
export interface Sender {
  /**
   * Resolves when every in-sync replica has all of the records. Rejects on any failure: some of the records may have
   * been written, or may be written later. It may hang forever, so callers need a watchdog. One call at a time.
   */
  send(records: readonly OutgoingRecord[]): Promise<void>;
  discard(): void;
}

const OPEN_MS = 10_000;
/** All replicas in sync. */
const ACKS_ALL = -1;

/** `sendMs`: how long the broker may wait for its replicas. */
export async function openSender(
  connection: KafkaConnection,
  topic: string,
  sendMs: number,
  signal?: AbortSignal,
): Promise<Sender> {
  const client = openClient(connection);
  const producer = client.kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    // After one quick retry a new producer is better than one whose numbering may be out of step.
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 200 },
  });
  try {
    await within(OPEN_MS, 'connecting to the brokers', producer.connect(), signal);
  } catch (error) {
    client.discard();
    throw error;
  }
  return {
    async send(records) {
      const messages = records.map((record): Message => ({ ...record }));
      await producer.send({ topic, messages, acks: ACKS_ALL, timeout: sendMs });
    },
    discard: () => client.discard(),
  };
}
