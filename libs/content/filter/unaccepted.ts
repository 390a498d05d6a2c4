import { isJsonObject, ownValue, type Json, type JsonObject } from '../../kernel/canonical-json.js';
import { pointerTo, type JsonPointer } from '../../kernel/pointer.js';
import { isLocatorFormat, isLocatorName } from '../../vocabulary/locators.js';
import { neededBy, type NeededPlace } from './needed.js';
import type { NeededArgument } from './shapes.js';

const MAX_DEPTH = 8;
const MAX_FOUND = 64;

/**
 * The texts of arguments whose name or `format` says that they name or address something, and whose spans may not leave:
 * their paths `accept` nothing. A redaction in one of them would change the target of a call. This serves a warning, so it
 * follows `properties`, `items` and unions alone, and no reference. The schema is attacker-controlled: depth and number are
 * bounded.
 */
export function unacceptedLocators(schema: Json, needs: readonly NeededArgument[] | undefined): JsonPointer[] {
  const found: JsonPointer[] = [];
  visit(schema, neededBy(needs), [], found);
  return found;
}

function visit(schema: Json, needed: NeededPlace, path: readonly string[], found: JsonPointer[]): void {
  if (!isJsonObject(schema) || path.length > MAX_DEPTH) return;
  const name = path.findLast((segment) => segment !== '*') ?? '';
  const options = unionOf(schema);
  const isLocator = options.some(
    (each) => isText(each) && (isLocatorName(name) || isLocatorFormat(ownValue(each, 'format'))),
  );
  if (isLocator && needed.accepts.size === 0 && found.length < MAX_FOUND) found.push(pointerTo(...path));
  for (const option of options) {
    const properties = ownValue(option, 'properties');
    const members = Object.entries(isJsonObject(properties) ? properties : {});
    for (const [segment, child] of [...members, ['*', ownValue(option, 'items')] as const]) {
      const below = needed.under(segment);
      if (child !== undefined && below !== undefined) visit(child, below, [...path, segment], found);
    }
  }
}

/**
 * The arguments that the schema requires, and that no need names. They never leave, so every call fails the schema. This
 * serves a warning too, and follows required `properties` alone.
 */
export function unneededRequired(schema: Json, needs: readonly NeededArgument[] | undefined): JsonPointer[] {
  const found: JsonPointer[] = [];
  visitRequired(schema, neededBy(needs), [], found);
  return found;
}

function visitRequired(schema: Json, needed: NeededPlace, path: readonly string[], found: JsonPointer[]): void {
  if (!isJsonObject(schema) || path.length > MAX_DEPTH || needed.whole) return;
  const [required, properties] = [ownValue(schema, 'required'), ownValue(schema, 'properties')];
  for (const name of Array.isArray(required) ? (required as readonly Json[]) : []) {
    if (typeof name !== 'string' || found.length >= MAX_FOUND) continue;
    const below = needed.under(name);
    const child = isJsonObject(properties) ? ownValue(properties, name) : undefined;
    if (below === undefined) found.push(pointerTo(...path, name));
    else if (child !== undefined) visitRequired(child, below, [...path, name], found);
  }
}

/** A schema and its direct alternatives. */
const unionOf = (schema: JsonObject): JsonObject[] => [
  schema,
  ...['anyOf', 'oneOf', 'allOf']
    .flatMap((keyword) => ownValue(schema, keyword) ?? [])
    .flatMap((each) => (isJsonObject(each) ? [each] : [])),
];

function isText(schema: JsonObject): boolean {
  const type = ownValue(schema, 'type');
  return type === 'string' || (Array.isArray(type) && type.includes('string'));
}
