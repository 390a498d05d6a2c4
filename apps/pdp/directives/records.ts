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
  readonly cursor: string | undefined;
}

const EPOCH = /^[1-9]\d{0,14}$/;

/**
 * A page of directives, the newest first. An epoch never changes and a lift is final. So a directive that was there when
 * the first page was read is on exactly one page.
 */
export function recordsOf(
  directives: DirectivesState,
  { state, limit = MAX_PAGE.defaultLimit, cursor }: Wanted,
): Promise<Page<DirectiveRecord>> {
  const newest = [...directives.all.values()].reverse();
  const walk = async function* (epoch?: string) {
    const before = epoch === undefined ? Number.POSITIVE_INFINITY : Number(epoch);
    for (const directive of newest) {
      const isWanted = directive.epoch < before && (state === 'all' || directive.state === 'lifted');
      if (isWanted) yield recordOf(directive, directives);
    }
  };
  return pageOf(walk, ({ epoch }) => String(epoch), { limit, cursor }, EPOCH);
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

/** The active directives are one signed statement. */
export const noPages = (): Problem =>
  new Problem('malformed_request', 'the active directives have no pages', [
    { path: '/state', message: 'needs lifted or all with limit and cursor' },
  ]);
