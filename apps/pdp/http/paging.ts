import type { PageAsked } from '../edge/asked.js';

export interface Page<Item> {
  readonly items: readonly Item[];
  /** The start of the next page; absent on the last page. */
  readonly next?: string;
}

/** One page of a walk in the order of a key. `cursor` is the key of the last item on the previous page. */
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
