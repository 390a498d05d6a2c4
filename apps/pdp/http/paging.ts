import { z } from 'zod';
import { parseInput } from '../edge/body.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

const Paging = z.object({
  limit: z.coerce.number().int().min(1).optional(),
  cursor: z.string().max(1024).optional(),
});

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: string;
}

/** `?limit=&cursor=` of a list; a limit beyond the largest page gets the largest page. */
export function pagingOf(
  query: unknown,
  defaultLimit = DEFAULT_LIMIT,
  maxLimit = MAX_LIMIT,
): { limit: number; cursor: string | undefined } {
  const { limit = defaultLimit, cursor } = parseInput(Paging, query);
  return { limit: Math.min(limit, maxLimit), cursor };
}

/** One page of a walk that goes in order of a key, after the cursor: the key of the last item that was given. */
export async function pageOf<Item>(
  walk: (cursor: string | undefined) => AsyncIterable<Item>,
  keyOf: (item: Item) => string,
  query: unknown,
): Promise<Page<Item>> {
  const { limit, cursor } = pagingOf(query);
  const items: Item[] = [];
  for await (const item of walk(cursor)) {
    const last = items.at(-1);
    if (items.length === limit && last !== undefined) return { items, next: keyOf(last) };
    items.push(item);
  }
  return { items };
}
