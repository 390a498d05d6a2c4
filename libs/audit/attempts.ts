import { CallDecided, OutcomeRecorded, ResponseValidated } from '../calls/events.js';
import { parseEvent, type Event } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';

/** One recorded attempt at a call, with what came of it. */
export interface Attempt {
  /** Its CallDecided or CallRefused. */
  readonly event: RecordedEvent;
  readonly envelope: Event;
  readonly decided: CallDecided;
  /** Refused: it belongs to no task, and nothing of its content was kept. */
  readonly refused: boolean;
  response?: { readonly event: RecordedEvent; readonly validated: ResponseValidated };
  outcome?: OutcomeRecorded;
}

export interface Attempts {
  readonly attempts: readonly Attempt[];
  /** Decisions whose record is not one: they cannot be shown or decided again, and must not go unseen. */
  readonly unreadable: readonly RecordedEvent[];
}

/**
 * The attempts in events of `calls-<taskId>` or `refusals-<host>`, in their order. A response names its attempt; an
 * outcome belongs to the latest one that was allowed before it.
 */
export function attemptsOf(events: readonly RecordedEvent[]): Attempts {
  const attempts: Attempt[] = [];
  const unreadable: RecordedEvent[] = [];
  const byNumber = new Map<string, Attempt>();
  const allowed = new Map<string, Attempt>();
  for (const event of events) {
    const envelope = parseEvent(event.json);
    const { data } = envelope;
    if (event.type === 'CallDecided' || event.type === 'CallRefused') {
      if (!CallDecided.safeParse(data).success) {
        unreadable.push(event);
        continue;
      }
      // As it was recorded: what a schema hands back may have been normalised.
      const decided = data as CallDecided;
      const attempt: Attempt = { event, envelope, decided, refused: event.type === 'CallRefused' };
      attempts.push(attempt);
      if (attempt.refused) continue;
      byNumber.set(`${decided.callId}#${decided.attempt}`, attempt);
      if (decided.decision === 'allow') allowed.set(decided.callId, attempt);
    } else if (event.type === 'ResponseValidated' && ResponseValidated.safeParse(data).success) {
      const validated = data as ResponseValidated;
      const attempt = byNumber.get(`${validated.callId}#${validated.attempt}`);
      if (attempt !== undefined) attempt.response = { event, validated };
    } else if (event.type === 'OutcomeRecorded' && OutcomeRecorded.safeParse(data).success) {
      const outcome = data as OutcomeRecorded;
      const attempt = allowed.get(outcome.callId);
      if (attempt !== undefined) attempt.outcome = outcome;
    }
  }
  return { attempts, unreadable };
}
