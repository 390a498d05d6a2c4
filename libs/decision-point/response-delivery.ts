import { isHeld, type AttemptState, type CallState } from '../calls/decider.js';
import type { ControlView } from '../control/control-view.js';
import type { StreamCheck } from '../event-log/port.js';
import { rejected, type Verdict } from './content-jobs.js';
import { isStopped } from './stopped.js';
import type { TaskLane } from './task-lane.js';

/** The delivery of a recorded response: its content, nothing until somebody releases it, or a rejection. */
export type Delivery = 'content' | 'held' | Verdict;

/** A delivery, and the checks that hold when it is answered. */
export interface PlannedDelivery {
  readonly delivery: Delivery;
  readonly checks: readonly StreamCheck[];
}

/**
 * The delivery that a recorded response may have now. A stop since the allow rejects it, even if it repeats an answer: the
 * host may never have received that. `rechecks`: the answer was not given before, so the end of the task rejects it too.
 * A held response is always checked again.
 */
export function planDelivery(
  view: ControlView,
  lane: TaskLane,
  call: CallState,
  attempt: AttemptState,
  rechecks: boolean,
): PlannedDelivery {
  const held = call.response !== undefined && isHeld(call.response.validated);
  if (held && call.released === undefined) return { delivery: 'held', checks: [] };
  const isRepeat = !held && !rechecks;
  if (isRepeat && call.response?.validated.verdict === 'rejected') return { delivery: 'content', checks: [] };
  const capability = view.capability(attempt.decided.capability);
  const checks = stopChecks(view, attempt);
  if (isStopped(attempt, capability.state, view)) return { delivery: rejected('disabled', 'directives'), checks };
  if (lane.task.closed && !isRepeat) return { delivery: rejected('cap', 'caps/late'), checks };
  return { delivery: 'content', checks };
}

/** The revisions by which `isStopped` was answered. */
export const stopChecks = (view: ControlView, { decided: { capability } }: AttemptState): readonly StreamCheck[] => [
  { stream: 'directives', expected: view.directives().revision },
  { stream: `capability-${capability}`, expected: view.capability(capability).revision },
];
