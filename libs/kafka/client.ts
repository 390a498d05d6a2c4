import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory, Kafka, SASLOptions } from 'kafkajs';
import { isLoopback } from '../kernel/loopback.js';
import { kafkaLibrary } from './library.js';
import { silenceNegativeTimeouts } from './warnings.js';

/** How brokers are reached. Holds a secret: never logged, never part of an error. */
export interface KafkaConnection {
  /** `host:port` of some of them; the others are learnt. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** `ca`: PEM of who may have signed the brokers' certificates; without it whom the system trusts. */
  readonly tls?: { readonly ca?: string } | undefined;
  /** `plain` without `tls` shows the password, and gets no further than loopback. */
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
  /** Cuts all of its connections now, and makes none again: nothing of it waits for a broker that does not answer. */
  discard(): void;
}

/** A burst of clients that connect at once takes longer than the second that is the library's own limit. */
const CONNECTION_MS = 5_000;
const REQUEST_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;
/** Hardly any: whoever uses a client makes a new one after a failure, which is quicker than its back-off. */
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 500 };

/** `onClosed`: a connection has ended, whoever ended it. */
export function openClient(connection: KafkaConnection, onClosed: () => void = () => undefined): KafkaClient {
  silenceNegativeTimeouts();
  const { brokers, clientId, tls, sasl } = connection;
  const showsPassword = sasl?.mechanism === 'plain' && tls === undefined;
  const sockets = new Set<Socket>();
  let discarded = false;
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (discarded) throw new Error('the client has been discarded');
    // Whoever was asked first names the others, so a broker on loopback may lead to one that is not.
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
    // What goes wrong is told to whoever asked for it; the library would also print it, again and again.
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

/** What went wrong, in one line for operators. The library's messages name brokers, topics and codes, and no secret. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').slice(0, MAX_REASON_CHARS);
}
