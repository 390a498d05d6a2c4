import type { Target } from '../directive/target.js';
import { parseEvent } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import type { History } from './history.js';
import { subjectOf, type Moment } from './directive-timeline.js';
import { isWhole } from './soundness.js';
import { byPosition } from './stored-event.js';

/** The end of the history that belongs to a call. Without a bound it goes up to now. */
export interface Window {
  readonly position?: bigint | undefined;
  readonly time?: Instant | undefined;
}

/** The parties of a call: a directive may stop its host or its task instead of the capability. */
export interface CallParties {
  readonly capability: string;
  readonly host: string;
  readonly taskId: string;
}

/**
 * The history of a capability since its registration, in order of position: the events of its stream, and directives
 * with their lifting. The directives are those against the capability, its versions and operations, or the host or task
 * of the call.
 */
export async function capabilityHistory(
  history: History,
  parties: CallParties,
  window: Window,
): Promise<RecordedEvent[]> {
  // A damaged event has no time, so its position decides.
  const within = (event: RecordedEvent) =>
    isWithin({ position: event.position, time: isWhole(event) ? parseEvent(event.json).time : '' }, window);
  const own = (await history.events(families.capability.stream(parties.capability))).filter(within);
  const directives = await history.directivesAbout(subjectsOf(parties, own), (at) => isWithin(at, window));
  return [...own, ...directives].sort(byPosition);
}

function isWithin(at: Pick<Moment, 'position' | 'time'>, { position, time }: Window): boolean {
  return (position === undefined || at.position <= position) && (time === undefined || at.time <= time);
}

/**
 * The subjects of directives that concern the call: also the category, publishers, sources and effects of all versions.
 */
function subjectsOf({ capability, host, taskId }: CallParties, events: readonly RecordedEvent[]): Set<string> {
  const subjects = new Set<string>();
  const add = (target: Target) => subjects.add(subjectOf(target));
  add({ type: 'all' });
  add({ type: 'capability', capability });
  add({ type: 'host', host });
  add({ type: 'task', taskId });
  for (const event of events) addSubjectsOf(event, add);
  return subjects;
}

/**
 * The event is read as folding reads it: decisions rest on members that the whole schema may refuse. An event that cannot
 * be folded is shown, and names no subject; every decision that rests on it is `Damage`.
 */
function addSubjectsOf(recorded: RecordedEvent, add: (target: Target) => void): void {
  if (!isWhole(recorded)) return;
  try {
    const event = families.capability.read(recorded.json);
    if (event.type === 'CapabilityRegistered') {
      add({ type: 'category', category: event.data.category });
      for (const publisher of event.data.publishers) add({ type: 'publisher', publisher });
    } else if (event.type === 'VersionProposed') {
      const { source, operations } = event.data;
      add({ type: 'source', source: `${source.type}:${source.name}` });
      for (const { effects } of Object.values(operations))
        for (const effect of effects) add({ type: 'effect', effect });
    }
  } catch {
    // The members before the damaged one keep their subjects.
  }
}
