import type { Attribute, OcsfSchema, ScalarType, Shape } from './schema.js';

/** The faults of an OCSF event, and the objects of the schema that it uses. */
export interface Findings {
  readonly faults: string[];
  readonly objects: Set<string>;
}

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Validates an event as the OCSF server does: class, known and required attributes, profiles, enum values, scalar types
 * and constraints.
 */
export function validate(schema: OcsfSchema, event: unknown): Findings {
  const found: Findings = { faults: [], objects: new Set() };
  if (!isObject(event)) return { ...found, faults: ['is no object'] };
  const known = Object.values(schema.classes).find(({ uid }) => uid === event['class_uid']);
  if (known === undefined) return { ...found, faults: [`class_uid: no class ${String(event['class_uid'])}`] };
  const profiles = profilesOf(event);
  for (const profile of profiles) {
    if (!known.profiles.includes(profile)) found.faults.push(`metadata.profiles: the class has no profile ${profile}`);
  }
  if (event['type_uid'] !== known.uid * 100 + Number(event['activity_id'])) found.faults.push('type_uid: is another');
  shape(known, event, '', { schema, profiles, found });
  return found;
}

function profilesOf({ metadata }: Members): readonly string[] {
  const profiles = isObject(metadata) ? metadata['profiles'] : undefined;
  return Array.isArray(profiles) ? profiles.map(String) : [];
}

interface Context {
  readonly schema: OcsfSchema;
  readonly profiles: readonly string[];
  readonly found: Findings;
}

function shape({ attributes, constraints }: Shape, value: Members, path: string, context: Context): void {
  const { faults } = context.found;
  const counts = ({ profile }: Attribute) => typeof profile !== 'string' || context.profiles.includes(profile);
  for (const [name, member] of Object.entries(value)) {
    const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (attribute === undefined) faults.push(`${path}${name}: is unknown`);
    else if (!counts(attribute)) faults.push(`${path}${name}: needs the profile ${attribute.profile}`);
    else each(attribute, member, `${path}${name}`, context);
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    const isMissing = !Object.hasOwn(value, name) && attribute.requirement === 'required' && counts(attribute);
    if (isMissing) faults.push(`${path}${name}: is missing`);
  }
  const present = (names: readonly string[]) => names.filter((name) => Object.hasOwn(value, name)).length;
  const { at_least_one: some, just_one: one } = constraints ?? {};
  if (some !== undefined && present(some) === 0) faults.push(`${path}: needs one of ${some.join(', ')}`);
  if (one !== undefined && present(one) !== 1) faults.push(`${path}: needs exactly one of ${one.join(', ')}`);
}

function each(attribute: Attribute, value: unknown, path: string, context: Context): void {
  if (attribute.is_array !== true) return single(attribute, value, path, context);
  if (!Array.isArray(value)) return void context.found.faults.push(`${path}: is no list`);
  value.forEach((item, index) => single(attribute, item, `${path}[${index}]`, context));
}

function single({ type, enum: values }: Attribute, value: unknown, path: string, context: Context): void {
  const { schema, found } = context;
  if (values !== undefined && Object.keys(values).length > 0 && !Object.hasOwn(values, String(value))) {
    found.faults.push(`${path}: ${String(value)} is not one of its values`);
  }
  const object = Object.hasOwn(schema.objects, type) ? schema.objects[type] : undefined;
  if (type === 'object' || type === 'json_t') return;
  if (Object.hasOwn(schema.types, type)) {
    const fault = scalarFault(schema, type, value);
    if (fault !== undefined) found.faults.push(`${path}: ${fault}`);
  } else if (object === undefined) {
    found.faults.push(`${path}: the schema has no ${type} (npm run golden:siem)`);
  } else if (isObject(value)) {
    found.objects.add(type);
    shape(object, value, `${path}.`, context);
  } else {
    found.faults.push(`${path}: is no object`);
  }
}

const BASES: Readonly<Record<string, (value: unknown) => boolean>> = {
  boolean_t: (value) => typeof value === 'boolean',
  float_t: (value) => typeof value === 'number',
  integer_t: Number.isSafeInteger,
  long_t: Number.isSafeInteger,
  string_t: (value) => typeof value === 'string',
};

/** Checks a scalar by its type, and by the types that it is derived from. */
function scalarFault(schema: OcsfSchema, name: string, value: unknown): string | undefined {
  const isBase = BASES[name];
  if (isBase !== undefined && !isBase(value)) return `is no ${name}`;
  const type: ScalarType = schema.types[name] ?? {};
  const { regex, range, max_len: maxChars } = type;
  if (regex !== undefined && !new RegExp(regex).test(String(value))) return `does not look like ${name}`;
  if (range !== undefined && !(Number(value) >= range[0] && Number(value) <= range[1])) return `is out of its range`;
  if (maxChars !== undefined && String(value).length > maxChars) return `is longer than ${maxChars}`;
  return type.type === undefined || type.type === name ? undefined : scalarFault(schema, type.type, value);
}
