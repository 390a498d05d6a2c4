import * as fc from 'fast-check';

/** Bodies that are nearly right: a few things of a valid one are other than they should be. */

type Json = unknown;

/** One change. `at` picks the place, counted over all values of the body. */
interface Mutation {
  readonly op: 'remove' | 'replace' | 'rename' | 'add' | 'repeat' | 'wrap';
  readonly at: number;
  readonly key: string;
  readonly value: Json;
}

/** Changes of the finished bytes. */
type Spoiling =
  | { readonly kind: 'none' }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'header'; readonly name: string; readonly value: string };

export interface Recipe {
  readonly mutations: readonly Mutation[];
  readonly spoiling: Spoiling;
}

export interface Sent {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const own = (key: string, value: Json): Json => Object.fromEntries([[key, value]]);
const nested = (depth: number, core: Json = 1): Json => (depth === 0 ? core : { a: nested(depth - 1, core) });

/** Written into the text unquoted: no double holds these numbers. */
const RAW = ['9007199254740993', '1e400', '-1e400', '0.10000000000000000001', '1e-400', '-0', '01', 'NaN'];
const raw = (text: string): string => `RAW:${text}:RAW`;
/** A key that is written twice. */
const twice = (key: string): string => `TWICE:${key}`;

const TEXTS = [
  '',
  ' ',
  'a',
  '\u0000',
  'a\u0000b',
  '__proto__',
  'constructor',
  'toString',
  '$connect',
  '../../etc/passwd',
];
const ODD_TEXTS = [
  '\ud800',
  '\udc00\ud800',
  '\u{1f600}',
  '\u202e',
  'é'.repeat(300),
  'x'.repeat(5000),
  'x'.repeat(300_000),
];
const NUMBERS = [0, -1, 1, 1.5, 2 ** 31, 2 ** 53, 1e21, 1e308, 5e-324];

const values: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, {}, [], [[]], [null], ...NUMBERS, ...TEXTS, ...ODD_TEXTS),
  fc.constantFrom(...RAW).map(raw),
  fc.constantFrom<Json>(
    own('__entity', { type: 'User', id: 'root' }),
    own('__extn', { fn: 'ip', arg: '127.0.0.1' }),
    own('__expr', 'true'),
    own('__proto__', { role: 'admin', decision: 'allow' }),
    own('constructor', { prototype: { decision: 'allow' } }),
    own('then', 'thenable'),
    own('toJSON', 'x'),
    own(twice('key'), 'a'),
    nested(40),
    nested(70),
    nested(30, []),
    Array.from({ length: 3000 }, (_, index) => index),
    Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`p${index}`, index])),
  ),
  fc.uuid(),
  fc.uuid().map((id) => id.toUpperCase()),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
);

const keys = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'then', '', '\u0000', '\ud800', '0', '-1'),
  fc.constantFrom('__entity', '__extn', 'decision', 'host', 'actor', 'status', 'approvedBy', 'observed', 'arguments'),
  fc.string({ maxLength: 12 }),
);

const mutation: fc.Arbitrary<Mutation> = fc.record({
  op: fc.constantFrom<Mutation['op']>('remove', 'replace', 'replace', 'replace', 'rename', 'add', 'repeat', 'wrap'),
  at: fc.nat(10_000),
  key: fc.oneof(keys, keys.map(twice)),
  value: values,
});

const spoiling: fc.Arbitrary<Spoiling> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Spoiling>({ kind: 'none' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: fc.nat(5000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('insert' as const),
      at: fc.nat(5000),
      bytes: fc.oneof(
        fc.constantFrom(Buffer.from([0xff]), Buffer.from([0xc3, 0x28]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.of(0)),
        fc.constantFrom(Buffer.from('\ufeff'), Buffer.from(','), Buffer.from('"'), Buffer.from('\\ud800')),
        fc.uint8Array({ maxLength: 4 }),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('header' as const),
      name: fc.constantFrom('content-type', 'content-type', 'content-encoding', 'traceparent', 'idempotency-key'),
      value: fc.constantFrom(
        'text/plain',
        'application/json; charset=utf-16',
        'multipart/form-data',
        'gzip',
        '00-0',
        ';',
      ),
    }),
  },
);

export const recipes: fc.Arbitrary<Recipe> = fc.record({
  mutations: fc.array(mutation, { maxLength: 3 }),
  spoiling,
});

/** Carries a recipe out on a valid body. Leaves the body as it is. */
export function cooked(valid: Json, { mutations, spoiling }: Recipe): Sent {
  return spoilt(Buffer.from(textOf(mutatedBy(valid, mutations))), spoiling);
}

/** A body with its mutations; null where nothing is left of it. */
export const mutatedBy = (valid: Json, mutations: Recipe['mutations']): Json =>
  mutations.reduce<Json>(mutated, valid) ?? null;

/** A mutated value as JSON, or nearly so: it holds numbers that no double holds, and keys twice. */
export const textOf = (value: Json): string =>
  JSON.stringify(value)
    .replaceAll(/"RAW:([^"\\]*):RAW"/g, '$1')
    .replaceAll(/"TWICE:((?:[^"\\]|\\.)*)":/g, '"$1":1,"$1":');

/** Changes of the bytes of a message, and of its headers. */
export function spoilt(bytes: Buffer, spoiling: Recipe['spoiling']): Sent {
  const headers = { 'content-type': 'application/json' };
  switch (spoiling.kind) {
    case 'cut':
      return { bytes: bytes.subarray(0, spoiling.at % (bytes.length + 1)), headers };
    case 'insert': {
      const at = spoiling.at % (bytes.length + 1);
      return { bytes: Buffer.concat([bytes.subarray(0, at), spoiling.bytes, bytes.subarray(at)]), headers };
    }
    case 'header':
      return { bytes, headers: { ...headers, [spoiling.name]: spoiling.value } };
    default:
      return { bytes, headers };
  }
}

function mutated(body: Json, mutation: Mutation): Json {
  return changed(body, mutation.at % sizeOf(body), mutation);
}

/** How many values a body holds, itself included. */
const sizeOf = (value: Json): number => membersOf(value).reduce((sum, [, member]) => sum + sizeOf(member), 1);

const membersOf = (value: Json): [string, Json][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

/** The body with its value number `at` changed, counted depth first; undefined where that is taken away. */
function changed(value: Json, at: number, mutation: Mutation): Json {
  if (at === 0) return replaced(value, mutation);
  let left = at - 1;
  const members: [string, Json][] = [];
  for (const [key, member] of membersOf(value)) {
    const size = sizeOf(member);
    const hit = left >= 0 && left < size;
    const name = hit && left === 0 && mutation.op === 'rename' ? mutation.key : key;
    members.push([name, hit ? changed(member, left, mutation) : member]);
    left -= size;
  }
  const kept = members.filter(([, member]) => member !== undefined);
  return Array.isArray(value) ? kept.map(([, member]) => member) : Object.fromEntries(kept);
}

function replaced(value: Json, { op, key, value: other }: Mutation): Json {
  switch (op) {
    case 'remove':
      return undefined;
    case 'rename':
      return value;
    case 'replace':
      return other;
    case 'wrap':
      return [value];
    case 'repeat':
      return Array.isArray(value) ? Array.from({ length: 300 }, () => value).flat() : [value, value];
    default:
      if (Array.isArray(value)) return [...(value as Json[]), other];
      return typeof value === 'object' && value !== null
        ? Object.fromEntries([...Object.entries(value), [key, other]])
        : other;
  }
}
