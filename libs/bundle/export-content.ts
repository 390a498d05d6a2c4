import { isWhole } from '../audit/soundness.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { openPayload } from '../payloads/payload.js';
import { commitmentsOf } from './content.js';
import type { PayloadPart } from '../contract/bundle-format.js';

/**
 * The content of an event as a member of `payloads`. Undefined if the event has none, or its record is lost or damaged:
 * the verifier says so.
 */
export async function recordText(log: LogReading, key: Uint8Array, event: RecordedEvent): Promise<string | undefined> {
  const { stream, revision, json } = event;
  if (!isWhole(event) || commitmentsOf(json) === undefined) return undefined;
  const bytes = await log.payload(stream, revision);
  const place = payloadPlace(event);
  const opened = bytes === undefined ? undefined : openPayload(key, place, bytes);
  if (opened?.ok !== true) return undefined;
  const { parts, salts } = opened.value;
  const shown = Object.entries(parts)
    .sort(byName)
    .map(([name, value]): PayloadPart => {
      return [name, Buffer.from(salts[name] ?? []).toString('base64'), value];
    });
  return `${JSON.stringify(place)}:${JSON.stringify(shown)}`;
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);
