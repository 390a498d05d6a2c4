import type { Event } from '../../libs/event-log/event.js';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { ocsfOf } from '../../libs/siem/ocsf-of.js';
import type { OcsfEvent } from '../../libs/siem/ocsf.js';
import { namesIn, readJson } from '../golden/files.js';

/** An event as a log returns it. */
export const recordedOf = (event: Event, position = 1n): RecordedEvent => ({
  ...event,
  json: canonicalJson(event),
  position,
});

/** The newest golden event of each type. */
export function goldenEvents(): Map<string, Event> {
  const events = namesIn('events').map((name) => readJson<Event>('events', name));
  const newest = new Map<string, Event>();
  for (const event of events) {
    if ((newest.get(event.type)?.schemaVersion ?? 0) < event.schemaVersion) newest.set(event.type, event);
  }
  return newest;
}

/** The OCSF event of each of them; without those that are left out. A release does not change it. */
export function goldenOcsf(): Map<string, OcsfEvent> {
  const all = new Map<string, OcsfEvent>();
  for (const [type, event] of goldenEvents()) {
    const mapped = ocsfOf(recordedOf(event));
    if (mapped !== undefined) all.set(type, ofAnyRelease(mapped));
  }
  return all;
}

function ofAnyRelease(event: OcsfEvent): OcsfEvent {
  const product = { ...(event.metadata['product'] as object), version: '0.0.0' };
  return { ...event, metadata: { ...event.metadata, product } };
}
