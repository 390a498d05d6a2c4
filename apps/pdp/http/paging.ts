import type { PageAsked } from '../edge/asked.js';

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: string;
}

/** One page of a walk that goes in order of a key, after the cursor: the key of the last item that was given. */
export async function pageOf<Item>(
  walk: (cursor: string | undefined) => AsyncIterable<Item>,
  keyOf: (item: Item) => string,
  { limit, cursor }: PageAsked,
): Promise<Page<Item>> {
  const items: Item[] = [];
  for await (const item of walk(cursor)) {
    const last = items.at(-1);
    if (items.length === limit && last !== undefined) return { items, next: keyOf(last) };
    items.push(item);
  }
  return { items };
}
