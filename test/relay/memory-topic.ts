import type { TopicListener, TopicRecord } from '../../libs/kafka/topic-reader.js';
import type { OutgoingRecord, ReadableOutlet, Sender } from '../../libs/relay/port.js';

/**
 * What befalls one send. - `failed`: nothing is written.   - `persisted`: all is written, and it fails all the same.
 * - `hung`: nothing is written, and no answer ever comes.   - `late`: no answer comes, and all is written by `thaw`.
 */
export type SendFault = 'failed' | 'persisted' | 'hung' | 'late';

/** A topic in memory whose sends can be made to go wrong. */
export interface MemoryTopic extends ReadableOutlet {
  readonly records: readonly OutgoingRecord[];
  /** The next sends meet these faults, one each. */
  failNext(...faults: readonly SendFault[]): void;
  /** Batches in flight of an abandoned sender are written now. */
  thaw(): void;
  /** Somebody else writes. */
  write(record: OutgoingRecord): void;
  /** While there is an error, the brokers cannot be reached, or the topic not be used. */
  error: Error | undefined;
  /** Readers that have loaded the topic and receive each record from now on. Earlier records are only in the load. */
  readonly readers: number;
  readonly opened: number;
  readonly discarded: number;
  readonly sends: readonly (readonly OutgoingRecord[])[];
}

export function memoryTopic(sendMs = 500): MemoryTopic {
  const records: OutgoingRecord[] = [];
  const sends: (readonly OutgoingRecord[])[] = [];
  const faults: SendFault[] = [];
  const late: OutgoingRecord[] = [];
  const listeners = new Set<TopicListener>();
  let opened = 0;
  let discarded = 0;

  const recordAt = ({ key, value }: OutgoingRecord, offset: number): TopicRecord => ({
    key,
    value,
    offset: String(offset),
  });
  const write = (record: OutgoingRecord): void => {
    records.push(record);
    for (const listener of listeners) listener.onRecord(recordAt(record, records.length - 1));
  };
  const topic: MemoryTopic = {
    sendMs,
    records,
    sends,
    error: undefined,
    get readers() {
      return listeners.size;
    },
    get opened() {
      return opened;
    },
    get discarded() {
      return discarded;
    },
    failNext: (...each) => void faults.push(...each),
    thaw: () => late.splice(0).forEach(write),
    write,
    prepare: () => answer(),
    mark: () => answer().then(() => String(records.length)),
    async open() {
      await answer();
      opened += 1;
      return sender();
    },
    follow(listener) {
      const timer = setImmediate(() => {
        const last = new Map<string, TopicRecord>();
        for (const [offset, record] of records.entries()) {
          last.delete(record.key);
          last.set(record.key, recordAt(record, offset));
        }
        listener.onLoaded([...last.values()]);
        listeners.add(listener);
      });
      return {
        async close() {
          clearImmediate(timer);
          listeners.delete(listener);
        },
      };
    },
  };

  async function answer(): Promise<void> {
    if (topic.error !== undefined) throw topic.error;
  }

  function sender(): Sender {
    let isOver = false;
    return {
      async send(batch) {
        if (isOver) throw new Error('used after it was discarded');
        sends.push(batch);
        const fault = faults.shift();
        await new Promise((resolve) => setImmediate(resolve));
        if (fault === 'late') late.push(...batch);
        if (fault === 'hung' || fault === 'late') await new Promise(() => undefined);
        if (fault === 'failed') throw new Error('ordered: failed');
        await answer();
        batch.forEach(write);
        if (fault === 'persisted') throw new Error('ordered: persisted');
      },
      discard() {
        isOver = true;
        discarded += 1;
      },
    };
  }

  return topic;
}
