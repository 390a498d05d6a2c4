import type { KafkaConnection } from '../../kafka/client.js';
import { followTopic, type TopicRecord } from '../../kafka/topic-reader.js';
import type { DirectiveFeed } from '../port.js';

export interface KafkaFeedOptions {
  readonly connection: KafkaConnection;
  /** `sallyport.directives.v1`. */
  readonly topic?: string;
  /** Where the brokers' rules ask for a prefix of the names of groups. */
  readonly groupPrefix?: string;
}

export const DIRECTIVES_TOPIC = 'sallyport.directives.v1';
/** How often the service writes to the topic when there is nothing to say. */
const BEAT_MS = 1_000;

/**
 * The directive feed over Kafka: each instance reads the whole topic, in a group of its own, and keeps no offsets. What is
 * no JSON object is handed over as an empty beat, so that the host treats it as any other that it cannot trust.
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
        // Asked as of every feed; this one hands over the whole state each time.
        onStarting: () => void sinceEpoch(),
        // A tombstone says nothing of a key: a directive ends by a beat that says so.
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
