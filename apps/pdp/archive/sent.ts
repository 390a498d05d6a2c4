import type { LogReading } from '../../../libs/event-log/port.js';
import { families } from '../../../libs/streams/catalogue.js';
import type { LaneName } from '../../../libs/streams/relay-events.js';
import type { Settings } from '../settings.js';

/**
 * The position up to which every lane of the settings has sent the log to Kafka or a SIEM. Without lanes, all of it.
 * Throws `LogUnavailable`.
 */
export async function sentTo({ kafka, siem }: Pick<Settings, 'kafka' | 'siem'>, log: LogReading): Promise<bigint> {
  const lanes: LaneName[] = [];
  if (kafka !== undefined) lanes.push('events');
  if (kafka !== undefined && siem.kafka) lanes.push('siem-kafka');
  if (siem.file !== undefined) lanes.push('siem-file');
  if (siem.otlp !== undefined) lanes.push('siem-otlp');
  let sent = await log.end();
  for (const lane of lanes) {
    const stream = families.relay.stream(lane);
    const head = await log.head(stream);
    const [last] = head === 0 ? [] : await log.read(stream, head - 1, 1);
    const position = last === undefined ? 0n : BigInt(families.relay.read(last.json).data.position);
    if (position < sent) sent = position;
  }
  return sent;
}
