import { DIRECTIVES_TOPIC } from '../feed/kafka/kafka-feed.js';
import type { KafkaConnection } from '../kafka/client.js';
import { openSender } from '../kafka/sender.js';
import { endOfTopic, prepareTopic, type ExistingTopic, type TopicSpec } from '../kafka/topic.js';
import { followTopic } from '../kafka/topic-reader.js';
import type { Outlet, ReadableOutlet } from './port.js';

export const EVENTS_TOPIC = 'sallyport.events.v1';
export const SIEM_TOPIC = 'sallyport.siem.v1';

/** For topics that we make; existing ones keep their sizes. */
export interface TopicSizes {
  readonly partitions: number;
  readonly replication: number;
}

/** A send that takes longer has failed, even if the library would still retry it. */
const EVENTS_SEND_MS = 10_000;
/** Shorter, because hosts wait for directives. */
const DIRECTIVES_SEND_MS = 3_000;
/**
 * The default of brokers, which sends stay below. A topic with a smaller limit would refuse some records permanently.
 */
const LEAST_MESSAGE_BYTES = 1_048_588;

const compacts = (cleanupPolicy: string): boolean => cleanupPolicy.split(',').includes('compact');

export function eventsOutlet(connection: KafkaConnection, sizes: TopicSizes, topic = EVENTS_TOPIC): Outlet {
  return outletOf(connection, eventsTopic(sizes, topic), EVENTS_SEND_MS);
}

/** The settings of a new topic of events, and the check of an existing one. */
export function eventsTopic({ partitions, replication }: TopicSizes, topic = EVENTS_TOPIC): TopicSpec {
  return {
    topic,
    partitions,
    replication,
    config: { 'cleanup.policy': 'delete', ...kept(replication) },
    fault(existing) {
      if (!compacts(existing.cleanupPolicy)) return tooSmall(existing);
      return 'is compacted, which would drop events: it needs cleanup.policy=delete';
    },
  };
}

export function directivesOutlet(
  connection: KafkaConnection,
  sizes: Pick<TopicSizes, 'replication'>,
  topic = DIRECTIVES_TOPIC,
): ReadableOutlet {
  const spec = directivesTopic(sizes, topic);
  return {
    ...outletOf(connection, spec, DIRECTIVES_SEND_MS),
    follow: (listener) =>
      followTopic({ connection, topic: spec.topic, groupPrefix: 'sallyport-relay', beatMs: 1_000 }, listener),
  };
}

/** The same for the topic of directives. */
export function directivesTopic({ replication }: Pick<TopicSizes, 'replication'>, topic = DIRECTIVES_TOPIC): TopicSpec {
  return {
    topic,
    partitions: 1,
    replication,
    // Heartbeats are compacted away soon, so that a consumer that starts at the beginning has little to read.
    config: {
      'cleanup.policy': 'compact',
      'segment.ms': '300000',
      'segment.bytes': '8388608',
      'min.cleanable.dirty.ratio': '0.01',
      ...kept(replication),
    },
    fault(existing) {
      const { partitions, cleanupPolicy } = existing;
      if (partitions !== 1) return `has ${partitions} partitions: directives need exactly 1, to be read in their order`;
      if (cleanupPolicy === 'compact') return tooSmall(existing);
      return `has cleanup.policy=${cleanupPolicy}: directives need compact alone, or they are lost in time`;
    },
  };
}

/** Of three replicas one may be away, and a record that two have acknowledged survives the loss of one. */
const kept = (replication: number) => ({
  'max.message.bytes': String(LEAST_MESSAGE_BYTES),
  'min.insync.replicas': String(Math.max(1, replication - 1)),
});

function tooSmall({ maxMessageBytes }: ExistingTopic): string | undefined {
  if (maxMessageBytes >= LEAST_MESSAGE_BYTES) return undefined;
  return `has max.message.bytes=${maxMessageBytes}: needs max.message.bytes of at least ${LEAST_MESSAGE_BYTES}`;
}

function outletOf(connection: KafkaConnection, spec: TopicSpec, sendMs: number): Outlet {
  return {
    sendMs,
    prepare: (signal) => prepareTopic(connection, spec, signal),
    open: (signal) => openSender(connection, spec.topic, sendMs, signal),
    mark: (signal) => endOfTopic(connection, spec.topic, signal),
  };
}
