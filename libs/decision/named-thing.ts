import { readsUri, uriFault } from '../capability/resource-uri.js';
import { ownValue, type JsonObject } from '../kernel/canonical-json.js';
import type { NamedThing, ArgumentError } from './snapshot.js';

/** Operations whose arguments may repeat the name in the operation, and the argument that repeats it. */
const NAMED_BY = [
  ['prompt:', 'name'],
  ['script:', 'path'],
] as const;

/**
 * Errors of the arguments that name the thing to use. It must be the thing that the operation names, because every
 * check has examined that one. `resources/read` requires a `uri`. The arguments of a prompt or a script need not repeat
 * the name. A prompt may declare an argument `name` of its own, which is then not compared.
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
