import type { Definition } from '../capability/definition.js';
import type { Caller } from '../control/caller.js';
import type { AuthorizeRequest } from '../calls/requests.js';
import type { Call } from '../decision/call.js';
import type { TaskLane } from './task-lane.js';

/** One attempt to decide a call: what is asked, by whom. */
export interface Attempt {
  readonly request: AuthorizeRequest;
  readonly caller: Caller;
  /** The call without its time: each try decides it as of its own. */
  readonly call: Omit<Call, 'decidedAt'>;
  readonly traceparent: string | undefined;
  /** Set when there is no more time to decide: the answer is a deny with this reason. */
  readonly forced?: 'view_stale' | undefined;
}

/** An attempt at the task that it belongs to. */
export interface AttemptInTask {
  readonly attempt: Attempt;
  readonly lane: TaskLane;
  /** The pinned definition, if the request brings another one whole to compare with it. */
  readonly pinned: Definition | undefined;
}
