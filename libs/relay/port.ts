import type { OutgoingRecord, Sender } from '../kafka/sender.js';
import type { TopicListener } from '../kafka/topic-reader.js';

export type { OutgoingRecord, Sender };

/** The topic of a lane. */
export interface Outlet {
  /** A send that takes longer has failed, and its sender is discarded. */
  readonly sendMs: number;
  /** Makes the topic or checks it. Throws `WrongTopic`, or the error that keeps the brokers from answering. */
  prepare(signal: AbortSignal): Promise<void>;
  open(signal: AbortSignal): Promise<Sender>;
  /** A text that changes with each record that is written to the topic. */
  mark(signal: AbortSignal): Promise<string>;
}

/** The topic of directives is also read, because the last record of a key counts, from any writer. */
export interface ReadableOutlet extends Outlet {
  follow(listener: TopicListener): { close(): Promise<void> };
}
