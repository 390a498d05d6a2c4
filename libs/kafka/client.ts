import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory, Kafka, SASLOptions } from 'kafkajs';
import { isLoopback } from '../kernel/loopback.js';
import { kafkaLibrary } from './library.js';
import { silenceNegativeTimeouts } from './warnings.js';

/** How to reach the brokers. Holds a secret: never logged, never part of an error. */
export interface KafkaConnection {
  /** `host:port` of some brokers; they name the others. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** `ca`: PEM of the authorities that may have signed the brokers' certificates; without it, those of the system. */
  readonly tls?: { readonly ca?: string } | undefined;
  /** `plain` without `tls` sends the password unencrypted, so it is allowed on loopback only. */
  readonly sasl?:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

/** One client with connections of its own. */
export interface KafkaClient {
  readonly kafka: Kafka;
  /** Cuts all of its connections now and makes no new ones: nothing waits for a broker that does not answer. */
  discard(): void;
}

/** A burst of clients that connect at once takes longer than the library's limit of one second. */
const CONNECTION_MS = 5_000;
const REQUEST_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;
/** Few: after a failure the user of a client makes a new one, which is quicker than the library's back-off. */
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 500 };

/** `onClosed`: a connection has ended, from either side. */
export function openClient(connection: KafkaConnection, onClosed: () => void = () => undefined): KafkaClient {
  silenceNegativeTimeouts();
  const { brokers, clientId, tls, sasl } = connection;
  const showsPassword = sasl?.mechanism === 'plain' && tls === undefined;
  const sockets = new Set<Socket>();
  let discarded = false;
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (discarded) throw new Error('the client has been discarded');
    // The first broker names the others, so a broker on loopback may lead to one that is not.
    if (showsPassword && !isLoopback(host))
      throw new Error(`SASL plain without TLS is for loopback alone, and not for ${host}:${port}`);
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = ssl ? connectTls({ host, port, ...name, ...ssl }, onConnect) : connectTcp({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      if (!discarded) onClosed();
    });
    return socket;
  };
  const { Kafka: Client, logLevel } = kafkaLibrary();
  const kafka = new Client({
    brokers: [...brokers],
    clientId,
    ...(tls === undefined ? {} : { ssl: tls.ca === undefined ? true : { ca: [tls.ca] } }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } as SASLOptions }),
    connectionTimeout: CONNECTION_MS,
    authenticationTimeout: CONNECTION_MS,
    requestTimeout: REQUEST_MS,
    enforceRequestTimeout: true,
    retry: RETRY,
    // Errors reach the caller; the library would also print them, repeatedly.
    logLevel: logLevel.NOTHING,
    socketFactory,
  });
  return {
    kafka,
    discard() {
      discarded = true;
      for (const socket of sockets) socket.destroy(new Error('the client has been discarded'));
    },
  };
}

const MAX_REASON_CHARS = 300;

/**
 * The cause of an error, in one line for operators. The library's messages name brokers, topics and codes, and no
 * secret.
 */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').slice(0, MAX_REASON_CHARS);
}
