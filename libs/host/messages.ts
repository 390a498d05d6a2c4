import type { MessageTypeDefinition } from '@grpc/proto-loader';

type Message = Readonly<Record<string, unknown>>;

interface Descriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

interface Field {
  readonly proto: string;
  readonly json: string;
  readonly inward: ((value: unknown) => unknown) | undefined;
  readonly outward: ((value: unknown) => unknown) | undefined;
}

export interface MessageCodec {
  toMessage(type: string, shape: unknown): Message;
  fromMessage(type: string, message: Message): unknown;
}

/**
 * Messages of the proto to and from the JSON shapes of the contract, from the host's side: names change between
 * snake_case and camelCase, `bytes` hold JSON, and a message of nothing but `values` is a list that may be absent.
 */
export function messageCodec(
  typeOf: (name: string) => MessageTypeDefinition<object, object> | undefined,
): MessageCodec {
  const known = new Map<string, readonly Field[]>();

  function fieldsOf(type: string): readonly Field[] {
    const found = known.get(type);
    if (found !== undefined) return found;
    const { field = [] } = (typeOf(type)?.type ?? {}) as { field?: Descriptor[] };
    const fields = field.map(fieldOf);
    known.set(type, fields);
    return fields;
  }

  function fieldOf({ name, label, type, typeName }: Descriptor): Field {
    const [inward, outward] = converters(type, typeName);
    const each = (convert: ((value: unknown) => unknown) | undefined) =>
      convert === undefined || label !== 'LABEL_REPEATED'
        ? convert
        : (value: unknown) => (value as unknown[]).map(convert);
    const json = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return { proto: name, json, inward: each(inward), outward: each(outward) };
  }

  function converters(type: string, typeName: string): readonly [Field['inward'], Field['outward']] {
    if (type === 'TYPE_BYTES') {
      return [(value) => JSON.parse(String(value)) as unknown, (value) => Buffer.from(JSON.stringify(value))];
    }
    if (type !== 'TYPE_MESSAGE') return [undefined, undefined];
    return [(value) => fromMessage(typeName, value as Message), (value) => toMessage(typeName, value)];
  }

  const isList = (fields: readonly Field[]): boolean => fields.length === 1 && fields[0]?.proto === 'values';

  function toMessage(type: string, shape: unknown): Message {
    const fields = fieldsOf(type);
    const source = (isList(fields) ? { values: shape } : shape) as Message;
    const message: Record<string, unknown> = {};
    for (const { proto, json, outward } of fields) {
      const value = source[json];
      if (value !== undefined) message[proto] = outward === undefined ? value : outward(value);
    }
    return message;
  }

  function fromMessage(type: string, message: Message): unknown {
    const fields = fieldsOf(type);
    const shape: Record<string, unknown> = {};
    for (const { proto, json, inward } of fields) {
      const value = message[proto];
      if (value !== undefined && value !== null) shape[json] = inward === undefined ? value : inward(value);
    }
    return isList(fields) ? shape['values'] : shape;
  }

  return { toMessage, fromMessage };
}
