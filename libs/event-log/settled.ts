import { setTimeout as pause } from 'node:timers/promises';
import { Backoff } from '../kernel/backoff.js';
import type { Clock } from '../kernel/time.js';
import {
  LogClosed,
  LogUnavailable,
  OutcomeUnknown,
  type AppendOutcome,
  type Batch,
  type EventLog,
  type Recall,
} from './port.js';

/** The fate of a batch. There is no third answer: if neither is known in time, `append` throws. */
export type SettledOutcome = Exclude<AppendOutcome, { kind: 'unknown' | 'unwritten' }>;

export interface SettledLog extends EventLog {
  /**
   * Throws `LogUnavailable` if nothing of the batch was written, nor will be. Throws `OutcomeUnknown` if the batch may
   * have been written. After that answer a batch is not sent again, unless it is `standing`.
   */
  append(batch: Batch): Promise<SettledOutcome>;
}

export interface SettledLogOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** How long an append may wait for its fate; 1000, and as long again for each MiB of payload. */
  readonly deadlineMs?: number;
  /**
   * Batches of unknown fate, in addition to those in flight. At this bound nothing more is appended. 256 if not given.
   */
  readonly maxUnsettled?: number;
}

const DEADLINE_MS = 1_000;
const MAX_UNSETTLED = 256;
const FIRST_BACKOFF_MS = 10;
const MAX_BACKOFF_MS = 200;

/** A batch as it was sent: while its fate is unknown, only the identical one may be sent again. */
interface Entry {
  readonly batch: Batch;
  /** Only these may have moved; what the batch merely checked has not. */
  readonly written: ReadonlySet<string>;
  /** The one attempt under way. There are never two at once, so that a refusal is the last word. */
  attempt?: Promise<AppendOutcome> | undefined;
  recall?: Recall | undefined;
  /** The store has taken it at least once and has not said whether it was written. */
  mayBeWritten: boolean;
  /** Its caller has been answered. */
  answered: boolean;
  /** The append that still waits for its fate. */
  insisting?: Promise<unknown> | undefined;
}

/**
 * The same log, whose `append` never answers `unknown`: it sends the identical batch again until its fate is known or
 * the deadline is over. A batch that stays unknown is kept. The next append to one of its streams learns its fate
 * first, so that nothing is decided on a stream that may or may not have moved. A batch whose caller has been answered
 * is not sent again for that: the log is asked whether its streams have moved.
 */
