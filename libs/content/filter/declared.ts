import { ownValue } from '../../kernel/canonical-json.js';
import { isLocatorFormat } from '../../vocabulary/locators.js';
import type { SchemaNode } from '../schema/schema-references.js';
import type { VettedSchema } from '../schema/schema-vetting.js';

/**
 * The members and items that an input schema names at each place of a value.
 *
 * - A member is declared by `properties`, by `patternProperties`, or by `additionalProperties` and
 *   `unevaluatedProperties` if they are a schema or `true`. An item is declared by `items`, `prefixItems`,
 *   `additionalItems` or `unevaluatedItems` in the same way.
 * - `$ref`, `allOf`, `anyOf`, `oneOf`, `if`, `then`, `else` and dependent schemas count together: what any of them
 *   names is declared. `not` declares nothing.
 * - A place at which nothing names members declares its whole value: `{ "type": "object" }` does, and
 *   `{ "properties": {} }` declares none.
 */
export interface DeclaredPlace {
  /** The place of a member; undefined if it is not declared. */
  member(name: string): DeclaredPlace | undefined;
  item(index: number): DeclaredPlace | undefined;
  /** A schema of this place has a `format` of names and addresses: a text with a redaction has none of them. */
  readonly isLocator: boolean;
  /** Whether the schema itself names the member: such a name is no content. */
  names(name: string): boolean;
  /** The places of all members and items, each under its name, or under `*` if it has none of its own. */
  children(): readonly (readonly [string, DeclaredPlace])[];
}

/** Everything is declared. */
export const WHOLE: DeclaredPlace = {
  member: () => WHOLE,
  item: () => WHOLE,
  isLocator: false,
  names: () => false,
  children: () => [],
};

/** Nothing is declared. */
export const NOTHING: DeclaredPlace = {
  member: () => undefined,
  item: () => undefined,
  isLocator: false,
  names: () => false,
  children: () => [],
};

/** Whether a pointer of a manifest, in which `*` is any member or item, can lead to a declared value. */
export function declares(place: DeclaredPlace, segments: readonly string[]): boolean {
  const [first, ...others] = segments;
  if (first === undefined) return true;
  if (first === '*') {
    const children = place.children();
    // Neither members nor items are named: the whole value is declared.
    const isOpen = place.member(first) === WHOLE && place.item(0) === WHOLE;
    return isOpen || children.some(([, each]) => declares(each, others));
  }
  const next = [place.member(first), INDEX.test(first) ? place.item(Number(first)) : undefined];
  return next.some((each) => each !== undefined && declares(each, others));
}

const INDEX = /^(0|[1-9]\d{0,5})$/;

const OBJECT_KEYWORDS = ['properties', 'patternProperties', 'additionalProperties', 'unevaluatedProperties'];
const ARRAY_KEYWORDS = ['items', 'prefixItems', 'additionalItems', 'unevaluatedItems'];
/** Limit of places that are kept for one schema; a recursive schema can have any number. */
const MAX_PLACES = 5000;

/** The place of the whole value. The schema was vetted, which bounds its nodes and references. */
export function declaredBy({ root, patterns }: VettedSchema): DeclaredPlace {
  const numbers = new Map<SchemaNode, number>();
  const places = new Map<string, DeclaredPlace>();
  const numberOf = (node: SchemaNode): number => {
    const number = numbers.get(node) ?? numbers.size;
    numbers.set(node, number);
    return number;
  };

  /** The place that these schemas describe together; the same for the same schemas. */
  function placeOf(nodes: readonly SchemaNode[]): DeclaredPlace {
    const key = nodes.map(numberOf).sort().join();
    const known = places.get(key);
    if (known !== undefined) return known;
    if (places.size >= MAX_PLACES) places.clear();
    const place = placeAt(inPlace(nodes));
    places.set(key, place);
    return place;
  }

  function placeAt(nodes: readonly SchemaNode[]): DeclaredPlace {
    const objects = nodes.filter(({ schema }) => hasAny(schema, OBJECT_KEYWORDS));
    const arrays = nodes.filter(({ schema }) => hasAny(schema, ARRAY_KEYWORDS));
    const members = new Map<string, DeclaredPlace>();
    const found = (applied: readonly SchemaNode[]) => (applied.length === 0 ? undefined : placeOf(applied));
    const below = (keywords: readonly string[]) =>
      nodes.flatMap(({ children }) => children.filter(({ keyword }) => keywords.includes(keyword)));
    return {
      isLocator: nodes.some(({ schema }) => typeof schema !== 'boolean' && isLocatorFormat(ownValue(schema, 'format'))),
      children() {
        const named = below([...OBJECT_KEYWORDS, ...ARRAY_KEYWORDS]).filter(({ node }) => node.schema !== false);
        return named.map(({ keyword, key, node }) => [keyword === 'properties' ? String(key) : '*', placeOf([node])]);
      },
      names: (name) => objects.some((node) => namedBy(node, name)),
      member(name) {
        if (objects.length === 0) return WHOLE;
        const known = members.get(name);
        if (known !== undefined) return known;
        const place = found(objects.flatMap((node) => memberSchemas(node, name)));
        // Other names come from callers, and are not kept.
        if (place !== undefined && objects.some((node) => namedBy(node, name))) members.set(name, place);
        return place;
      },
      item: (index) => (arrays.length === 0 ? WHOLE : found(arrays.flatMap((node) => itemSchemas(node, index)))),
    };
  }

  function memberSchemas(node: SchemaNode, name: string): SchemaNode[] {
    const own: SchemaNode[] = [];
    const rest: SchemaNode[] = [];
    for (const { keyword, key, node: child } of node.children) {
      if (keyword === 'properties' && key === name) own.push(child);
      else if (keyword === 'patternProperties' && patterns.get(String(key))?.test(name) === true) own.push(child);
      else if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') rest.push(child);
    }
    return allowing(own.length > 0 ? own : rest);
  }

  return placeOf([root]);
}

function itemSchemas({ children }: SchemaNode, index: number): SchemaNode[] {
  // An array under `items` lists the first items in drafts before 2020-12.
  const listed = children.filter(
    ({ keyword, key }) => keyword === 'prefixItems' || (keyword === 'items' && key !== undefined),
  );
  const own = listed.filter(({ key }) => key === index);
  const rest = children.filter(
    ({ keyword, key }) =>
      (keyword === 'items' && key === undefined) || keyword === 'additionalItems' || keyword === 'unevaluatedItems',
  );
  return allowing((own.length > 0 ? own : rest).map(({ node }) => node));
}

const allowing = (nodes: readonly SchemaNode[]): SchemaNode[] => nodes.filter(({ schema }) => schema !== false);

const namedBy = ({ children }: SchemaNode, name: string): boolean =>
  children.some(({ keyword, key }) => keyword === 'properties' && key === name);

const hasAny = (schema: SchemaNode['schema'], keywords: readonly string[]): boolean =>
  typeof schema !== 'boolean' && keywords.some((keyword) => ownValue(schema, keyword) !== undefined);

/** The schemas and all that apply to the same value with them. */
function inPlace(nodes: readonly SchemaNode[]): SchemaNode[] {
  const all = new Set(nodes);
  for (const { children, target } of all) {
    if (target !== undefined) all.add(target);
    for (const { applies, keyword, node } of children) if (applies === 'in-place' && keyword !== 'not') all.add(node);
  }
  return [...all];
}
