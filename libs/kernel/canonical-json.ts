import canonicalize from 'canonicalize';

/** Any JSON value. Objects parsed from outside may hold keys such as `__proto__`: look keys up with `ownValue`. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/**
 * The RFC 8785 (JCS) form of a value, the only form that is ever hashed or stored.
 * Members that are `undefined` are left out. Throws on NaN, infinities, lone surrogates and cycles.
 */
export function canonicalJson(value: unknown): string {
  // A value whose members are in order is written natively, several times as fast; the rest goes to the library.
  if (isOrdered(value)) return JSON.stringify(value);
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}

/** The value as a reader of its canonical JSON gets it. A decision on another order of members could not be made again. */
export function inCanonicalOrder<Value extends Json>(value: Value): Value {
  return isOrdered(value) ? value : (JSON.parse(canonicalJson(value)) as Value);
}

/** Whether `JSON.stringify` writes a value as RFC 8785 does: plain, well-formed, and with the members of objects in order. */
function isOrdered(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'number':
      return Number.isFinite(value);
    case 'boolean':
      return true;
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) if (!isOrdered(value[index])) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const members = value as Readonly<Record<string, unknown>>;
  let previous: string | undefined;
  for (const key of Object.keys(members)) {
    // `JSON.stringify` would call a member `toJSON` that is a function.
    if ((previous !== undefined && key <= previous) || !key.isWellFormed() || key === 'toJSON') return false;
    if (!isOrdered(members[key])) return false;
    previous = key;
  }
  return true;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of an object by a name from outside; never an inherited one. */
export function ownValue<Value>(object: { readonly [key: string]: Value }, key: string): Value | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
