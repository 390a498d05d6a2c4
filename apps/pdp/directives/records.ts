import type { DirectiveRecord } from '../../../libs/contract/directives.js';
import { MAX_PAGE } from '../../../libs/contract/shapes.js';
import type { DirectivesState, DirectiveState } from '../../../libs/directive/decider.js';
import { directiveView } from '../../../libs/feed/beat.js';
import { defined } from '../../../libs/kernel/defined.js';
import { Problem } from '../edge/problem.js';
import { pageOf, type Page } from '../http/paging.js';

interface Wanted {
  readonly state: 'lifted' | 'all';
  readonly limit: number | undefined;
  /** The epoch of the last directive on the page before. */
  readonly cursor: string | undefined;
}

/**
 * A page of directives, the newest first. An epoch never changes and a lift is final. So a directive that was there when
 * the first page was read is on exactly one page.
 */
export function recordsOf(
  directives: DirectivesState,
  { state, limit = MAX_PAGE.defaultLimit, cursor }: Wanted,
): Promise<Page<DirectiveRecord>> {
  const before = cursor === undefined ? Number.POSITIVE_INFINITY : epochIn(cursor);
  const newest = [...directives.all.values()].reverse();
  const walk = async function* () {
    for (const directive of newest) {
      const isWanted = directive.epoch < before && (state === 'all' || directive.state === 'lifted');
      if (isWanted) yield recordOf(directive, directives);
    }
  };
  return pageOf(walk, ({ epoch }) => String(epoch), { limit, cursor });
}

function recordOf(directive: DirectiveState, { lifts }: DirectivesState): DirectiveRecord {
  const lift = lifts.get(directive.id);
  return defined({
    ...directiveView(directive),
    liftedInEpoch: lift?.epoch,
    liftedBy: lift?.by,
    liftedAt: lift?.at,
    liftReason: lift?.reason,
  });
}

function epochIn(cursor: string): number {
  if (/^[1-9]\d{0,14}$/.test(cursor)) return Number(cursor);
  const errors = [{ path: '/cursor', message: 'is no cursor of this list' }];
  throw new Problem('malformed_request', 'the cursor is malformed', errors);
}

/** The active directives are one signed statement. */
export const noPages = (): Problem =>
  new Problem('malformed_request', 'the active directives have no pages', [
    { path: '/state', message: 'needs lifted or all with limit and cursor' },
  ]);
