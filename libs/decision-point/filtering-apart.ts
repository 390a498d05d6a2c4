import type { FilterResult } from '../content/filter/shapes.js';
import { failed } from '../content/filter/filter.js';
import type { Engines, FilterQuestion } from '../decision/snapshot.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import type { AttemptWork, FilterStep } from './attempt.js';
import { INLINE_FILTER_BYTES } from './content-desk.js';

/**
 * The engines of one try, of which the filter never searches large content on this thread: it answers what another
 * thread has found for the same question, or `step` says what to ask for. Then the decision is not to be used.
 */
export class Filtering {
  step: FilterStep | undefined;
  readonly engines: Engines;

  constructor(
    engines: Engines,
    private readonly work: AttemptWork,
    private readonly bytes: number,
  ) {
    this.engines = bytes <= INLINE_FILTER_BYTES ? engines : { ...engines, filter: (question) => this.filter(question) };
  }

  private filter(question: FilterQuestion): FilterResult {
    const { filtered } = this.work;
    if (filtered !== undefined && isSame(filtered.question, question)) return filtered.result;
    this.step = { kind: 'filter', bytes: this.bytes, question };
    return failed();
  }
}

/** The content is that of the same request; the rest may have changed meanwhile. */
function isSame(one: FilterQuestion, other: FilterQuestion): boolean {
  if (one.arguments !== other.arguments || one.context !== other.context) return false;
  const rest = ({ arguments: _arguments, context: _context, ...each }: FilterQuestion) => canonicalJson(each);
  return rest(one) === rest(other);
}
