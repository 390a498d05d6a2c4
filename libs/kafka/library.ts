import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * The client library for Kafka. It is an optional peer of the host SDK, so it is loaded when Kafka is used. Throws an
 * error that says what to install.
 */
export function kafkaLibrary(): typeof import('kafkajs') {
  try {
    return require('kafkajs') as typeof import('kafkajs');
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error('Kafka needs the package kafkajs: npm install kafkajs@2.2.4', { cause: error });
  }
}
