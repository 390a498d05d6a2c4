import { NO_CALLS, POLICY_SET, type Basis, type Snapshot, type TaskCalls } from '../decision/snapshot.js';
import { signingPublishers } from '../capability/signature.js';
import type { MaybeCapability } from '../capability/state.js';
import type { Call } from '../decision/call.js';
import type { StandingDirectives } from '../directive/decider.js';
import type { StreamCheck } from '../event-log/port.js';
import type { ControlView } from '../control/control-view.js';
import type { Held } from '../control/resting-states.js';
import type { MaybePublisher } from '../publisher/decider.js';
import type { TaskLane } from './task-lane.js';

/** The state that a decision consults: the live view, or what replay rebuilds of it as of a recorded basis. */
export interface ConsultedView extends Pick<ControlView, 'capability' | 'policySet' | 'principal' | 'publisher'> {
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
  { host, capability, version }: Subject,
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
  const publishers = publishersOf(view, held.state, version ?? lane?.task.pins.get(capability)?.version);
  for (const [publisher, { revision }] of publishers) basis[`publisher-${publisher}`] = revision;
  return {
    basis,
    directives: directives.state,
    capability: held.state,
    policySet: policySet.state,
    publisherOf: (publisher) => publishers.get(publisher)?.state,
    task: lane?.task,
    calls: lane?.earlier ?? NO_CALLS,
    content: lane?.content ?? { purpose: '', attributes: {} },
  };
}

/** The call that a decision is about, as far as it names streams. */
type Subject = Pick<Call, 'host' | 'capability' | 'version'>;

type Publishers = ReadonlyMap<string, Held<MaybePublisher>>;

const NO_PUBLISHERS: Publishers = new Map();

/** The publishers on whom the signature of a version rests. Most versions have one, or none. */
function publishersOf(view: ConsultedView, capability: MaybeCapability, versionId: string | undefined): Publishers {
  const version = capability?.versions.get(versionId ?? '');
  if (capability === undefined || version?.signature === undefined) return NO_PUBLISHERS;
  return new Map(signingPublishers(capability, version).map((id) => [id, view.publisher(id)]));
}

/** The preconditions of an allow: its whole basis, except the streams that the same batch writes at exact revisions. */
export function basisChecks(basis: Basis, written: ReadonlySet<string>): StreamCheck[] {
  return Object.entries(basis)
    .filter(([stream]) => !written.has(stream))
    .map(([stream, expected]) => ({ stream, expected }));
}
