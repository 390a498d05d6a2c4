import { Kafka, logLevel } from 'kafkajs';
import { setTimeout as pause } from 'node:timers/promises';
import { silenceNegativeTimeouts } from '../../../libs/kafka/warnings.js';

const ASK_MS = 1000;
const POLL_MS = 50;

/**
 * Waits until a broker answers who is in the cluster. Throws when that takes longer than `timeoutMs`, or as soon as
 * `broken` says why it never will.
 */
export async function untilItAnswers(
  brokers: readonly string[],
  timeoutMs: number,
  broken: () => string | undefined = () => undefined,
): Promise<void> {
  for (const endMs = performance.now() + timeoutMs; ; await pause(POLL_MS)) {
    if (await answers(brokers)) return;
    const why = broken() ?? (performance.now() > endMs ? `no answer in ${timeoutMs} ms` : undefined);
    if (why !== undefined) throw new Error(`Kafka at ${brokers.join(', ')}: ${why}`);
  }
}

async function answers(brokers: readonly string[]): Promise<boolean> {
  silenceNegativeTimeouts();
  const kafka = new Kafka({
    clientId: 'sallyport-test',
    brokers: [...brokers],
    connectionTimeout: ASK_MS,
    requestTimeout: ASK_MS,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    return cluster.brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
