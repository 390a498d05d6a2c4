import { isJsonObject, type Json } from '../../kernel/canonical-json.js';

/** A text in a JSON value, with the ordinals that lead to it. */
export interface PlacedText {
  /** Places among the members in the order of their names (RFC 8785), or among the items, each after a `/`. */
  readonly ordinals: string;
  readonly text: string;
}

/** All texts of a value and names of members, at any depth. A name is at its member. The value's depth bounds the recursion. */
export function textsOf(value: Json, ordinals = ''): PlacedText[] {
  if (typeof value === 'string') return [{ ordinals, text: value }];
  if (Array.isArray(value)) return value.flatMap((item: Json, index) => textsOf(item, `${ordinals}/${index}`));
  if (!isJsonObject(value)) return [];
  const names = Object.keys(value).sort();
  return names.flatMap((name, index) => {
    const place = `${ordinals}/${index}`;
    return [{ ordinals: place, text: name }, ...textsOf(value[name] as Json, place)];
  });
}
