import type { CallDecided, ContextFiltered, OutcomeRecorded, ResponseValidated } from '../calls/events.js';
import type { Event } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { families, type EventsOf } from '../streams/catalogue.js';
import { isWhole, readOnce } from './soundness.js';

/** One recorded attempt at a call, with its response and outcome. */
export interface Attempt {
  /** Its CallDecided or CallRefused. */
  readonly event: RecordedEvent;
  readonly envelope: Event;
  readonly decided: CallDecided;
  /** The call belongs to no task of its host, so none of its content was kept. */
  readonly refused: boolean;
  /** The record of the filter. Absent if the decision names none, or if `lost` has it. */
  filtered?: { readonly event: RecordedEvent; readonly data: ContextFiltered };
  response?: { readonly event: RecordedEvent; readonly validated: ResponseValidated; readonly at: Instant };
  /** The release of a held response. */
  released?: {
    readonly event: RecordedEvent;
    readonly by: string;
    readonly at: Instant;
    readonly reason: string;
  };
  outcome?: { readonly event: RecordedEvent; readonly recorded: OutcomeRecorded };
  /** The revisions of events that the decision or the index names, and that the log cannot show. */
  readonly lost?: {
    readonly filtered?: number;
    readonly response?: number;
    readonly released?: number;
    readonly outcome?: number;
  };
}

export interface Attempts {
  readonly attempts: readonly Attempt[];
  /**
   * Events of calls that are damaged or of a newer version: decisions, responses, releases or outcomes. They cannot be shown as such,
   * and must not be hidden.
   */
  readonly unreadable: readonly RecordedEvent[];
}

/**
 * The attempts in events of `calls-<taskId>` or `refusals-<host>`, in their order. A response and its release name their
 * attempt; an outcome belongs to the latest one that was allowed before it.
 */
export function attemptsOf(events: readonly RecordedEvent[]): Attempts {
  const attempts: Attempt[] = [];
  const unreadable: RecordedEvent[] = [];
  const byNumber = new Map<string, Attempt>();
  const filtered = new Map<string, NonNullable<Attempt['filtered']>>();
  const allowed = new Map<string, Attempt>();
  for (const event of events) {
    const envelope = readCall(event);
    if (envelope === undefined) {
      if (isOfCalls(event)) unreadable.push(event);
    } else if (envelope.type === 'CallDecided' || envelope.type === 'CallRefused') {
      const { data: decided } = envelope;
      const attempt: Attempt = { event, envelope, decided, refused: envelope.type === 'CallRefused' };
      attempts.push(attempt);
      if (attempt.refused) continue;
      const key = `${decided.callId}#${decided.attempt}`;
      byNumber.set(key, attempt);
      const before = filtered.get(key);
      if (before !== undefined) attempt.filtered = before;
      if (decided.decision === 'allow') allowed.set(decided.callId, attempt);
    } else if (envelope.type === 'ResponseValidated') {
      const { data: validated } = envelope;
      const attempt = byNumber.get(`${validated.callId}#${validated.attempt}`);
      if (attempt !== undefined) attempt.response = { event, validated, at: envelope.time };
    } else if (envelope.type === 'ResponseReleased') {
      const { callId, attempt: number, reason } = envelope.data;
      const attempt = byNumber.get(`${callId}#${number}`);
      if (attempt !== undefined) attempt.released = { event, by: envelope.actor, at: envelope.time, reason };
    } else if (envelope.type === 'ContextFiltered') {
      filtered.set(`${envelope.data.callId}#${envelope.data.attempt}`, { event, data: envelope.data });
    } else if (envelope.type === 'OutcomeRecorded') {
      const attempt = allowed.get(envelope.data.callId);
      if (attempt !== undefined) attempt.outcome = { event, recorded: envelope.data };
    }
  }
  return { attempts, unreadable };
}

const isOfCalls = ({ stream }: RecordedEvent): boolean => families.calls.has(stream) || families.refusals.has(stream);

/** An event of a call that is whole, and whose data has the shape of its type in every member; else undefined. */
function readCall(event: RecordedEvent): EventsOf<'calls'> | EventsOf<'refusals'> | undefined {
  if (!isOfCalls(event) || !isWhole(event)) return undefined;
  const read = readOnce(event);
  if (read?.ok !== true) return undefined;
  const { value } = read;
  return families.calls.owns(value) || families.refusals.owns(value) ? value : undefined;
}
