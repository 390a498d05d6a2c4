import { CloudEvent, Kafka } from 'cloudevents';
import type { RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import type { OutgoingRecord } from './port.js';

type Tail = Readonly<Record<'id' | 'schemaVersion' | 'stream' | 'time' | 'type', string>> & { traceId?: string };

const DATA = ',"data":';
const ID = ',"id":"';

/**
 * `ce_source`: the installation by the key that it signs beats with, and the incarnation of its log. Positions of two
 * incarnations cannot be compared.
 */
export const sourceOf = (kid: string, incarnation: number): string => `urn:sallyport:${kid}:${incarnation}`;

/**
 * An event of the log as a CloudEvent 1.0 in binary mode. Its data is sent as the recorded text. The members of that
 * text are in the order of RFC 8785, so `data` is between the first `,"data":` and the last `,"id":"`; within strings
 * every quote is escaped. `source` is what `sourceOf` returns.
 */
export function cloudEventOf({ json, position, stream }: RecordedEvent, source: string): OutgoingRecord {
  const dataAt = json.indexOf(DATA);
  const idAt = json.lastIndexOf(ID);
  if (dataAt < 0 || idAt < dataAt) throw new Error(`an event of ${stream} is not as it was written`);
  const tail = JSON.parse(`{${json.slice(idAt + 1)}`) as Tail;
  const event = new CloudEvent(
    defined({
      id: tail.id,
      type: `sallyport.${tail.type}.v${tail.schemaVersion}`,
      source,
      subject: stream,
      time: tail.time,
      datacontenttype: 'application/json',
      position: String(position),
      traceparent: tail.traceId === undefined ? undefined : traceparentOf(tail.traceId, tail.id),
    }),
    // Our events always pass this check, and it takes longer than everything else.
    false,
  );
  return { key: stream, value: json.slice(dataAt + DATA.length, idAt), headers: headersOf(event) };
}

/** Headers as the Kafka binding defines them: none for absent members, and the content type under its own name. */
function headersOf(event: CloudEvent): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(Kafka.binary(event).headers)) {
    if (typeof value === 'string' && name !== 'ce_datacontenttype') headers[name] = value;
  }
  return headers;
}

/** Names the event itself as the span: 16 hex digits of its id, which are never all zero. */
const traceparentOf = (traceId: string, id: string): string =>
  `00-${traceId}-${id.replaceAll('-', '').slice(0, 16)}-01`;
