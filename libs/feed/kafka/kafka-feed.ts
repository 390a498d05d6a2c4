import type { KafkaConnection } from '../../kafka/client.js';
import { followTopic, type TopicRecord } from '../../kafka/topic-reader.js';
import type { DirectiveFeed } from '../port.js';

export interface KafkaFeedOptions {
  readonly connection: KafkaConnection;
  /** `sallyport.directives.v1`. */
  readonly topic?: string;
  /** Prefix of the names of consumer groups, if the brokers' access rules require one. */
  readonly groupPrefix?: string;
}

export const DIRECTIVES_TOPIC = 'sallyport.directives.v1';
/** How often the service writes to the topic when there is nothing to say. */
const BEAT_MS = 1_000;

/**
 * The directive feed over Kafka: each instance reads the whole topic, in a group of its own, and keeps no offsets. A record
 * that is no JSON object becomes an empty beat, which the host treats as any beat that it cannot trust.
 */
export function kafkaFeed({ connection, topic, groupPrefix }: KafkaFeedOptions): DirectiveFeed {
  const options = {
    connection,
    topic: topic ?? DIRECTIVES_TOPIC,
    groupPrefix: groupPrefix ?? 'sallyport-host',
    beatMs: BEAT_MS,
  };
  return {
    name: 'kafka',
    follow: (sinceEpoch, listener) =>
      followTopic(options, {
        // Every feed calls it; this one passes the whole state each time.
        onStarting: () => void sinceEpoch(),
        // A tombstone carries no state: a directive ends with a beat that says so.
        onLoaded: (records) => listener.onLoaded(records.filter(({ value }) => value !== null).map(beatOf)),
        onRecord: (record) => listener.onBeat(beatOf(record)),
        onInterrupted: (reason) => listener.onInterrupted(reason),
      }),
  };
}

function beatOf({ value }: TopicRecord): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(value ?? '');
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : {};
  } catch {
    return {};
  }
}
