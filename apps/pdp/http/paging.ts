import { keyCursor, keyIn } from '../../../libs/audit/cursor.js';
import type { PageAsked } from '../edge/asked.js';
import { unwrap } from '../edge/problem.js';

export interface Page<Item> {
  readonly items: readonly Item[];
  /** The start of the next page; absent on the last page. */
  readonly next?: string;
}

/**
 * One page of a walk in the order of a key. `walk` gets the key of the last item on the previous page, which callers see
 * as a cursor. `form` is that of the keys. Throws `Problem` (`malformed_request`) for a text that is no cursor of the list.
 */
export async function pageOf<Item>(
  walk: (after: string | undefined) => AsyncIterable<Item>,
  keyOf: (item: Item) => string,
  { limit, cursor }: PageAsked,
  form = /^/,
): Promise<Page<Item>> {
  const items: Item[] = [];
  for await (const item of walk(unwrap(keyIn(cursor, form)))) {
    const last = items.at(-1);
    if (items.length === limit && last !== undefined) return { items, next: keyCursor(keyOf(last)) };
    items.push(item);
  }
  return { items };
}
