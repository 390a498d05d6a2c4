import { z } from 'zod';
import { Beat } from '../../../libs/feed/beat.js';
import { DIRECTIVES_TOPIC } from '../../../libs/feed/kafka/kafka-feed.js';
import { OcsfEvent } from '../../../libs/contract/evidence.js';
import { EVENTS_TOPIC, SIEM_TOPIC } from '../../../libs/relay/outlets.js';
import { publishedSchemas, SCHEMAS_POINTER, type PublishedSchema } from '../../../libs/published/schemas.js';
import type { Schema } from './schema.js';

interface Reference {
  readonly $ref: string;
}

interface Message {
  readonly name: string;
  readonly summary: string;
  readonly contentType: 'application/json';
  readonly headers?: Schema;
  readonly payload: Schema;
  readonly bindings: { readonly kafka: { readonly key: Schema; readonly bindingVersion: string } };
}

interface Channel {
  readonly address: string;
  readonly description: string;
  readonly messages: Readonly<Record<string, Reference>>;
  readonly bindings: { readonly kafka: Readonly<Record<string, unknown>> };
}

/** The members of an AsyncAPI 3.0 document that ours uses. */
export interface AsyncApi {
  readonly asyncapi: '3.0.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly defaultContentType: 'application/json';
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<Record<string, object>>;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

const BINDING = { bindingVersion: '0.5.0' } as const;

/** The CloudEvents attributes of a record (CloudEvents Kafka binding 1.0.2, binary content mode). */
const EventHeaders = z.object({
  ce_specversion: z.literal('1.0'),
  ce_id: z.uuid().describe('The id of the event. A record that is sent again has the same id.'),
  ce_type: z.string().describe('`sallyport.<EventType>.v<schemaVersion>`'),
  ce_source: z.string().describe('The installation, and the incarnation of its log.'),
  ce_subject: z.string().describe('The stream.'),
  ce_time: z.iso.datetime(),
  ce_position: z
    .string()
    .regex(/^\d{1,20}$/)
    .describe('The position. Drop a record whose position is at or below the last one in its partition.'),
  ce_dataschema: z
    .string()
    .describe('The schema of the value. With `SALLYPORT_PUBLIC_URL` it points into this document, else it is a URN.'),
  ce_traceparent: z.string().optional().describe('W3C trace context; present if the event belongs to a trace.'),
  'content-type': z.literal('application/json'),
});

/** The topics that the relay writes. The messages of the events topic come from the catalogue of events. */
export function asyncApiOf(version: string): AsyncApi {
  const schemas = publishedSchemas();
  const events = Object.fromEntries(schemas.map((schema) => [schema.type, eventMessage(schema)]));
  const messages = { ...events, Beat: beatMessage, OcsfEvent: ocsfMessage };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Sallyport on Kafka',
      version,
      description:
        'The records that the service writes to Kafka, if brokers are configured. No payload is ever among them.',
    },
    defaultContentType: 'application/json',
    channels: {
      events: {
        address: EVENTS_TOPIC,
        description:
          'Every event of the log as a CloudEvent 1.0 in binary mode, at least once, in its published form. The order holds ' +
          'within a partition. ' +
          'The key is the stream.',
        messages: referencesTo('messages', Object.keys(events)),
        bindings: { kafka: { topic: EVENTS_TOPIC, topicConfiguration: { 'cleanup.policy': ['delete'] }, ...BINDING } },
      },
      siem: siemChannel(),
      directives: {
        address: DIRECTIVES_TOPIC,
        description:
          'The directive feed: the full state of each directive by its id, and a signed heartbeat each second by the key ' +
          '`heartbeat`. Ignore an epoch that is lower than the last one of its key.',
        messages: referencesTo('messages', ['Beat']),
        bindings: {
          kafka: {
            topic: DIRECTIVES_TOPIC,
            partitions: 1,
            topicConfiguration: { 'cleanup.policy': ['compact'] },
            ...BINDING,
          },
        },
      },
    },
    operations: {
      sendEvents: {
        action: 'send',
        channel: { $ref: '#/channels/events' },
        summary: 'Relays the log to other programs.',
      },
      sendOcsfEvents: {
        action: 'send',
        channel: { $ref: '#/channels/siem' },
        summary: 'Tells SIEMs what happens.',
      },
      sendDirectives: {
        action: 'send',
        channel: { $ref: '#/channels/directives' },
        summary: 'Tells hosts what is stopped.',
      },
    },
    components: {
      messages,
      schemas: {
        EventHeaders: schemaOf(EventHeaders),
        ...Object.fromEntries(schemas.map(({ name, schema }) => [name, schema as Schema])),
      },
    },
  };
}

/** One message for each event type. Its payload is a named schema, which `ce_dataschema` points to. */
function eventMessage({ name, type, key }: PublishedSchema): Message {
  return {
    name: `sallyport.${name}`,
    summary: type === 'Unreadable' ? 'An event that this version cannot read.' : `An event of a stream \`${key}\`.`,
    contentType: 'application/json',
    headers: { $ref: '#/components/schemas/EventHeaders' },
    payload: { $ref: `${SCHEMAS_POINTER}${name}` },
    bindings: { kafka: { key: { type: 'string', description: key }, bindingVersion: BINDING.bindingVersion } },
  };
}

const siemChannel = (): Channel => ({
  address: SIEM_TOPIC,
  description:
    'Every event of the log as OCSF 1.9, for a SIEM, at least once and without content. The key is the trace id, or the ' +
    'stream if there is no trace. Drop an event whose `metadata.uid` was seen.',
  messages: referencesTo('messages', ['OcsfEvent']),
  bindings: { kafka: { topic: SIEM_TOPIC, topicConfiguration: { 'cleanup.policy': ['delete'] }, ...BINDING } },
});

const ocsfMessage: Message = {
  name: 'OcsfEvent',
  summary: 'An event in the form of OCSF 1.9. `sallyport siem sample` prints one of each type.',
  contentType: 'application/json',
  payload: schemaOf(OcsfEvent),
  bindings: {
    kafka: {
      key: { type: 'string', description: 'The trace id, or the stream.' },
      bindingVersion: BINDING.bindingVersion,
    },
  },
};

const beatMessage: Message = {
  name: 'Beat',
  summary: 'A directive in full, or a heartbeat; signed with a key of `/.well-known/jwks.json`.',
  contentType: 'application/json',
  payload: schemaOf(Beat),
  bindings: {
    kafka: {
      key: { type: 'string', description: 'The id of a directive, or `heartbeat`.' },
      bindingVersion: BINDING.bindingVersion,
    },
  },
};

/** The schema of the value as sent. It omits checks that JSON Schema cannot express. */
function schemaOf(schema: z.ZodType): Schema {
  const { $schema: _, ...written } = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'output',
    unrepresentable: 'any',
  });
  return written as Schema;
}

const referencesTo = (kind: string, names: readonly string[]): Record<string, Reference> =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/${kind}/${name}` }]));
