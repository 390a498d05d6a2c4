import { CloudEvent, Kafka } from 'cloudevents';
import type { RecordedEvent } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { published } from '../published/publish.js';
import { dataSchemaUri } from '../published/schemas.js';
import type { OutgoingRecord } from './port.js';

export interface CloudEventOptions {
  /** `ce_source` of every event. */
  readonly source: string;
  /** The address under which consumers reach the service; `ce_dataschema` begins with it. */
  readonly publicUrl?: string | undefined;
}

/**
 * `ce_source`: the installation by the key that it signs beats with, and the incarnation of its log. Positions of two
 * incarnations cannot be compared.
 */
export const sourceOf = (kid: string, incarnation: number): string => `urn:sallyport:${kid}:${incarnation}`;

/** An event of the log, in its published form, as a CloudEvent 1.0 in binary mode. */
export function cloudEventOf(recorded: RecordedEvent, { source, publicUrl }: CloudEventOptions): OutgoingRecord {
  const { stream, position } = recorded;
  const { event, schema, data } = published(recorded);
  const cloudEvent = new CloudEvent(
    defined({
      id: event.id,
      type: `sallyport.${event.type}.v${event.schemaVersion}`,
      source,
      subject: stream,
      time: event.time,
      datacontenttype: 'application/json',
      dataschema: dataSchemaUri(schema, publicUrl),
      position: String(position),
      traceparent: event.traceId === undefined ? undefined : traceparentOf(event.traceId, event.id),
    }),
    // Our events always pass this check, and it takes longer than everything else.
    false,
  );
  return { key: stream, value: JSON.stringify(data), headers: headersOf(cloudEvent) };
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
