import { readsUri, uriFault } from '../capability/resource-uri.js';
import { ownValue, type JsonObject } from '../kernel/canonical-json.js';
import type { NamedThing, ArgumentError } from './snapshot.js';

/** Operations whose arguments may name once more what the operation names, and the argument that does. */
const NAMED_BY = [
  ['prompt:', 'name'],
  ['script:', 'path'],
] as const;

/**
 * What is wrong with the arguments that name the thing to be done: it has to be the one that the operation names, and so
 * the one that every check has looked at. `resources/read` takes a `uri`, which has to be there. Of a prompt or a script
 * the arguments need not repeat the name; a prompt that declares an argument `name` has it for itself.
 */
export function namedThingErrors(
  { operation: name, ownName, operations }: NamedThing,
  value: JsonObject,
): ArgumentError[] {
  if (readsUri(name)) {
    const uri = ownValue(value, 'uri');
    if (uri === undefined) return [{ path: '/uri', keyword: 'required' }];
    if (typeof uri !== 'string') return [{ path: '/uri', keyword: 'type' }];
    const fault = uriFault(name, uri, operations);
    return fault === undefined ? [] : [{ path: '/uri', keyword: fault }];
  }
  for (const [prefix, key] of NAMED_BY) {
    if (!name.startsWith(prefix) || ownName) continue;
    const named = ownValue(value, key);
    if (named !== undefined && named !== name.slice(prefix.length)) return [{ path: `/${key}`, keyword: 'const' }];
  }
  return [];
}