export function settledLog(log: EventLog, options: SettledLogOptions): SettledLog {
  const { clock, deadlineMs = DEADLINE_MS, maxUnsettled = MAX_UNSETTLED } = options;
  /** In the order in which they were sent: a later one may rest on an earlier one of the same stream. */
  const unsettled = new Set<Entry>();

  async function append(batch: Batch): Promise<SettledOutcome> {
    const deadline = clock.monotonicMs() + deadlineMs + sizeMs(batch);
    if (unsettled.size > 0) await makeWay(batch, deadline);
    const written = new Set(batch.writes.map(({ stream }) => stream));
    const entry: Entry = { batch, written, mayBeWritten: false, answered: false };
    const outcome = await attempt(entry, deadline);
    if (isSettled(outcome)) return outcome;
    if (entry.written.size > 0) unsettled.add(entry);
    const insisting = insist(entry, deadline);
    entry.insisting = insisting.catch(() => undefined).finally(() => (entry.insisting = undefined));
    return insisting;
  }

  /** Sends a batch once; `unknown` also if there was no answer in time. Throws what the log throws. */
  function attempt(entry: Entry, deadline: number): Promise<AppendOutcome> {
    entry.attempt ??= send(entry);
    return before(deadline, entry.attempt, { kind: 'unknown', cause: 'no answer in time' });
  }

  async function send(entry: Entry): Promise<AppendOutcome> {
    const { batch } = entry;
    const recall: Recall = {};
    entry.recall = recall;
    try {
      const outcome = await log.append(entry.answered && batch.standing !== true ? probeOf(batch) : batch, recall);
      // An answer after the deadline still settles the batch.
      if (isSettled(outcome)) unsettled.delete(entry);
      else if (outcome.kind === 'unknown') entry.mayBeWritten = true;
      else if (entry.answered && batch.standing !== true && !entry.mayBeWritten) unsettled.delete(entry);
      return outcome;
    } finally {
      entry.attempt = undefined;
      entry.recall = undefined;
    }
  }

  /** Tries once more to learn a fate. If the log cannot take the batch now, its fate stays as it was. */
  async function attemptAgain(entry: Entry, deadline: number): Promise<AppendOutcome> {
    try {
      return await attempt(entry, deadline);
    } catch (error) {
      if (error instanceof LogClosed) throw error;
      return { kind: 'unwritten', cause: 'not taken' };
    }
  }

  async function insist(entry: Entry, deadline: number): Promise<SettledOutcome> {
    const backoff = new Backoff(FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
    for (;;) {
      const leftMs = deadline - clock.monotonicMs();
      if (leftMs <= 0) throw giveUp(entry);
      await pause(Math.min(backoff.nextMs(), leftMs));
      try {
        if (!(await settleAll(earlierThan(entry), deadline)) || clock.monotonicMs() >= deadline) continue;
        const outcome = await attemptAgain(entry, deadline);
        if (isSettled(outcome)) return outcome;
      } catch (error) {
        // The log has been closed.
        const unavailable = giveUp(entry);
        throw unavailable instanceof OutcomeUnknown ? unavailable : error;
      }
    }
  }

  /**
   * The deadline is over. From now on only a batch with `standing` is sent again, and an append that still waits is
   * taken back.
   */
  function giveUp(entry: Entry): LogUnavailable {
    entry.answered = true;
    const { batch, attempt: underWay, recall, written } = entry;
    if (written.size === 0) return new LogUnavailable('no answer in time');
    if (batch.standing === true)
      return new OutcomeUnknown('the fate of an append is unknown, and it may still be written');
    const isTakenBack = underWay === undefined || recall?.takeBack?.() === true;
    if (!isTakenBack || entry.mayBeWritten) return new OutcomeUnknown('the fate of an append is unknown');
    unsettled.delete(entry);
    return new LogUnavailable('nothing was appended in time');
  }

  /** The earlier batches that this one may depend on. */
  function earlierThan(entry: Entry): Entry[] {
    const all = [...unsettled];
    const at = all.indexOf(entry);
    return writing(streamsOf(entry.batch), at < 0 ? all : all.slice(0, at));
  }

  /** Learns the fate of batches that a new batch may depend on, and of all unknown ones if there are too many. */
  async function makeWay(batch: Batch, deadline: number): Promise<void> {
    await settleStreams(streamsOf(batch), deadline);
    if (unsettled.size < maxUnsettled) return;
    await settleAll([...unsettled], deadline);
    if (unsettled.size >= maxUnsettled) throw new LogUnavailable('too many appends are of unknown fate');
  }

  async function settleStreams(streams: ReadonlySet<string>, deadline: number): Promise<void> {
    if (!(await settleAll(writing(streams, [...unsettled]), deadline)))
      throw new LogUnavailable('an earlier append is of unknown fate');
  }

  /**
   * Settles the entries in order, and waits for an append that still insists. False at the first one that stays
   * unknown.
   */
  async function settleAll(entries: readonly Entry[], deadline: number): Promise<boolean> {
    for (const entry of entries) {
      if (entry.insisting !== undefined) await before(deadline, entry.insisting, undefined);
      // An attempt from before the answer may be under way. It says less than one that begins now.
      if (unsettled.has(entry) && entry.attempt !== undefined) await attemptAgain(entry, deadline);
      if (unsettled.has(entry) && entry.insisting === undefined) await attemptAgain(entry, deadline);
      if (unsettled.has(entry)) return false;
    }
    return true;
  }

  /** The answer, or `late` if the deadline is over first. */
  function before<Answer>(deadline: number, answer: Promise<Answer>, late: Answer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Whole milliseconds: Node keeps timers of one duration in one list, and makes a list for each other one.
      // An answer that came in while this thread was busy is there, and has only not been looked at.
      const lookOnce = () => setImmediate(() => resolve(late));
      const timer = setTimeout(lookOnce, Math.max(0, Math.ceil(deadline - clock.monotonicMs())));
      const inTime =
        <Value>(settle: (value: Value) => void) =>
        (value: Value): void => {
          clearTimeout(timer);
          settle(value);
        };
      answer.then(inTime(resolve), inTime(reject));
    });
  }

  async function settled<Answer>(stream: string, answer: () => Promise<Answer>): Promise<Answer> {
    if (unsettled.size > 0) await settleStreams(new Set([stream]), clock.monotonicMs() + deadlineMs);
    return answer();
  }

  return {
    append,
    head: (stream) => settled(stream, () => log.head(stream)),
    read: (stream, after, limit) => settled(stream, () => log.read(stream, after, limit)),
    readAll: (all) => log.readAll(all),
    last: (count) => log.last(count),
    end: () => log.end(),
    subscribe: (all, subscriber) => log.subscribe(all, subscriber),
    payload: (stream, revision) => log.payload(stream, revision),
    payloads: (places) => log.payloads(places),
    blob: (digest) => log.blob(digest),
    close: () => log.close(),
  };
}

/** Asks whether the streams that a batch writes have moved, and writes nothing. Either answer is the last word on it. */
const probeOf = ({ writes }: Batch): Batch => ({
  writes: [],
  checks: writes.map(({ stream, expected }) => ({ stream, expected })),
});

const isSettled = (outcome: AppendOutcome): outcome is SettledOutcome =>
  outcome.kind === 'committed' || outcome.kind === 'refused';

/** Extra time for payloads: a slow disk writes a few MiB per second in addition to everything else. */
const MS_PER_MIB = 1_000;

function sizeMs({ writes }: Batch): number {
  let bytes = 0;
  for (const { events } of writes) for (const { payload } of events) bytes += payload?.byteLength ?? 0;
  return Math.floor(bytes / 1_048_576) * MS_PER_MIB;
}

const streamsOf = ({ writes, checks }: Batch): ReadonlySet<string> =>
  new Set([...writes, ...checks].map(({ stream }) => stream));

function writing(streams: ReadonlySet<string>, entries: readonly Entry[]): Entry[] {
  return entries.filter(({ written }) => [...written].some((stream) => streams.has(stream)));
}
