import { DIRECTIVES_TOPIC } from '#libs/feed/kafka/kafka-feed.js';
import type { KafkaConnection } from '#libs/kafka/client.js';
import { openSender } from '#libs/kafka/sender.js';
import { endOfTopic, prepareTopic, type TopicSpec } from '#libs/kafka/topic.js';
import { followTopic } from '#libs/kafka/topic-reader.js';
import type { Outlet, ReadableOutlet } from './port.js';

export const EVENTS_TOPIC = 'sallyport.events.v1';

/** For topics that are made: existing ones keep what they have. */
export interface TopicSizes {
  readonly partitions: number;
  readonly replication: number;
}

/** A send that takes longer has failed, whatever the library still hopes for. */
const EVENTS_SEND_MS = 10_000;
/** Hosts wait for it. */
const DIRECTIVES_SEND_MS = 3_000;

const compacts = (cleanupPolicy: string): boolean => cleanupPolicy.split(',').includes('compact');

export function eventsOutlet(
  connection: KafkaConnection,
  { partitions, replication }: TopicSizes,
  topic = EVENTS_TOPIC,
): Outlet {
  const spec: TopicSpec = {
    topic,
    partitions,
    replication,
    config: { 'cleanup.policy': 'delete' },
    fault: ({ cleanupPolicy }) =>
      compacts(cleanupPolicy) ? 'is compacted, which would drop events: it needs cleanup.policy=delete' : undefined,
  };
  return outletOf(connection, spec, EVENTS_SEND_MS);
}

export function directivesOutlet(
  connection: KafkaConnection,
  { replication }: Pick<TopicSizes, 'replication'>,
  topic = DIRECTIVES_TOPIC,
): ReadableOutlet {
  const spec: TopicSpec = {
    topic,
    partitions: 1,
    replication,
    // Heartbeats are compacted away soon, so that whoever reads from the beginning has little to read.
    config: {
      'cleanup.policy': 'compact',
      'segment.ms': '300000',
      'segment.bytes': '8388608',
      'min.cleanable.dirty.ratio': '0.01',
    },
    fault({ partitions, cleanupPolicy }) {
      if (partitions !== 1) return `has ${partitions} partitions: directives need exactly 1, to be read in their order`;
      if (cleanupPolicy === 'compact') return undefined;
      return `has cleanup.policy=${cleanupPolicy}: directives need compact alone, or they are lost in time`;
    },
  };
  return {
    ...outletOf(connection, spec, DIRECTIVES_SEND_MS),
    follow: (listener) =>
      followTopic({ connection, topic: spec.topic, groupPrefix: 'sallyport-relay', beatMs: 1_000 }, listener),
  };
}

function outletOf(connection: KafkaConnection, spec: TopicSpec, sendMs: number): Outlet {
  return {
    sendMs,
    prepare: (signal) => prepareTopic(connection, spec, signal),
    open: (signal) => openSender(connection, spec.topic, sendMs, signal),
    mark: (signal) => endOfTopic(connection, spec.topic, signal),
  };
}
