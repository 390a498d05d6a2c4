import { messageOf } from '../../libs/wire/protos.js';
import { textOf } from './mutations.js';

/**
 * Writes shapes of the contract as protobuf by hand. Each value has the number of its field, and the wire type of the
 * value itself. So values of a wrong type reach the wire, which a generated encoder would refuse.
 */

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly typeName: string;
}

const PACKAGE = 'sallyport.v1';
const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
/** Names that are no fields get one of these numbers. Some of them are fields. */
const NUMBERS = 24;

const fieldsOf = (type: string): readonly Field[] =>
  (messageOf(`${PACKAGE}.${type}`).type as { field: readonly Field[] }).field;
const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const hasValues = (type: string): boolean => fieldsOf(type)[0]?.name === 'values';

/** A shape, right or not, as a message of a type. A value that is no object is written as its text. */
export function encoded(type: string, shape: unknown): Buffer {
  const message = hasValues(type) && Array.isArray(shape) ? { values: shape } : shape;
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return Buffer.from(textOf(message));
  const fields = new Map(fieldsOf(type).map((field) => [field.name, field]));
  return Buffer.concat(
    Object.entries(message).map(([name, value]) => {
      const field = fields.get(snakeCase(name));
      return field === undefined ? written(1 + (name.length % NUMBERS), value) : member(field, value);
    }),
  );
}

function member({ number, type, typeName }: Field, value: unknown): Buffer {
  if (type === 'TYPE_BYTES') return prefixed(number, Buffer.from(textOf(value)));
  if (type !== 'TYPE_MESSAGE' || typeof value !== 'object' || value === null) return written(number, value);
  // A list under a field that is no list is that field again and again.
  if (Array.isArray(value) && !hasValues(typeName))
    return Buffer.concat(value.map((item) => prefixed(number, encoded(typeName, item))));
  return prefixed(number, encoded(typeName, value));
}

function written(number: number, value: unknown): Buffer {
  switch (typeof value) {
    case 'string':
      return prefixed(number, bytesOf(value));
    case 'boolean':
      return Buffer.concat([tag(number, VARINT), varint(value ? 1n : 0n)]);
    case 'number': {
      if (Number.isInteger(value))
        return Buffer.concat([tag(number, VARINT), varint(BigInt.asUintN(64, BigInt(value)))]);
      const double = Buffer.alloc(8);
      double.writeDoubleLE(value);
      return Buffer.concat([tag(number, FIXED_64), double]);
    }
    default:
      if (Array.isArray(value)) return Buffer.concat(value.map((item) => written(number, item)));
      return prefixed(number, Buffer.from(textOf(value)));
  }
}

/** UTF-8, except for lone surrogates, which are written like characters. */
function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  return Buffer.concat(
    Array.from(text, (character) => {
      const code = character.codePointAt(0) ?? 0;
      if (character.isWellFormed()) return Buffer.from(character);
      return Buffer.of(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    }),
  );
}

/** A field of bytes, with its number and length before it. */
export const prefixed = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([tag(number, LENGTH), varint(BigInt(bytes.length)), bytes]);

const tag = (number: number, wireType: number): Buffer => varint(BigInt(number * 8 + wireType));

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.of(...bytes, Number(left));
}

/**
 * The body that would ask the same over HTTP. Its JSON is in it byte for byte, so that the same rules can judge it.
 * Undefined if it is no message.
 */
export function bodyIn(bytes: Buffer): Buffer | undefined {
  let message: Record<string, unknown>;
  try {
    message = messageOf(`${PACKAGE}.AuthorizeRequest`).deserialize(bytes) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  return bodyOf(message);
}

/** The same of a message that was read. */
export function bodyOf(message: Readonly<Record<string, unknown>>): Buffer {
  const { arguments: args, observed, ...rest } = message;
  const { definition, definition_digest: definitionDigest, server } = (observed ?? {}) as Record<string, unknown>;
  const known = { taskId: rest['task_id'], capability: rest['capability'], version: rest['version'] };
  const json = (name: string, bytes: unknown): Buffer[] =>
    Buffer.isBuffer(bytes) ? [Buffer.from(`,"${name}":`), bytes] : [];
  const opened = (shape: object): Buffer => Buffer.from(JSON.stringify(shape).slice(0, -1));
  return Buffer.concat([
    opened({ ...known, operation: rest['operation'] }),
    ...json('arguments', args),
    Buffer.from(',"observed":'),
    opened({ server, definitionDigest }),
    ...json('definition', definition),
    Buffer.from('}}'),
  ]);
}
