import type { CapabilityEvent } from '#libs/capability/events.js';
import type { DirectiveEvent } from '#libs/directive/decider.js';
import type { Target } from '#libs/directive/target.js';
import { parseEvent } from '#libs/event-log/event.js';
import type { RecordedEvent } from '#libs/event-log/port.js';
import type { Instant } from '#libs/kernel/time.js';
import type { History } from './history.js';
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
  const within = (event: RecordedEvent) => isWithin(event, window);
  const own = (await history.events(`capability-${caller.capability}`)).filter(within);
  const matches = matcherOf(caller, own);
  const directives: RecordedEvent[] = [];
  const matching = new Set<string>();
  for (const event of (await history.events('directives')).filter(within)) {
    const { type, data } = parseEvent(event.json) as unknown as DirectiveEvent;
    if (type === 'DirectiveIssued' && matches(data.target)) matching.add(data.id);
    if (matching.has(data.id)) directives.push(event);
  }
  return [...own, ...directives].sort(byPosition);
}

function isWithin(event: RecordedEvent, { position, time }: Window): boolean {
  if (position !== undefined && event.position > position) return false;
  return time === undefined || parseEvent(event.json).time <= time;
}

/** By what the capability has been so far: its category, its publishers, the sources and effects of all its versions. */
function matcherOf(
  { capability, host, taskId }: Caller,
  events: readonly RecordedEvent[],
): (target: Target) => boolean {
  const known = {
    category: new Set<string>(),
    publisher: new Set<string>(),
    source: new Set<string>(),
    effect: new Set<string>(),
  };
  for (const { json } of events) {
    const event = parseEvent(json) as unknown as CapabilityEvent;
    if (event.type === 'CapabilityRegistered') {
      known.category.add(event.data.category);
      for (const publisher of event.data.publishers) known.publisher.add(publisher);
    } else if (event.type === 'VersionProposed') {
      const { source, operations } = event.data;
      known.source.add(`${source.type}:${source.name}`);
      for (const { effects } of Object.values(operations)) for (const effect of effects) known.effect.add(effect);
    }
  }
  return (target) => {
    switch (target.type) {
      case 'all':
        return true;
      case 'capability':
      case 'version':
      case 'operation':
        return target.capability === capability;
      case 'host':
        return target.host === host;
      case 'task':
        return target.taskId === taskId;
      case 'publisher':
        return known.publisher.has(target.publisher);
      case 'source':
        return known.source.has(target.source);
      case 'category':
        return known.category.has(target.category);
      case 'effect':
        return known.effect.has(target.effect);
    }
  };
}
