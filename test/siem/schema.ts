import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDEN } from '../golden/files.js';

/** An attribute of the compiled OCSF schema. With `profile`, it counts only in events that name that profile. */
export interface Attribute {
  readonly type: string;
  readonly requirement?: string;
  readonly is_array?: boolean;
  readonly profile?: string | null;
  readonly enum?: Readonly<Record<string, string>>;
}

export interface Shape {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly constraints?: Readonly<Record<string, readonly string[]>> | null;
}

export interface OcsfSchema {
  readonly version: string;
  readonly classes: Readonly<Record<string, Shape & { readonly uid: number; readonly profiles: readonly string[] }>>;
  readonly objects: Readonly<Record<string, Shape>>;
  readonly types: Readonly<Record<string, ScalarType>>;
}

export interface ScalarType {
  readonly type?: string;
  readonly regex?: string;
  readonly range?: readonly [number, number];
  readonly max_len?: number;
  readonly values?: readonly unknown[];
}

/** The committed part of the schema: the classes, and the objects that our events use. OCSF is Apache-2.0. */
export const REDUCED = join(GOLDEN, 'ocsf', 'ocsf-1.9.0-dev.json');

/** The whole compiled schema is next to a checkout, or `SALLYPORT_TEST_OCSF` names it. */
const WHOLE = process.env['SALLYPORT_TEST_OCSF'] ?? join(GOLDEN, '../../../shared/ocsf/ocsf-1.9.0-dev.json');

/** Undefined if the whole schema is not on this machine. */
export const wholeSchema = (): OcsfSchema | undefined => (existsSync(WHOLE) ? read(WHOLE) : undefined);

export const reducedSchema = (): OcsfSchema => read(REDUCED);

const read = (file: string): OcsfSchema => JSON.parse(readFileSync(file, 'utf8')) as OcsfSchema;

/** The part of a schema that validates documents with these objects; without captions and descriptions. */
export function reduced(schema: OcsfSchema, objects: ReadonlySet<string>): OcsfSchema {
  const kept = Object.entries(schema.objects).filter(([name]) => objects.has(name));
  return {
    version: schema.version,
    classes: Object.fromEntries(
      Object.entries(schema.classes).map(([name, { uid, profiles, ...shape }]) => [
        name,
        { uid, profiles, ...shapeOf(shape) },
      ]),
    ),
    objects: Object.fromEntries(kept.map(([name, shape]) => [name, shapeOf(shape)])),
    types: schema.types,
  };
}

function shapeOf({ attributes, constraints }: Shape): Shape {
  const entries = Object.entries(attributes).map(([name, { type, requirement, is_array, profile, enum: values }]) => [
    name,
    // `undefined` members are not written.
    { type, requirement, is_array, profile, enum: values },
  ]);
  return JSON.parse(JSON.stringify({ attributes: Object.fromEntries(entries), constraints })) as Shape;
}
