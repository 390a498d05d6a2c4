import { html, type Html } from './html.js';

/** The members of a JSON Schema (2020-12) that the page shows. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** Nested objects open on a click. A schema that is nested deeper shows only its name. */
const MAX_DEPTH = 8;

/** A schema as a list of its members, with links to named schemas. */
export function schemaView(schema: Schema, depth = 0): Html {
  const nested = membersOf(schema);
  if (nested === undefined) return html`<code>${typeOf(schema)}</code>`;
  if (depth >= MAX_DEPTH) return html`<code>object</code>`;
  const required = new Set(nested.required);
  const rows = Object.entries(nested.properties ?? {}).map(([name, member]) =>
    memberView(name, member, required.has(name), depth),
  );
  return html`<dl>${rows}</dl>`;
}

function memberView(name: string, member: Schema, isRequired: boolean, depth: number): Html {
  const optional = isRequired ? '' : '?';
  const nested =
    membersOf(member) === undefined
      ? html``
      : html`<details>
          <summary>members</summary>
          ${schemaView(member, depth + 1)}
        </details>`;
  return html`<dt><code>${name}${optional}</code>: ${typeView(member)}</dt>
    <dd>${member.description ?? ''}${nested}</dd>`;
}

/** The object whose members are listed: the schema itself, or the items of its array. */
function membersOf(schema: Schema): Schema | undefined {
  if (schema.properties !== undefined) return schema;
  return schema.items === undefined ? undefined : membersOf(schema.items);
}

function typeView(schema: Schema): Html {
  const name = nameOf(schema);
  if (name !== undefined) return html`<a href="#schema-${name}">${name}</a>`;
  if (schema.items !== undefined) return html`${typeView(schema.items)}[]`;
  return html`<code>${typeOf(schema)}</code>`;
}

/** A type in the notation of TypeScript. */
export function typeOf(schema: Schema): string {
  const name = nameOf(schema);
  if (name !== undefined) return name;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map(typeOf).join(' | ');
  if (schema.allOf !== undefined) return schema.allOf.map(typeOf).join(' & ');
  if (schema.items !== undefined) return `${typeOf(schema.items)}[]`;
  const { additionalProperties: values } = schema;
  if (typeof values === 'object' && schema.properties === undefined) return `{ [name]: ${typeOf(values)} }`;
  const { type } = schema;
  if (typeof type === 'string') return type;
  return type === undefined ? 'any' : type.join(' | ');
}

/** The name of the schema that a local reference points to. */
function nameOf({ $ref }: Schema): string | undefined {
  return $ref?.slice($ref.lastIndexOf('/') + 1);
}
