import { z } from 'zod';
import { families } from '../streams/catalogue.js';
import { versionOf } from '../streams/event-types.js';
import type { StreamFamily } from '../streams/family.js';
import { TraceId } from '../vocabulary/ids.js';
import { FORMS } from './forms.js';

/** The schema of what is published of an event that the service cannot read. */
export const UNREADABLE = 'Unreadable.v1';

/** The place of the schemas within `/asyncapi.json`, as a JSON Pointer. */
export const SCHEMAS_POINTER = '#/components/schemas/';

/** A JSON Schema (draft 7, as AsyncAPI 3.0 and schema registries read it). */
export type DataSchema = Readonly<Record<string, unknown>>;

/** The schema of the data of one event type, as it is published. */
export interface PublishedSchema {
  /** `<Type>.v<version>`. */
  readonly name: string;
  readonly type: string;
  /** The key of the records: the stream, with `<id>` for its id. */
  readonly key: string;
  readonly schema: DataSchema;
}

const Unreadable = z.strictObject({ unreadable: z.enum(['unknown_type', 'newer_version', 'malformed']) });

/** The schemas of everything that is published, in the order of the catalogue. They allow no other members. */
export function publishedSchemas(): PublishedSchema[] {
  const relayed: readonly StreamFamily[] = Object.values(families).filter(({ role }) => role !== 'bookkeeping');
  const forms: Readonly<Record<string, { readonly schema: z.ZodObject } | undefined>> = FORMS;
  const known = relayed.flatMap(({ category, types, description: { id } }) =>
    Object.entries(types).map(([type, described]) => {
      const schema = forms[type]?.schema ?? described.schema;
      if (!(schema instanceof z.ZodObject)) throw new TypeError(`${type} needs a published form`);
      return {
        name: `${type}.v${versionOf(described)}`,
        type,
        key: id === undefined ? category : `${category}-<${id}>`,
        schema: jsonSchemaOf(schema.extend({ traceId: TraceId.optional() })),
      };
    }),
  );
  return [...known, { name: UNREADABLE, type: 'Unreadable', key: '<stream>', schema: jsonSchemaOf(Unreadable) }];
}

/** Throws if a schema has a part that JSON Schema cannot express: what is published is described exactly. */
function jsonSchemaOf(schema: z.ZodType): DataSchema {
  const { $schema: _, ...written } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
  return written;
}

/**
 * `ce_dataschema` of a schema: its place in the service's `/asyncapi.json` if the public address of the service is known,
 * else a URN. CloudEvents demands an absolute URI.
 */
export function dataSchemaUri(name: string, publicUrl: string | undefined): string {
  return publicUrl === undefined
    ? `urn:sallyport:event:${name}`
    : `${publicUrl}/asyncapi.json${SCHEMAS_POINTER}${name}`;
}
