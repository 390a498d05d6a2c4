import type { z } from 'zod';
import type { JsonObject } from '../kernel/canonical-json.js';

/** Free JSON stays as it is: its type is recursive. */
type DeepReadonly<Value> = JsonObject extends Value
  ? Value
  : Value extends object
    ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
    : Value;

/** The read-only type of a schema's values. */
export type Shape<Schema extends z.ZodType> = DeepReadonly<z.output<Schema>>;

/** The read-only type of the values that a schema takes. */
export type Given<Schema extends z.ZodType> = DeepReadonly<z.input<Schema>>;
