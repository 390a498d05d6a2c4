import type { CapabilityEvent } from '../capability/events.js';
import type { Target } from '../directive/target.js';
import { parseEvent } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import type { History } from './history.js';
import { subjectOf, type Moment } from './known-directives.js';
import { byPosition } from './stored-event.js';

/** Up to where the history of a capability belongs to a call; without either bound up to now. */
export interface Window {
  readonly position?: bigint | undefined;
  readonly time?: Instant | undefined;
}

/** Whose call it is: a directive may stop its host or its task rather than the capability. */
export interface Caller {
  readonly capability: string;
  readonly host: string;
  readonly taskId: string;
}

/**
 * What happened to a capability from its registration on: every event of its stream, and the directives that stop it,
 * any of its versions and operations, or the caller's host or task, with their lifting. In order of position.
 */
export async function capabilityHistory(history: History, caller: Caller, window: Window): Promise<RecordedEvent[]> {
  const within = ({ position, json }: RecordedEvent) => isWithin({ position, time: parseEvent(json).time }, window);
  const own = (await history.events(`capability-${caller.capability}`)).filter(within);
  const directives = await history.directivesAbout(subjectsOf(caller, own), (at) => isWithin(at, window));
  return [...own, ...directives].sort(byPosition);
}

function isWithin(at: Pick<Moment, 'position' | 'time'>, { position, time }: Window): boolean {
  return (position === undefined || at.position <= position) && (time === undefined || at.time <= time);
}

/** By what the capability has been so far: its category, its publishers, the sources and effects of all its versions. */
function subjectsOf({ capability, host, taskId }: Caller, events: readonly RecordedEvent[]): Set<string> {
  const subjects = new Set<string>();
  const add = (target: Target) => subjects.add(subjectOf(target));
  add({ type: 'all' });
  add({ type: 'capability', capability });
  add({ type: 'host', host });
  add({ type: 'task', taskId });
  for (const { json } of events) {
    const event = parseEvent(json) as unknown as CapabilityEvent;
    if (event.type === 'CapabilityRegistered') {
      add({ type: 'category', category: event.data.category });
      for (const publisher of event.data.publishers) add({ type: 'publisher', publisher });
    } else if (event.type === 'VersionProposed') {
      const { source, operations } = event.data;
      add({ type: 'source', source: `${source.type}:${source.name}` });
      for (const { effects } of Object.values(operations))
        for (const effect of effects) add({ type: 'effect', effect });
    }
  }
  return subjects;
}
