import { parseJson } from '../http/body.js';
import { Problem } from '../http/problem.js';
import { fullName, messageNames, messageOf } from './contract.js';

/**
 * Messages of the proto to and from the shapes of the wire contract, whose zod schemas say what is valid. Names change
 * between snake_case and camelCase, `bytes` hold JSON, and a message of nothing but `values` is a list that may be absent.
 */
type Message = Readonly<Record<string, unknown>>;

interface Field {
  readonly proto: string;
  readonly json: string;
  readonly repeated: boolean;
  readonly inward?: (value: unknown, maxDepth: number) => unknown;
  readonly outward?: (value: unknown) => unknown;
}

interface FieldDescriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function fieldOf({ name, label, type, typeName }: FieldDescriptor): Field {
  const names = { proto: name, json: camelCase(name), repeated: label === 'LABEL_REPEATED' };
  if (type === 'TYPE_BYTES') {
    const inward = (value: unknown, maxDepth: number) => parseJson(value as Buffer, maxDepth, names.json);
    return { ...names, inward, outward: (value) => Buffer.from(JSON.stringify(value)) };
  }
  if (type !== 'TYPE_MESSAGE') return names;
  return {
    ...names,
    inward: (value, maxDepth) => fromMessage(typeName, value as Message, maxDepth),
    outward: (value) => toMessage(typeName, value),
  };
}

const FIELDS: ReadonlyMap<string, readonly Field[]> = new Map(
  messageNames.map((name) => {
    const { field } = messageOf(fullName(name)).type as { field: FieldDescriptor[] };
    return [name, field.map(fieldOf)];
  }),
);

const fieldsOf = (type: string): readonly Field[] => FIELDS.get(type) ?? [];
const isList = (fields: readonly Field[]): boolean => fields.length === 1 && fields[0]?.proto === 'values';

/** Reads the bytes of a message. Attacker-controlled; throws `Problem`. */
export function readMessage(type: string, bytes: Buffer): Message {
  try {
    return messageOf(fullName(type)).deserialize(bytes) as Message;
  } catch {
    throw new Problem('malformed_request', `the message is no ${fullName(type)}`);
  }
}

/** A message as the contract's shape, to be judged by its schema; JSON in it nests up to `maxDepth`, counted from here. */
export function fromMessage(type: string, message: Message, maxDepth: number): unknown {
  const fields = fieldsOf(type);
  const shape: Record<string, unknown> = {};
  for (const { proto, json, repeated, inward } of fields) {
    const value = message[proto];
    if (value === undefined || value === null) continue;
    if (inward === undefined) shape[json] = value;
    else if (repeated) shape[json] = (value as unknown[]).map((item) => inward(item, maxDepth - 1));
    else shape[json] = inward(value, maxDepth - 1);
  }
  return isList(fields) ? shape['values'] : shape;
}

/** A shape of ours as a message. Members that the proto does not have are left out. */
export function toMessage(type: string, shape: unknown): Message {
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
