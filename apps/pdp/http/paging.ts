import { z } from 'zod';
import { parseInput } from './body.js';

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

/** One page of a list that is sorted by a key; the cursor is the key of the last item that was given. */
export function pageOf<Item>(items: readonly Item[], keyOf: (item: Item) => string, query: unknown): Page<Item> {
  const { limit, cursor } = pagingOf(query);
  const sorted = [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const rest = cursor === undefined ? sorted : sorted.filter((item) => keyOf(item) > cursor);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return rest.length > limit && last !== undefined ? { items: page, next: keyOf(last) } : { items: page };
}
