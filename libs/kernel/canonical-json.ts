import canonicalize from 'canonicalize';

/** Any JSON value. Objects that were parsed from outside may hold keys such as `__proto__`: look keys up with `ownValue`. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/**
 * The RFC 8785 (JCS) form of a value, the only form that is ever hashed or stored.
 * Members that are `undefined` are left out. Throws on NaN, infinities, lone surrogates and cycles.
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of an object by a name that came from outside; never something inherited. */
export function ownValue<Value>(object: { readonly [key: string]: Value }, key: string): Value | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
