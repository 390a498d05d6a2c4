import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { z } from 'zod';
import type { KafkaConnection } from '../../libs/kafka/client.js';
import { isLoopback } from '../../libs/kernel/loopback.js';
import { setting, SettingsError, whole } from './setting.js';

/** No address with colons: the client would cut it at the first one. */
const BROKER = /^[^:\s,[\]]+:\d{1,5}$/;
const MAX_PORT = 65_535;
const MAX_FILE_CHARS = 1_048_576;

function hasPort(broker: string): boolean {
  const port = Number(broker.slice(broker.lastIndexOf(':') + 1));
  return port >= 1 && port <= MAX_PORT;
}

export const KAFKA_SETTINGS = {
  SALLYPORT_KAFKA_BROKERS: setting(
    z
      .string()
      .transform((text) => text.split(',').map((each) => each.trim()))
      .refine((brokers) => brokers.every((each) => BROKER.test(each)), 'needs host:port, parted by commas')
      .refine((brokers) => brokers.every(hasPort), 'needs ports from 1 to 65535'),
    undefined,
    'Kafka brokers, as `host:port` parted by commas, that get all events and the directives. None: Kafka is not used.',
    'Whoever may write to `sallyport.directives.v1` can make hosts deny; whoever may read the topics sees who does what.',
  ),
  SALLYPORT_KAFKA_TLS: setting(
    z.string().min(1),
    undefined,
    'TLS to the brokers: `on`, or the PEM file of the authority that signs their certificates.',
    'Without it events and passwords travel readably.',
  ),
  SALLYPORT_KAFKA_SASL: setting(
    z.enum(['plain', 'scram-sha-256', 'scram-sha-512'], 'needs plain, scram-sha-256 or scram-sha-512'),
    undefined,
    'How the service signs in to the brokers: `plain`, `scram-sha-256` or `scram-sha-512`.',
    '`plain` shows the brokers the password: past loopback it needs SALLYPORT_KAFKA_TLS, or the start stops.',
  ),
  SALLYPORT_KAFKA_USER: setting(z.string().min(1).max(256), undefined, 'User for SASL.', 'As above.'),
  SALLYPORT_KAFKA_PASSWORD: setting(
    z.string().min(1).max(4096),
    undefined,
    'Password for SASL.',
    'The environment of a process is easily seen: a file is better.',
  ),
  SALLYPORT_KAFKA_PASSWORD_FILE: setting(
    z.string().min(1),
    undefined,
    'File whose first line is the password for SASL.',
    'Keep it readable for the service alone.',
  ),
  SALLYPORT_KAFKA_CLIENT_ID: setting(
    z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, 'needs 1 to 128 letters, digits, dots, dashes or underscores'),
    'sallyport',
    'Name under which brokers know the service, in their logs and quotas.',
    'None.',
  ),
  SALLYPORT_KAFKA_PARTITIONS: setting(
    whole(1, 1000),
    '3',
    'Partitions of `sallyport.events.v1` where the service makes it.',
    'Adding some later moves streams to other partitions: consumers then see one stream in two.',
  ),
  SALLYPORT_KAFKA_REPLICATION: setting(
    whole(1, 15),
    '1',
    'Replicas of each topic that the service makes.',
    'With 1, a lost broker takes what it alone had: 3 on a cluster.',
  ),
} as const;

export interface KafkaSettings {
  /** Holds a secret. */
  readonly connection: KafkaConnection;
  readonly partitions: number;
  readonly replication: number;
}

type Read = <Name extends keyof typeof KAFKA_SETTINGS>(
  name: Name,
) => z.infer<(typeof KAFKA_SETTINGS)[Name]['schema']> | undefined;

/** Undefined where no brokers are named. Throws `SettingsError` where settings do not fit together. */
export function readKafka(read: Read): KafkaSettings | undefined {
  const brokers = read('SALLYPORT_KAFKA_BROKERS');
  const clientId = read('SALLYPORT_KAFKA_CLIENT_ID') ?? 'sallyport';
  const partitions = read('SALLYPORT_KAFKA_PARTITIONS') ?? 1;
  const replication = read('SALLYPORT_KAFKA_REPLICATION') ?? 1;
  const tls = read('SALLYPORT_KAFKA_TLS');
  const sasl = saslOf(read);
  if (brokers === undefined) {
    if (tls === undefined && sasl === undefined) return undefined;
    throw new SettingsError('SALLYPORT_KAFKA_TLS and SALLYPORT_KAFKA_SASL need SALLYPORT_KAFKA_BROKERS');
  }
  const local = brokers.every((broker) => isLoopback(broker.slice(0, broker.lastIndexOf(':'))));
  if (sasl?.mechanism === 'plain' && tls === undefined && !local) {
    throw new SettingsError('SALLYPORT_KAFKA_SASL: plain needs SALLYPORT_KAFKA_TLS, except on loopback');
  }
  return {
    connection: {
      brokers,
      clientId,
      tls: tls === undefined ? undefined : tls === 'on' ? {} : { ca: authorityIn(tls) },
      sasl,
    },
    partitions,
    replication,
  };
}

function saslOf(read: Read): KafkaConnection['sasl'] {
  const mechanism = read('SALLYPORT_KAFKA_SASL');
  const username = read('SALLYPORT_KAFKA_USER');
  const given = read('SALLYPORT_KAFKA_PASSWORD');
  const file = read('SALLYPORT_KAFKA_PASSWORD_FILE');
  if (given !== undefined && file !== undefined) {
    throw new SettingsError('SALLYPORT_KAFKA_PASSWORD and SALLYPORT_KAFKA_PASSWORD_FILE exclude each other');
  }
  if (mechanism === undefined && username === undefined && given === undefined && file === undefined) return undefined;
  const password = file === undefined ? given : textOf('SALLYPORT_KAFKA_PASSWORD_FILE', file).split(/\r?\n/)[0];
  if (mechanism === undefined || username === undefined || password === undefined || password === '') {
    throw new SettingsError('SALLYPORT_KAFKA_SASL needs SALLYPORT_KAFKA_USER and a password, and they need it');
  }
  return { mechanism, username, password };
}

function authorityIn(file: string): string {
  const ca = textOf('SALLYPORT_KAFKA_TLS', file);
  try {
    createSecureContext({ ca });
  } catch {
    throw new SettingsError('SALLYPORT_KAFKA_TLS: needs on, or a PEM file of certificates');
  }
  if (!ca.includes('BEGIN CERTIFICATE')) {
    throw new SettingsError('SALLYPORT_KAFKA_TLS: needs on, or a PEM file of certificates');
  }
  return ca;
}

/** Says the name of the setting and the code of the failure, never what the file holds. */
function textOf(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, MAX_FILE_CHARS);
  } catch (error) {
    throw new SettingsError(`${name}: the file cannot be read (${String((error as { code?: unknown }).code)})`);
  }
}
