import { publishedSchemas, type DataSchema } from './schemas.js';

/** A field of an index: its type, and the fields below it. */
interface Field {
  readonly type?: string;
  readonly properties?: Fields;
  readonly ignore_above?: number;
}
type Fields = Readonly<Record<string, Field>>;

/** Longer texts are kept, and are not searchable: Lucene refuses a term above 32,766 bytes. */
const IGNORE_ABOVE = 8191;
const KEYWORD: Field = { type: 'keyword', ignore_above: IGNORE_ABOVE };

/** The CloudEvents attributes, for a pipeline that copies the headers of a record next to its value. */
const ATTRIBUTES: Fields = {
  ce_specversion: KEYWORD,
  ce_id: KEYWORD,
  ce_type: KEYWORD,
  ce_source: KEYWORD,
  ce_subject: KEYWORD,
  ce_time: { type: 'date' },
  ce_position: { type: 'long' },
  ce_dataschema: KEYWORD,
  ce_traceparent: KEYWORD,
};

/**
 * A composable index template for all published events in one index. `dynamic: strict` refuses a field that it does not
 * name, and the limit of fields is their number. Lists of objects are `nested`, so that a query can ask for a check by
 * its name and its outcome. Throws `TypeError` if two events give one name two types.
 */
export function indexTemplate(pattern = 'sallyport-events-*'): object {
  const fields = publishedSchemas()
    .map(({ schema }) => fieldOf(schema, 'data').properties ?? {})
    .reduce((all, more) => merged(all, more, ''), ATTRIBUTES);
  const limit = countOf(fields);
  return {
    index_patterns: [pattern],
    template: {
      settings: { 'index.mapping.total_fields.limit': limit, 'index.mapping.nested_fields.limit': limit },
      mappings: { dynamic: 'strict', date_detection: false, properties: fields },
    },
    _meta: { description: 'The published events of Sallyport. `sallyport events schema` wrote it.' },
  };
}

const OF_SCALAR: Readonly<Record<string, Field>> = {
  string: KEYWORD,
  integer: { type: 'long' },
  number: { type: 'double' },
  boolean: { type: 'boolean' },
};

function fieldOf(schema: DataSchema, path: string): Field {
  const { type, pattern, properties, items, anyOf, oneOf } = schema as Node;
  const choices = anyOf ?? oneOf;
  if (choices !== undefined) {
    return choices.map((choice) => fieldOf(choice, path)).reduce((one, other) => mergedField(one, other, path));
  }
  if (properties !== undefined) {
    const members = Object.entries(properties).map(([name, member]) => [name, fieldOf(member, `${path}.${name}`)]);
    return { properties: Object.fromEntries(members) as Fields };
  }
  if (items !== undefined) {
    const [item, ...others] = [items].flat().map((each) => fieldOf(each, path));
    if (item === undefined) throw new TypeError(`${path} is a list of nothing`);
    const each = others.reduce((one, other) => mergedField(one, other, path), item);
    return each.properties === undefined ? each : { type: 'nested', properties: each.properties };
  }
  if (type === 'string' && pattern?.startsWith(DATE) === true) return { type: 'date' };
  const scalar = typeof type === 'string' ? OF_SCALAR[type] : undefined;
  if (scalar === undefined) throw new TypeError(`${path} has no type`);
  return scalar;
}

interface Node {
  readonly type?: unknown;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, DataSchema>>;
  readonly items?: DataSchema | readonly DataSchema[];
  readonly anyOf?: readonly DataSchema[];
  readonly oneOf?: readonly DataSchema[];
}

/** The beginning of the pattern of RFC 3339 times. */
const DATE = '^\\d{4}-';

function merged(one: Fields, other: Fields, path: string): Fields {
  const all: Record<string, Field> = { ...one };
  for (const [name, field] of Object.entries(other)) {
    const known = all[name];
    all[name] = known === undefined ? field : mergedField(known, field, `${path}.${name}`);
  }
  return all;
}

function mergedField(one: Field, other: Field, path: string): Field {
  if (one.type !== other.type || (one.properties === undefined) !== (other.properties === undefined)) {
    throw new TypeError(`${path} has two types`);
  }
  return one.properties === undefined
    ? one
    : { ...one, properties: merged(one.properties, other.properties ?? {}, path) };
}

/** Fields as the limit of an index counts them: objects count too. */
const countOf = (fields: Fields): number =>
  Object.values(fields).reduce((sum, { properties }) => sum + 1 + countOf(properties ?? {}), 0);
