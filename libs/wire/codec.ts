import { fullName, messageOf } from './protos.js';

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

interface Field<Limits extends ReadLimits> {
  readonly proto: string;
  readonly json: string;
  readonly repeated: boolean;
  readonly inward?: (value: unknown, limits: Limits) => unknown;
  readonly outward?: (value: unknown) => unknown;
}

interface FieldDescriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

/** Fields of `bytes` that hold no JSON value. The contract has them as base64url. */
const BINARY = new Set(['signed']);

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const isList = (fields: readonly { readonly proto: string }[]): boolean =>
  fields.length === 1 && fields[0]?.proto === 'values';

/**
 * Converts messages of the proto to and from the JSON shapes of the contract, for both ends of the wire. Names change between
 * snake_case and camelCase. `bytes` hold JSON, except the fields in `BINARY`. A message of nothing but `values` is a list that
 * may be absent. `type` is always a name in our own package.
 */
export function messageCodec<Limits extends ReadLimits>(readJson: ReadJson<Limits>): MessageCodec<Limits> {
  const known = new Map<string, readonly Field<Limits>[]>();

  function fieldsOf(type: string): readonly Field<Limits>[] {
    const found = known.get(type);
    if (found !== undefined) return found;
    const { field } = messageOf(fullName(type)).type as { field: FieldDescriptor[] };
    const fields = field.map(fieldOf);
    known.set(type, fields);
    return fields;
  }

  function fieldOf({ name, label, type, typeName }: FieldDescriptor): Field<Limits> {
    const names = { proto: name, json: camelCase(name), repeated: label === 'LABEL_REPEATED' };
    if (type === 'TYPE_BYTES' && BINARY.has(names.json)) {
      const inward = (value: unknown) => Buffer.from(value as Uint8Array).toString('base64url');
      return { ...names, inward, outward: (value) => Buffer.from(String(value), 'base64url') };
    }
    if (type === 'TYPE_BYTES') {
      const inward = (value: unknown, limits: Limits) => readJson(value as Buffer, limits, names.json);
      return { ...names, inward, outward: (value) => Buffer.from(JSON.stringify(value)) };
    }
    if (type !== 'TYPE_MESSAGE') return names;
    return {
      ...names,
      inward: (value, limits) => fromMessage(typeName, value as Message, limits),
      outward: (value) => toMessage(typeName, value),
    };
  }

  function fromMessage(type: string, message: Message, limits: Limits): unknown {
    const fields = fieldsOf(type);
    const inner = { ...limits, maxDepth: limits.maxDepth - 1 };
    const shape: Record<string, unknown> = {};
    for (const { proto, json, repeated, inward } of fields) {
      const value = message[proto];
      if (value === undefined || value === null) continue;
      if (inward === undefined) shape[json] = value;
      else if (repeated) shape[json] = (value as unknown[]).map((item) => inward(item, inner));
      else shape[json] = inward(value, inner);
    }
    return isList(fields) ? shape['values'] : shape;
  }

  function toMessage(type: string, shape: unknown): Message {
    const fields = fieldsOf(type);
    const source = (isList(fields) ? { values: shape } : shape) as Message;
    const message: Record<string, unknown> = {};
    for (const { proto, json, repeated, outward } of fields) {
      const value = source[json];
      if (value === undefined) continue;
      if (outward === undefined) message[proto] = value;
      else if (repeated) message[proto] = (value as unknown[]).map(outward);
      else message[proto] = outward(value);
    }
    return message;
  }

  return { fromMessage, toMessage };
}
