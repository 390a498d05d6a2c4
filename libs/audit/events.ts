import { capabilityEventSchemas } from '../capability/events.js';
import type { EventsQuery } from '../contract/audit.js';
import type { ControlView } from '../control/control-view.js';
import { directiveEventSchemas } from '../directive/decider.js';
import { parseEvent } from '../event-log/event.js';
import type { EventLog, RecordedEvent } from '../event-log/port.js';
import { isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { policyEventSchemas } from '../policy/decider.js';
import { principalEventSchemas } from '../principal/decider.js';
import { RELAY_CATEGORY } from '../relay/events.js';
import { storedEvent, type StoredEvent } from './stored-event.js';

const DEFAULT_EVENTS = 100;
/** Events that one request looks at; past it the page ends, with a cursor, however little has matched. */
const MAX_SCANNED = 5_000;
const PAGE_EVENTS = 500;

/**
 * Events of the log after a position, in its order. `next` is the cursor of the following page and is absent at the end
 * of the log; it moves on also where nothing matched. A page may hold a few more than `limit`: events of one position
 * stay together. Throws `LogUnavailable`.
 */
export async function readEvents(
  log: EventLog,
  view: ControlView,
  { after = '0', cursor = after, types, capability, limit = DEFAULT_EVENTS }: EventsQuery,
): Promise<{ items: StoredEvent[]; next?: string }> {
  const wanted = types === undefined ? undefined : new Set(types.split(','));
  const categories = wanted === undefined ? undefined : categoriesOf(wanted);
  const items: StoredEvent[] = [];
  let at = BigInt(cursor);
  for (let scanned = 0; scanned < MAX_SCANNED;) {
    const page = await log.readAll(defined({ after: at, limit: PAGE_EVENTS, categories }));
    if (page.length === 0) return { items };
    for (const event of page) {
      if (items.length >= limit && event.position !== at) return { items, next: String(at) };
      at = event.position;
      if (wanted?.has(event.type) === false || isBookkeeping(event)) continue;
      if (capability === undefined || concerns(event, capability, view)) items.push(storedEvent(event));
    }
    scanned += page.length;
  }
  return { items, next: String(at) };
}

/** What a relay notes for itself says nothing of what was decided or changed. */
const isBookkeeping = ({ stream }: RecordedEvent): boolean => stream.startsWith(`${RELAY_CATEGORY}-`);

const CATEGORY_OF = new Map<string, string>([
  ...Object.keys(capabilityEventSchemas).map((type) => [type, 'capability'] as const),
  ...Object.keys(directiveEventSchemas).map((type) => [type, 'directives'] as const),
  ...Object.keys(policyEventSchemas).map((type) => [type, 'policy'] as const),
  ...Object.keys(principalEventSchemas).map((type) => [type, 'principal'] as const),
  ['TaskOpened', 'task'],
  ['CallCounted', 'task'],
  ['TaskClosed', 'task'],
  ['TaskJoined', 'trace'],
  ['CallDecided', 'calls'],
  ['ResponseValidated', 'calls'],
  ['OutcomeRecorded', 'calls'],
  ['CallRefused', 'refusals'],
]);

/** The streams in which these types stand, so that rare ones are found at once; undefined where one is not known here. */
function categoriesOf(types: ReadonlySet<string>): string[] | undefined {
  const categories = new Set<string>();
  for (const type of types) {
    const category = CATEGORY_OF.get(type);
    if (category === undefined) return undefined;
    categories.add(category);
  }
  return [...categories];
}

/**
 * Whether an event names a capability: its own, decisions about it, tasks that have it in scope, and directives against
 * it. Responses and outcomes name their call only: they are found by their trace.
 */
function concerns(event: RecordedEvent, capability: string, view: ControlView): boolean {
  if (event.stream === `capability-${capability}`) return true;
  const { data } = parseEvent(event.json);
  const names = (value: unknown) => isJsonObject(value) && ownValue(value, 'capability') === capability;
  if (names(data) || names(memberOf(data, 'target'))) return true;
  const scope = memberOf(data, 'scope');
  if (Array.isArray(scope)) return scope.some(names);
  if (event.type !== 'DirectiveLifted') return false;
  const id = memberOf(data, 'id');
  return typeof id === 'string' && names(view.directives().state.all.get(id)?.target);
}

function memberOf(data: unknown, name: string): Json | undefined {
  return isJsonObject(data) ? ownValue(data, name) : undefined;
}
