import type { Definition } from '../capability/definition.js';
import type { Caller } from '../control/caller.js';
import type { AuthorizeRequest } from '../calls/requests.js';
import type { Call } from '../decision/call.js';
import type { FilterResult } from '../content/filter/shapes.js';
import type { FilterQuestion } from '../decision/snapshot.js';
import type { RequestPrints } from './content-jobs.js';
import type { Aside } from './response.js';
import type { TaskLane } from './task-lane.js';

/** One attempt to decide a call: the request and its caller. */
export interface Attempt {
  readonly request: AuthorizeRequest;
  readonly caller: Caller;
  /** The call without its time: each try decides it as of its own time. */
  readonly call: Omit<Call, 'decidedAt'>;
  readonly traceparent: string | undefined;
  readonly work: AttemptWork;
  /** Set when no time is left to decide: the answer is a deny with this reason. */
  readonly forced?: 'view_stale' | undefined;
  /** For waits that need no work of this thread. */
  readonly aside: Aside;
}

/** The results of other threads for a request, kept for its next try. */
export interface AttemptWork {
  prints?: RequestPrints;
  /** The answer to one question of the filter. */
  filtered?: { readonly question: FilterQuestion; readonly result: FilterResult };
}

/** The request is large: another thread filters it. */
export interface FilterStep {
  readonly kind: 'filter';
  readonly bytes: number;
  readonly question: FilterQuestion;
}

/** An attempt, with the lane of the task it belongs to. */
export interface AttemptInTask {
  readonly attempt: Attempt;
  readonly lane: TaskLane;
  /** The pinned definition. Set only if the request brings a different definition whole, to compare with it. */
  readonly pinned: Definition | undefined;
  /** The recorded allow no longer holds: the call is decided with the labels that it has now. */
  readonly isNew?: boolean | undefined;
}
