import kafkajs, { type Admin } from 'kafkajs';
import { within } from '../kernel/within.js';
import { openClient, reasonOf, type KafkaConnection } from './client.js';

/** A topic as it was found. */
export interface ExistingTopic {
  readonly partitions: number;
  readonly cleanupPolicy: string;
  /** The largest batch of records that it accepts, in bytes; infinite if the brokers do not say. */
  readonly maxMessageBytes: number;
}

/** The settings with which a missing topic is made, and the check of an existing one. */
export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly replication: number;
  /** Settings of a new topic. */
  readonly config: Readonly<Record<string, string>>;
  /** The fault of an existing topic, in words for an operator; undefined if it can be used. */
  readonly fault: (existing: ExistingTopic) => string | undefined;
}

/** The topic exists and must not be used as it is, or it is missing and cannot be made. */
export class WrongTopic extends Error {
  override readonly name = 'WrongTopic';
}

const ADMIN_MS = 15_000;

/** Makes the topic or checks it. Throws `WrongTopic`, or the error that keeps the brokers from answering. */
export async function prepareTopic(connection: KafkaConnection, spec: TopicSpec, signal?: AbortSignal): Promise<void> {
  await asAdmin(connection, signal, async (admin) => {
    const refused = await create(admin, spec);
    const partitions = await partitionsOf(admin, spec.topic);
    if (partitions === undefined)
      throw new WrongTopic(`topic ${spec.topic} is not there and cannot be made: ${refused}`);
    const fault = spec.fault({ partitions, ...(await configOf(admin, spec.topic)) });
    if (fault !== undefined) throw new WrongTopic(`topic ${spec.topic} ${fault}`);
  });
}

/** The ends of the partitions of a topic, as one text: it changes with each record that is written. */
export function endOfTopic(connection: KafkaConnection, topic: string, signal?: AbortSignal): Promise<string> {
  return asAdmin(connection, signal, async (admin) => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.map(({ partition, high }) => `${partition}:${high}`).join(',');
  });
}

async function asAdmin<Answer>(
  connection: KafkaConnection,
  signal: AbortSignal | undefined,
  ask: (admin: Admin) => Promise<Answer>,
): Promise<Answer> {
  const client = openClient(connection);
  const admin = client.kafka.admin();
  const work = admin.connect().then(() => ask(admin));
  try {
    return await within(ADMIN_MS, 'asking the brokers', work, signal);
  } finally {
    client.discard();
  }
}

/** Undefined if the topic was made or exists; otherwise why it could not be made. */
async function create(
  admin: Admin,
  { topic, partitions, replication, config }: TopicSpec,
): Promise<string | undefined> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  try {
    const wanted = { topic, numPartitions: partitions, replicationFactor: replication, configEntries };
    await admin.createTopics({ topics: [wanted], waitForLeaders: true });
    return undefined;
  } catch (error) {
    // A principal that may not make topics may still use a topic that was made for it.
    const causes: unknown[] = error instanceof AggregateError ? error.errors : [error];
    const reasons = error instanceof Error && 'errors' in error ? (error.errors as unknown[]) : causes;
    return reasons.map(reasonOf).join('; ');
  }
}

async function partitionsOf(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics.find(({ name }) => name === topic)?.partitions.length;
  } catch (error) {
    if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
    throw error;
  }
}

async function configOf(admin: Admin, topic: string): Promise<Omit<ExistingTopic, 'partitions'>> {
  const configNames = ['cleanup.policy', 'max.message.bytes'];
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames };
  const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
  const [described] = resources;
  if (described === undefined || described.errorCode !== 0) {
    throw new WrongTopic(`topic ${topic} does not show its configuration: ${described?.errorMessage ?? 'no answer'}`);
  }
  const [cleanupPolicy, maxMessageBytes] = configNames.map(
    (name) => described.configEntries.find(({ configName }) => configName === name)?.configValue,
  );
  return { cleanupPolicy: cleanupPolicy ?? '', maxMessageBytes: Number(maxMessageBytes ?? Infinity) };
}

/** The name of the protocol's error code, if the error is one or was caused by one. */
function typeOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return 'type' in error ? error.type : typeOf(error.cause);
}
