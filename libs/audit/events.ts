import type { EventsQuery } from '../contract/audit.js';
import { parseEvent } from '../event-log/event.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { categoriesOf, families, familyOf } from '../streams/catalogue.js';
import { ocsfOf } from '../siem/ocsf-of.js';
import type { OcsfEvent } from '../siem/ocsf.js';
import type { DirectiveHistory } from './directive-history.js';
import { storedEvent, type StoredEvent } from './stored-event.js';

const DEFAULT_EVENTS = 100;
/** Events that one request examines. Then the page ends with a cursor, even if few events matched. */
const MAX_SCANNED = 5_000;
const PAGE_EVENTS = 500;

/**
 * Events of the log after a position, in its order. `next` is the cursor of the following page and is absent at the end
 * of the log; it advances even if nothing matched. A page may hold a few more than `limit`: events of one position stay
 * together. Throws `LogUnavailable`.
 */
export async function readEvents(
  log: LogReading,
  directives: DirectiveHistory,
  { after = '0', cursor = after, types, capability, format = 'json', limit = DEFAULT_EVENTS }: EventsQuery,
): Promise<{ items: (StoredEvent | OcsfEvent)[]; next?: string }> {
  const itemOf = format === 'ocsf' ? ocsfOf : storedEvent;
  const wanted = types === undefined ? undefined : new Set(types.split(','));
  const categories = wanted === undefined ? undefined : categoriesOf(wanted);
  // A lifting names its directive only, and the directive names the capability.
  if (capability !== undefined) await directives.refresh();
  const items: (StoredEvent | OcsfEvent)[] = [];
  let at = BigInt(cursor);
  for (let scanned = 0; scanned < MAX_SCANNED;) {
    const page = await log.readAll(defined({ after: at, limit: PAGE_EVENTS, categories }));
    if (page.length === 0) return { items };
    for (const event of page) {
      if (items.length >= limit && event.position !== at) return { items, next: String(at) };
      at = event.position;
      if (wanted?.has(event.type) === false || isBookkeeping(event)) continue;
      if (capability !== undefined && !concerns(event, capability, directives)) continue;
      const item = itemOf(event);
      if (item !== undefined) items.push(item);
    }
    scanned += page.length;
  }
  return { items, next: String(at) };
}

/** The progress of a relay says nothing about what was decided or changed. */
const isBookkeeping = ({ stream }: RecordedEvent): boolean => familyOf(stream)?.role === 'bookkeeping';

/**
 * Whether an event names a capability: its own, decisions about it, tasks that have it in scope, and directives against
 * it. Responses and outcomes name their call only: they are found by their trace.
 */
function concerns(event: RecordedEvent, capability: string, directives: DirectiveHistory): boolean {
  if (event.stream === families.capability.stream(capability)) return true;
  const { data } = parseEvent(event.json);
  const names = (value: unknown) => isJsonObject(value) && ownValue(value, 'capability') === capability;
  if (names(data) || names(memberOf(data, 'target'))) return true;
  const scope = memberOf(data, 'scope');
  if (Array.isArray(scope)) return scope.some(names);
  if (event.type !== 'DirectiveLifted') return false;
  const id = memberOf(data, 'id');
  return typeof id === 'string' && names(directives.targetOf(id));
}

function memberOf(data: unknown, name: string): Json | undefined {
  return isJsonObject(data) ? ownValue(data, name) : undefined;
}
