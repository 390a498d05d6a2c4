import { z } from 'zod';

/** The name and documentation of a schema in `/openapi.json`. */
export interface Component {
  /** The name under `components/schemas`; unique. */
  readonly id: string;
  readonly description?: string;
  /** Each is valid against the schema. */
  readonly examples?: readonly unknown[];
}

/**
 * Schemas with names. A registry of our own, not zod's global one: a process may hold two copies of this module, one of
 * the service and one of the compiled SDK.
 */
export const components = z.registry<Component>();

/** Gives a schema its name in the contract. */
export function named<Schema extends z.ZodType>(id: string, schema: Schema, more: Omit<Component, 'id'> = {}): Schema {
  components.add(schema, { id, ...more });
  return schema;
}
