/**
 * `@sallyport/host/kafka`: a directive feed from a Kafka topic, in addition to the service's own. It needs `kafkajs`, an
 * optional peer of this package: without it the import fails and says what to install.
 */
import './node-version.js';
import { kafkaLibrary } from '../kafka/library.js';

kafkaLibrary();

export { kafkaFeed, type KafkaFeedOptions } from '../feed/kafka/kafka-feed.js';
export type { KafkaConnection } from '../kafka/client.js';
