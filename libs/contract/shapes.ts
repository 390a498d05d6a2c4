import { z } from 'zod';
import { PositionText } from '../vocabulary/ids.js';
import { named } from './components.js';

/** Shapes that several nouns share. */

/** A position of the log in an answer: a decimal string that orders events; compare as an integer. */
export const Position = named('Position', z.string().regex(/^\d{1,20}$/), {
  description: 'A decimal string that orders everything recorded. Compare it as an integer.',
  examples: ['1042'],
});

/** The parameter of every query that needs a token. */
export const Freshness = z.object({
  minPosition: PositionText.optional().describe(
    'Waits up to 2 seconds until the service has seen this position; then `view_stale`.',
  ),
});

/** Of a list: one page of it. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next: z.string().optional().describe('The `cursor` of the next page; absent on the last one.'),
  });

/** The parameters of a list whose pages have at most `maxLimit` items. */
export const pagingOf = ({ maxLimit }: { readonly maxLimit: number }) =>
  z.object({
    limit: z.coerce.number().int().min(1).max(maxLimit).optional().describe('Items of a page at most.'),
    cursor: z.string().max(1024).optional().describe('`next` of the page before.'),
  });

export const MAX_PAGE = { defaultLimit: 100, maxLimit: 1000 } as const;

/** A request may wait this long for the decision of a person, in milliseconds. */
export const MAX_WAIT_MS = 25_000;

export const WaitMs = z.coerce.number().int().min(0).max(MAX_WAIT_MS).optional();
