import { z } from 'zod';
import { FreeObject } from '../vocabulary/ids.js';
import { components } from './components.js';

/** A JSON Schema (2020-12), or another JSON object of a description. */
export type JsonSchema = Record<string, unknown>;

/** Writes the schemas of the contract as JSON Schemas. Those that have a name are collected, and referred to by it. */
export class JsonSchemas {
  /** By their names. */
  readonly named: Record<string, JsonSchema> = {};

  /** `prefix`: of a reference to a named schema. */
  constructor(private readonly prefix: string) {}

  /** The values that a schema accepts. Members that it does not name may be there, unless the schema is strict. */
  of(schema: z.ZodType): JsonSchema {
    const {
      $schema: _,
      $defs = {},
      ...written
    } = z.toJSONSchema(schema, {
      io: 'input',
      metadata: components,
      // A custom check has no JSON Schema; its description says what it wants.
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        if (zodSchema === FreeObject) jsonSchema.type = 'object';
        asList(jsonSchema);
        const { description } = z.globalRegistry.get(zodSchema) ?? {};
        if (description !== undefined) jsonSchema.description ??= description;
      },
    });
    for (const [id, each] of Object.entries($defs)) this.named[id] ??= this.referring(each);
    return this.referring(written);
  }

  /** References into the schema itself become references to named schemas. */
  private referring(schema: object): JsonSchema {
    const text = JSON.stringify(schema).replaceAll('"#/$defs/', `"${this.prefix}`);
    const { id: _, ...written } = JSON.parse(text) as JsonSchema;
    return written;
  }
}

/**
 * Writes a tuple as a list of its length, because generators of clients do not know `items: false`. Equal places are
 * written once.
 */
function asList(schema: z.core.JSONSchema.BaseSchema): void {
  const { prefixItems: [place, ...others] = [], items } = schema;
  if (place === undefined || items !== false) return;
  schema.minItems = others.length + 1;
  schema.maxItems = others.length + 1;
  delete schema.items;
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(place))) return;
  delete schema.prefixItems;
  schema.items = place;
}
