import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { within } from '../kernel/within.js';
import { openClient, reasonOf, type KafkaClient, type KafkaConnection } from './client.js';
import { ReaderBackoff, type Attempt } from './reader-backoff.js';

/** A record as it was read: attacker-controlled if others can write to the topic. */
export interface TopicRecord {
  readonly key: string;
  /** Null is a tombstone. */
  readonly value: string | null;
  readonly offset: string;
}

export interface TopicListener {
  /** The topic is about to be read from its beginning. */
  onStarting?(): void;
  /** The topic was read to its end, again after each interruption: the last record of each key, in order of offset. */
  onLoaded(lastOfKeys: readonly TopicRecord[]): void;
  /** A record after that. */
  onRecord(record: TopicRecord): void;
  onInterrupted(reason: string): void;
}

export interface TopicReaderOptions {
  readonly connection: KafkaConnection;
  /** Has one partition. */
  readonly topic: string;
  /** Each consumer gets a group of its own, named by this prefix and a random id: access rules may require a prefix. */
  readonly groupPrefix: string;
  /** A record is written to the topic this often; after three times as long without one, the consumer is replaced. */
  readonly beatMs: number;
}

/** Limit for a connection that the brokers neither refuse nor answer. */
const START_MS = 15_000;
const MAX_KEYS = 100_000;
/** Brokers accept 6 s or more by default; a group has one member, so nobody waits for its end. */
const SESSION_MS = 10_000;
const FETCH_WAIT_MS = 1_000;

/**
 * Follows a compacted topic of one partition from its beginning, and recovers by itself. Consumers of the library may
 * stall silently, and take long to rejoin their group after a broker was away. Records are therefore the only sign of
 * life: a silent consumer is replaced, together with its group.
 */
export function followTopic(options: TopicReaderOptions, listener: TopicListener): { close(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    const backoff = new ReaderBackoff(options.beatMs);
    while (!signal.aborted) {
      listener.onStarting?.();
      const reading = new Reading(options, listener, backoff.silenceMs);
      signal.addEventListener('abort', reading.end, { once: true });
      const reason = await reading.run();
      signal.removeEventListener('abort', reading.end);
      if (signal.aborted) return;
      const dueMs = backoff.after(reading);
      listener.onInterrupted(reason);
      await pause(dueMs, undefined, { signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    close() {
      stopping.abort();
      return running;
    },
  };
}

/** One consumer, from its making to its first failure. */
class Reading implements Attempt {
  heardNews = false;
  load: Attempt['load'] = 'none';
  private readonly client: KafkaClient;
  private readonly consumer: Consumer;
  private readonly failed = Promise.withResolvers<string>();
  private readonly lastOfKeys = new Map<string, TopicRecord>();
  private over = false;
  private watchdog: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: TopicReaderOptions,
    private readonly listener: TopicListener,
    private readonly silenceMs: number,
  ) {
    this.client = openClient(options.connection, () => this.lostConnection());
    this.consumer = this.client.kafka.consumer({
      groupId: `${options.groupPrefix}-${randomUUID()}`,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: SESSION_MS,
      heartbeatInterval: SESSION_MS / 4,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { retries: 2, initialRetryTime: 100, restartOnFailure: () => Promise.resolve(false) },
    });
  }

  /** Runs until it fails or is ended, and answers why. Hands nothing over afterwards. */
  async run(): Promise<string> {
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => this.fail(reasonOf(payload.error)));
    try {
      await Promise.race([within(START_MS, 'joining the feed', this.start()), this.failed.promise]);
      return await this.failed.promise;
    } catch (error) {
      return reasonOf(error);
    } finally {
      this.over = true;
      clearTimeout(this.watchdog);
      this.client.discard();
    }
  }

  /** Its group has no other member, so it need not leave: the brokers forget it after a while. */
  readonly end = (): void => this.fail('closed');

  private async start(): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.options.topic], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatch: async (payload) => {
        try {
          this.take(payload);
        } catch (error) {
          if (this.load === 'none') this.load = 'refused';
          this.fail(reasonOf(error));
        }
      },
    });
    this.watch(this.silenceMs);
  }

  private take({ batch }: EachBatchPayload): void {
    if (this.over) return;
    this.watch(this.silenceMs);
    for (const { key, value, offset } of batch.messages) {
      const record = { key: key?.toString() ?? '', value: value?.toString() ?? null, offset };
      if (this.load === 'done') {
        this.heardNews = true;
        this.listener.onRecord(record);
        continue;
      }
      this.lastOfKeys.delete(record.key);
      this.lastOfKeys.set(record.key, record);
      if (this.lastOfKeys.size > MAX_KEYS) throw new Error(`the topic has more than ${MAX_KEYS} keys`);
    }
    if (this.load === 'done' || BigInt(batch.lastOffset()) + 1n < BigInt(batch.highWatermark)) return;
    this.listener.onLoaded([...this.lastOfKeys.values()]);
    this.load = 'done';
    this.lastOfKeys.clear();
  }

  /** Fails if the next record does not arrive within `limitMs`. */
  private watch(limitMs: number): void {
    clearTimeout(this.watchdog);
    if (this.over) return;
    this.watchdog = setTimeout(() => this.fail(`no record for ${limitMs} ms`), limitMs);
  }

  /** Not every connection matters, but if this one did, waiting as long as for a slow one is useless. */
  private lostConnection(): void {
    if (this.watchdog !== undefined) this.watch(Math.min(this.silenceMs, 1.5 * this.options.beatMs));
  }

  private fail(reason: string): void {
    this.over = true;
    this.failed.resolve(reason);
  }
}
