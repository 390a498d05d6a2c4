import type { DamagedEvent, MissingEvent } from '../contract/evidence.js';
import type { HeldResponse, ResponseQuery } from '../contract/responses.js';
import type { LogReading } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Attempt } from './attempts.js';
import { attemptsAt } from './attempts-at.js';
import { cursorOf, placeIn } from './cursor.js';
import { releaseOf } from './evidence.js';
import type { IndexReading } from './index/reading.js';
import { lostItem } from './stored-event.js';

interface Asked {
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
  { query: { state = 'held', task }, page: { limit, cursor } }: Asked,
): Promise<Result<{ items: Listed[]; next?: string }, Refusal>> {
  const before = placeIn(cursor);
  if (!before.ok) return err(before.error);
  const { references, next } = await index.calls({ held: state, task }, limit, before.value);
  const found = await attemptsAt(log, references);
  const items = found.flatMap((each): Listed[] => {
    if (!('attempt' in each)) return [lostItem(each)];
    const held = heldOf(each.attempt);
    return held === undefined ? [] : [held];
  });
  return ok(defined({ items, next: next === undefined ? undefined : cursorOf(next) }));
}

function heldOf({ decided, envelope, response, released }: Attempt): HeldResponse | undefined {
  if (response === undefined) return undefined;
  const { callId, taskId, host, capability, version = null, operation } = decided;
  const { findings, leftOut } = response.validated;
  return defined({
    callId,
    taskId,
    traceId: envelope.traceId ?? null,
    host,
    capability,
    version,
    operation,
    state: released === undefined ? ('held' as const) : ('released' as const),
    heldAt: response.at,
    findings,
    leftOut,
    released: releaseOf(released),
    position: String(response.event.position),
  });
}
