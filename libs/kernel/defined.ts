/** `T` without the members that are undefined: a member that may be undefined becomes an optional one. */
type Defined<T> = T extends unknown ? { [K in keyof Split<T>]: Split<T>[K] } : never;

type Split<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/**
 * A copy of an object literal without its undefined members; the others keep their order. JSON leaves undefined members
 * out anyway, but `exactOptionalPropertyTypes`, deep comparison and `in` tell the two apart.
 */
export function defined<const T extends object>(members: T): Defined<T> {
  const kept: Record<string, unknown> = {};
  for (const key in members) {
    const value: unknown = members[key];
    if (value === undefined) continue;
    // An assignment to this key would set the prototype.
    if (key === '__proto__') Object.defineProperty(kept, key, { value, enumerable: true, writable: true });
    else kept[key] = value;
  }
  return kept as Defined<T>;
}
