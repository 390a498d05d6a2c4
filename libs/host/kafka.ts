/** `@sallyport/host/kafka`: the feed of hosts that follow the topic of directives, beside the service's own. */
export { kafkaFeed, type KafkaFeedOptions } from '../feed/kafka/kafka-feed.js';
export type { KafkaConnection } from '../kafka/client.js';
