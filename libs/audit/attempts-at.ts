import { isHeld } from '../calls/decider.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { attemptsOf, type Attempt } from './attempts.js';
import { eventsAt } from './events-at.js';
import type { Reference } from './index/messages.js';
import type { IndexReading } from './index/reading.js';
import { isShowable } from './soundness.js';

/** The index names an event that the log does not have, or has damaged. */
export interface LostAttempt {
  readonly reference: Reference;
  readonly lost: 'damaged' | 'missing';
}

export type FoundAttempt = { readonly reference: Reference; readonly attempt: Attempt } | LostAttempt;

/**
 * The attempts at these places, each with its response and outcome: no other event of their streams is read. The log
 * decides what they are, and the index only where. Throws `LogUnavailable`.
 */
export async function attemptsAt(
  log: Pick<LogReading, 'read'>,
  references: readonly Reference[],
): Promise<FoundAttempt[]> {
  const events = await eventsAt(log, references.flatMap(placesOf));
  const found = references.map((reference): FoundAttempt => {
    const [decided, ...others] = placesOf(reference).map((place) => events.get(payloadPlace(place)));
    if (decided?.position !== reference.position) return { reference, lost: 'missing' };
    if (!isShowable(decided)) return { reference, lost: 'damaged' };
    const [attempt] = attemptsOf([decided, ...others].filter((event) => event !== undefined)).attempts;
    // The event there is no decision: the index is wrong.
    if (attempt?.event !== decided) return { reference, lost: 'missing' };
    return { reference, attempt: withLosses(attempt, reference) };
  });
  const whole = await withFilters(
    log,
    found.flatMap((each) => ('attempt' in each ? [each.attempt] : [])),
  );
  const next = whole.values();
  return found.map((each) => ('attempt' in each ? { ...each, attempt: next.next().value ?? each.attempt } : each));
}

/** Attempts with their records of the filter, of which each is the event before its decision. Throws `LogUnavailable`. */
export async function withFilters(
  log: Pick<LogReading, 'read'>,
  attempts: readonly Attempt[],
): Promise<readonly Attempt[]> {
  const lacking = attempts.filter(({ decided, filtered }) => decided.filtered === true && filtered === undefined);
  if (lacking.length === 0) return attempts;
  const events = await eventsAt(
    log,
    lacking.map(({ event }) => placeBefore(event)),
  );
  return attempts.map((attempt) => {
    if (!lacking.includes(attempt)) return attempt;
    const before = placeBefore(attempt.event);
    const event = events.get(payloadPlace(before));
    const [read] = event === undefined ? [] : attemptsOf([event, attempt.event]).attempts;
    if (read?.filtered !== undefined) return { ...attempt, filtered: read.filtered };
    return { ...attempt, lost: { ...attempt.lost, filtered: before.revision } };
  });
}

/** Attempts of a page with the responses and outcomes that are events of later pages. */
export async function completed(
  { log, index }: { readonly log: LogReading; readonly index: IndexReading },
  attempts: readonly Attempt[],
  end: bigint,
): Promise<Attempt[]> {
  const references = new Map<Attempt, Reference>();
  for (const attempt of attempts) {
    const { decided, refused, event } = attempt;
    if (refused || decided.decision === 'deny' || isComplete(attempt)) continue;
    const known = await index.attempts(decided.callId);
    const own = known.find(({ stream, revision }) => stream === event.stream && revision === event.revision);
    if (own?.response !== undefined || own?.outcome !== undefined) references.set(attempt, own);
  }
  const found = await attemptsAt(log, [...references.values()]);
  const whole = new Map(found.flatMap((each) => ('attempt' in each ? [[each.reference, each.attempt] as const] : [])));
  const isIn = (event: RecordedEvent | undefined) => event !== undefined && event.position <= end;
  return attempts.map((attempt) => {
    const reference = references.get(attempt);
    const more = reference && whole.get(reference);
    if (more === undefined) return attempt;
    return {
      ...attempt,
      ...(isIn(more.response?.event) ? { response: more.response } : {}),
      ...(isIn(more.released?.event) ? { released: more.released } : {}),
      ...(isIn(more.outcome?.event) ? { outcome: more.outcome } : {}),
      ...(more.lost ? { lost: more.lost } : {}),
    };
  });
}

/** Nothing can follow on an attempt that has all of its events. */
const isComplete = ({ response, released, outcome }: Attempt): boolean =>
  response !== undefined && outcome !== undefined && (released !== undefined || !isHeld(response.validated));

const placeBefore = ({ stream, revision }: Pick<RecordedEvent, 'stream' | 'revision'>) => ({
  stream,
  revision: revision - 1,
});

const placesOf = ({ stream, revision, response, released, outcome }: Reference) =>
  [revision, response, released, outcome].flatMap((each) => (each === undefined ? [] : [{ stream, revision: each }]));

/** An attempt says which of its events the index knows and the log cannot show. */
function withLosses(attempt: Attempt, reference: Reference): Attempt {
  const response = attempt.response === undefined ? reference.response : undefined;
  const released = attempt.released === undefined ? reference.released : undefined;
  const outcome = attempt.outcome === undefined ? reference.outcome : undefined;
  const lost = defined({ response, released, outcome });
  return Object.keys(lost).length === 0 ? attempt : { ...attempt, lost };
}
