import type { DamagedEvent, MissingEvent } from '../contract/evidence.js';
import type { HeldResponse, ResponseQuery } from '../contract/responses.js';
import type { LogReading } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Refusal } from '../kernel/refusal.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { taskStatus } from '../task/decider.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Attempt } from './attempts.js';
import { attemptsAt } from './attempts-at.js';
import { cursorOf, placeIn } from './cursor.js';
import { releaseOf } from './evidence.js';
import { History } from './history.js';
import type { IndexReading } from './index/reading.js';
import { lostItem } from './stored-event.js';
import { taskStateOf } from './traced-tasks.js';

interface Asked {
  readonly now: Instant;
  readonly query: ResponseQuery;
  readonly page: { readonly limit: number; readonly cursor: string | undefined };
}

type Listed = HeldResponse | DamagedEvent | MissingEvent;

/**
 * A page of responses that are held or were released, without content. `next` is the opaque cursor of the following page.
 * Throws `LogUnavailable`, `IndexUnavailable`.
 */
export async function heldResponses(
  { log, index }: { readonly log: LogReading; readonly index: IndexReading },
  { query: { state = 'held', task }, now, page: { limit, cursor } }: Asked,
): Promise<Result<{ items: Listed[]; next?: string }, Refusal>> {
  const before = placeIn(cursor);
  if (!before.ok) return err(before.error);
  const { references, next } = await index.calls({ held: state, task }, limit, before.value);
  const found = await attemptsAt(log, references);
  const history = new History(log);
  const items: Listed[] = [];
  for (const each of found) {
    if (!('attempt' in each)) items.push(lostItem(each));
    else {
      const { taskId } = each.attempt.decided;
      const state = taskStateOf(await history.events(families.task.stream(taskId)));
      items.push(...heldOf(each.attempt, state && taskStatus(state, now)));
    }
  }
  return ok(defined({ items, next: next === undefined ? undefined : cursorOf(next) }));
}

function heldOf(
  { decided, envelope, response, released }: Attempt,
  status: HeldResponse['taskStatus'],
): HeldResponse[] {
  if (response === undefined) return [];
  const { callId, taskId, host, capability, version = null, operation } = decided;
  const { findings, leftOut } = response.validated;
  const held = defined({
    callId,
    taskId,
    traceId: envelope.traceId ?? null,
    host,
    capability,
    version,
    operation,
    state: released === undefined ? ('held' as const) : ('released' as const),
    taskStatus: status,
    heldAt: response.at,
    findings,
    leftOut,
    released: releaseOf(released),
    position: String(response.event.position),
  });
  return [held];
}
