import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { KafkaConnection } from '../../../libs/kafka/client.js';
import { isLoopback } from '../../../libs/kernel/loopback.js';
import { setting, SettingsError, whole, type ValuesOf } from './setting.js';

/** IPv6 addresses are not accepted: the client cuts an address at its first colon. */
const BROKER = /^[^:\s,[\]]+:\d{1,5}$/;
const MAX_PORT = 65_535;
const MAX_FILE_CHARS = 1_048_576;

function hasPort(broker: string): boolean {
  const port = Number(broker.slice(broker.lastIndexOf(':') + 1));
  return port >= 1 && port <= MAX_PORT;
}

/** How the service sends events and directives to Kafka. */
export const KAFKA = {
  brokers: setting(
    'SALLYPORT_KAFKA_BROKERS',
    z
      .string()
      .transform((text) => text.split(',').map((each) => each.trim()))
      .refine((brokers) => brokers.every((each) => BROKER.test(each)), 'expected host:port, comma-separated')
      .refine((brokers) => brokers.every(hasPort), 'expected ports from 1 to 65535'),
    undefined,
    'Kafka brokers that get all events and the directives, as `host:port`, comma-separated. None: Kafka is not used.',
    'Writers of `sallyport.directives.v1` can make hosts deny; readers of the topics see who does what.',
  ),
  tls: setting(
    'SALLYPORT_KAFKA_TLS',
    z.string().min(1, 'expected on, or a PEM file'),
    undefined,
    'TLS to the brokers: `on`, or the PEM file of the authority that signs their certificates.',
    'Without it, events and passwords travel in clear text.',
  ),
  sasl: setting(
    'SALLYPORT_KAFKA_SASL',
    z.enum(['plain', 'scram-sha-256', 'scram-sha-512'], 'expected plain, scram-sha-256 or scram-sha-512'),
    undefined,
    'How the service signs in to the brokers: `plain`, `scram-sha-256` or `scram-sha-512`.',
    '`plain` shows the brokers the password: beyond loopback it needs SALLYPORT_KAFKA_TLS, or the service does not start.',
  ),
  user: setting('SALLYPORT_KAFKA_USER', z.string().min(1).max(256), undefined, 'User for SASL.', 'As above.'),
  password: setting(
    'SALLYPORT_KAFKA_PASSWORD',
    z.string().min(1).max(4096),
    undefined,
    'Password for SASL.',
    'Other programs can see the environment of a process: prefer a file.',
  ),
  passwordFile: setting(
    'SALLYPORT_KAFKA_PASSWORD_FILE',
    z.string().min(1),
    undefined,
    'File whose first line is the password for SASL.',
    'Only the service may be able to read it.',
  ),
  clientId: setting(
    'SALLYPORT_KAFKA_CLIENT_ID',
    z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, 'expected 1 to 128 letters, digits, dots, dashes or underscores'),
    'sallyport',
    'Name of the service in the logs and quotas of the brokers.',
    'None.',
  ),
  partitions: setting(
    'SALLYPORT_KAFKA_PARTITIONS',
    whole(1, 1000),
    '3',
    'Partitions of `sallyport.events.v1` and `sallyport.siem.v1`, if the service creates them.',
    'Partitions added later move streams: consumers then see one stream in two.',
  ),
  replication: setting(
    'SALLYPORT_KAFKA_REPLICATION',
    whole(1, 15),
    '1',
    'Replicas of each topic that the service creates.',
    'With 1, a lost broker loses its partitions. Use 3 on a cluster.',
  ),
};

export interface KafkaSettings {
  /** Holds a secret. Its members follow `reload`; an open connection goes on unchanged. */
  readonly connection: KafkaConnection;
  /** The files that it was read from. */
  readonly files: readonly string[];
  /** Reads the files again. Returns whether anything changed. Throws `SettingsError`; then nothing changes. */
  reload(): boolean;
  readonly partitions: number;
  readonly replication: number;
}

type Sasl = KafkaConnection['sasl'];
type Values = ValuesOf<typeof KAFKA>;

/** Undefined if no brokers are named. Throws `SettingsError` if settings contradict each other. */
export function kafkaOf(values: Values): KafkaSettings | undefined {
  const { brokers, clientId, partitions, replication, tls } = values;
  let current = secretsIn(values);
  const { sasl } = current;
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
      get tls() {
        return current.tls;
      },
      get sasl() {
        return current.sasl;
      },
    },
    files: [values.passwordFile, tls === 'on' ? undefined : tls].filter((file) => file !== undefined),
    reload() {
      const read = secretsIn(values);
      const changed = !isDeepStrictEqual(read, current);
      current = read;
      return changed;
    },
    partitions,
    replication,
  };
}

/** The parts of a connection that files hold. */
function secretsIn(values: Values): Pick<KafkaConnection, 'tls' | 'sasl'> {
  const { tls } = values;
  return { tls: tls === undefined ? undefined : tls === 'on' ? {} : { ca: authorityIn(tls) }, sasl: saslOf(values) };
}

function saslOf({ sasl: mechanism, user: username, password: given, passwordFile: file }: Values): Sasl {
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
    throw new SettingsError('SALLYPORT_KAFKA_TLS: expected on, or a PEM file of certificates');
  }
  if (!ca.includes('BEGIN CERTIFICATE')) {
    throw new SettingsError('SALLYPORT_KAFKA_TLS: expected on, or a PEM file of certificates');
  }
  return ca;
}

/** Reads a file. Its error names the setting and the code of the failure, never the content. */
function textOf(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, MAX_FILE_CHARS);
  } catch (error) {
    throw new SettingsError(`${name}: the file cannot be read (${String((error as { code?: unknown }).code)})`);
  }
}
