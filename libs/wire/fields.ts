import { fullName, messageOf } from './protos.js';

/** A field of a message, and the member of the contract's shape that it is. */
export interface Field {
  readonly proto: string;
  readonly json: string;
  readonly repeated: boolean;
  readonly bytes: boolean;
  /** The type of its messages, if it holds messages. */
  readonly message: string | undefined;
  /** For a list that a request must have: the field that says that the list is empty. */
  readonly empty: string | undefined;
}

interface Descriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

const EMPTY = '_empty';

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The fields of a message of our own package, without those that only say that a list is empty. */
export function fieldsOf(type: string): readonly Field[] {
  const { field } = messageOf(fullName(type)).type as { field: readonly Descriptor[] };
  const names = new Set(field.map(({ name }) => name));
  return field
    .filter(({ name }) => !(name.endsWith(EMPTY) && names.has(name.slice(0, -EMPTY.length))))
    .map(({ name, label, type: kind, typeName }) => ({
      proto: name,
      json: camelCase(name),
      repeated: label === 'LABEL_REPEATED',
      bytes: kind === 'TYPE_BYTES',
      message: kind === 'TYPE_MESSAGE' ? typeName : undefined,
      empty: names.has(name + EMPTY) ? name + EMPTY : undefined,
    }));
}

/** Whether a message is a list that may be absent: its only field is `values`. */
export const isList = (fields: readonly Field[]): boolean => fields.length === 1 && fields[0]?.proto === 'values';

/**
 * A JSON Pointer (RFC 6901) into a shape of the contract, as one into its message. From the JSON of a `bytes` field on it stays
 * as it is.
 */
export function pathInMessage(type: string, path: string): string {
  const [root = '', ...segments] = path.split('/');
  return [root, ...segmentsIn(type, segments)].join('/');
}

function segmentsIn(type: string | undefined, segments: readonly string[]): readonly string[] {
  if (type === undefined || segments.length === 0) return segments;
  const fields = fieldsOf(type);
  const [name, ...rest] = isList(fields) ? ['values', ...segments] : segments;
  const field = fields.find(({ json }) => json === name);
  if (field === undefined) return segments;
  const index = field.repeated ? rest.slice(0, 1) : [];
  return [field.proto, ...index, ...segmentsIn(field.message, rest.slice(index.length))];
}
