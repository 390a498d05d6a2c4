import { untilItAnswers } from './answers.js';
import { kafkaVersion } from './jars.js';
import type { OtherKafka } from './kafka.js';
import { quietPort } from './ports.js';
import { singleNode } from './properties.js';

const START_MS = 180_000;
const PORT = 9092;

/** Whether a Docker engine answers. */
export async function dockerAnswers(): Promise<boolean> {
  // Loaded only here: it takes most of a second.
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

/**
 * Starts a broker in a container, and waits until it answers. When this process dies, testcontainers removes the
 * container.
 */
export async function startContainerKafka(sessionMs: number): Promise<OtherKafka> {
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  const { host } = (await getContainerRuntimeClient()).info.containerRuntime;
  // Clients receive this port as the address, so it has to be known before the container exists.
  const port = await quietPort();
  const advertised = `${host}:${port}`;
  const properties = singleNode({ listen: `:${PORT}`, advertised, controller: 'localhost:9093', sessionMs });
  const environment = Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`, value]),
  );
  const container = await new GenericContainer(`apache/kafka:${kafkaVersion()}`)
    .withExposedPorts({ container: PORT, host: port })
    .withEnvironment(environment)
    .withStartupTimeout(START_MS)
    .start();
  const stop = async (): Promise<void> => void (await container.stop());
  try {
    await untilItAnswers([advertised], START_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { kind: 'docker', owned: false, brokers: [advertised], stop };
}
