import { NO_CALLS, POLICY_SET, type Basis, type Snapshot, type TaskCalls } from '../decision/snapshot.js';
import type { StandingDirectives } from '../directive/decider.js';
import type { StreamCheck } from '../event-log/port.js';
import type { ControlView } from '../control/control-view.js';
import type { Held } from '../control/resting-states.js';
import type { TaskLane } from './task-lane.js';

/** The state that a decision consults: the live view, or what replay rebuilds of it as of a recorded basis. */
export interface ConsultedView extends Pick<ControlView, 'capability' | 'policySet' | 'principal'> {
  directives(): Held<StandingDirectives>;
}
export interface ConsultedTask extends Pick<TaskLane, 'task' | 'taskRevision' | 'taskStream' | 'content'> {
  /** Of its calls before the decision. */
  readonly earlier: TaskCalls;
}

/**
 * Everything that a decision about a capability looks at, with the revision of each stream it came from. The consulted
 * values and the checked revisions both come from here, so no caller can have one without the other.
 */
export function snapshotFor(
  view: ConsultedView,
  lane: ConsultedTask | undefined,
  host: string,
  capability: string,
): Snapshot {
  const held = view.capability(capability);
  const directives = view.directives();
  const policySet = view.policySet(POLICY_SET);
  const basis: Record<string, number> = {
    [`capability-${capability}`]: held.revision,
    directives: directives.revision,
    [`policy-${POLICY_SET}`]: policySet.revision,
    [`principal-${host}`]: view.principal(host).revision,
  };
  if (lane !== undefined) basis[lane.taskStream] = lane.taskRevision;
  return {
    basis,
    directives: directives.state,
    capability: held.state,
    policySet: policySet.state,
    task: lane?.task,
    calls: lane?.earlier ?? NO_CALLS,
    content: lane?.content ?? { purpose: '', attributes: {} },
  };
}

/** The preconditions of an allow: its whole basis, except the streams that the same batch writes at exact revisions. */
export function basisChecks(basis: Basis, written: ReadonlySet<string>): StreamCheck[] {
  return Object.entries(basis)
    .filter(([stream]) => !written.has(stream))
    .map(([stream, expected]) => ({ stream, expected }));
}
