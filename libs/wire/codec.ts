import { fieldsOf, isList, type Field } from './fields.js';

export type Message = Readonly<Record<string, unknown>>;

/** Bounds on JSON in a message: how deep it nests. A reader may add bounds of its own. */
export interface ReadLimits {
  readonly maxDepth: number;
}

/** Reads the JSON that a `bytes` field holds; `name` is the field's. */
export type ReadJson<Limits extends ReadLimits> = (bytes: Buffer, limits: Limits, name: string) => unknown;

export interface MessageCodec<Limits extends ReadLimits> {
  /** A message in the contract's shape, for validation by its schema. JSON in it nests up to `maxDepth`, counted from here. */
  readonly fromMessage: (type: string, message: Message, limits: Limits) => unknown;
  /** A shape of the contract as a message, without members that the proto lacks. */
  readonly toMessage: (type: string, shape: unknown) => Message;
}

/** How the values of a field are converted. */
interface Conversion<Limits extends ReadLimits> extends Field {
  readonly inward?: (value: unknown, limits: Limits) => unknown;
  readonly outward?: (value: unknown) => unknown;
}

/**
 * Converts messages of the proto to and from the JSON shapes of the contract, for both ends of the wire. Names change between
 * snake_case and camelCase. `bytes` hold JSON. A message of nothing but `values` is a list that
 * may be absent. Protobuf cannot tell an absent list from an empty one, so a list with a field `…_empty` is absent unless that
 * says otherwise. `type` is always a name in our own package.
 */
export function messageCodec<Limits extends ReadLimits>(readJson: ReadJson<Limits>): MessageCodec<Limits> {
  const known = new Map<string, readonly Conversion<Limits>[]>();

  function conversionsOf(type: string): readonly Conversion<Limits>[] {
    const found = known.get(type);
    if (found !== undefined) return found;
    const made = fieldsOf(type).map(conversionOf);
    known.set(type, made);
    return made;
  }

  function conversionOf(field: Field): Conversion<Limits> {
    const { proto, bytes, message: type } = field;
    if (bytes) {
      const inward = (value: unknown, limits: Limits) => readJson(value as Buffer, limits, proto);
      return { ...field, inward, outward: (value) => Buffer.from(JSON.stringify(value)) };
    }
    if (type === undefined) return field;
    return {
      ...field,
      inward: (value, limits) => fromMessage(type, value as Message, limits),
      outward: (value) => toMessage(type, value),
    };
  }

  function fromMessage(type: string, message: Message, limits: Limits): unknown {
    const fields = conversionsOf(type);
    const inner = { ...limits, maxDepth: limits.maxDepth - 1 };
    const shape: Record<string, unknown> = {};
    for (const { proto, json, repeated, empty, inward } of fields) {
      const value = message[proto];
      if (value === undefined || value === null) continue;
      if (empty !== undefined && (value as unknown[]).length === 0 && message[empty] !== true) continue;
      if (inward === undefined) shape[json] = value;
      else if (repeated) shape[json] = (value as unknown[]).map((item) => inward(item, inner));
      else shape[json] = inward(value, inner);
    }
    return isList(fields) ? shape['values'] : shape;
  }

  function toMessage(type: string, shape: unknown): Message {
    const fields = conversionsOf(type);
    const source = (isList(fields) ? { values: shape } : shape) as Message;
    const message: Record<string, unknown> = {};
    for (const { proto, json, repeated, empty, outward } of fields) {
      const value = source[json];
      if (value === undefined) continue;
      if (empty !== undefined && (value as unknown[]).length === 0) message[empty] = true;
      if (outward === undefined) message[proto] = value;
      else if (repeated) message[proto] = (value as unknown[]).map(outward);
      else message[proto] = outward(value);
    }
    return message;
  }

  return { fromMessage, toMessage };
}
