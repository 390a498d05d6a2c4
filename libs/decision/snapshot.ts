import type { Approval, ApprovalUse } from '../calls/approvals.js';
import type { ClientApproval } from '../calls/events.js';
import type { PublisherOf } from '../capability/signature.js';
import type { CapabilityState } from '../capability/state.js';
import type { FilterInput, FilterResult } from '../content/filter/shapes.js';
import type { StandingDirectives } from '../directive/decider.js';
import type { JsonObject } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import type { JsonPointer } from '../kernel/pointer.js';
import type { Result } from '../kernel/result.js';
import type { AuthorityAnswer, AuthorityRequest } from '../policy/cedar.js';
import type { PolicySetState } from '../policy/decider.js';
import type { Instant } from '../kernel/time.js';
import type { TaskState } from '../task/decider.js';
import type { Call } from './call.js';

/** Stream and revision of everything that was consulted. An allow is appended only if none of them has changed. */
export type Basis = Readonly<Record<string, number>>;

/** The policy set that decides. */
export const POLICY_SET = 'default';

/** Everything that a decision may look at, as of one basis. */
export interface Snapshot {
  readonly basis: Basis;
  readonly directives: StandingDirectives;
  readonly capability: CapabilityState | undefined;
  readonly policySet: PolicySetState;
  /** Publishers on whom the signature of the version rests. Of any other one it knows nothing. */
  readonly publisherOf: PublisherOf;
  /** The task, if it is one of the calling host's. */
  readonly task: TaskState | undefined;
  /** Of the task's calls, as of the revision before the decision. The append of the decision expects that revision. */
  readonly calls: TaskCalls;
  /**
   * The task's content, which its events only commit to. Without `userId` the task's events hold the id of the user, or
   * nothing that asks for it is asked.
   */
  readonly content: { readonly purpose: string; readonly attributes: JsonObject; readonly userId?: string | undefined };
}

/** The facts of earlier calls of a task that the next decision needs. */
export interface TaskCalls {
  /** When a response of the task was quarantined first. */
  readonly taintedAt?: Instant | undefined;
  /** The latest approval that was requested for exactly this content. It is asked only if the call needs one. */
  readonly approvalOf: (call: Call, version: string) => Approval | undefined;
  /** The allow that already rests on a client's word. */
  readonly wordUse: (word: ClientApproval) => ApprovalUse | undefined;
}

/** Of a call without a task, and of records that no approval concerns. */
export const NO_CALLS: TaskCalls = { approvalOf: () => undefined, wordUse: () => undefined };

export interface ArgumentError {
  readonly path: JsonPointer;
  readonly keyword: string;
  /** The member that is missing at the path, or that is not allowed there. */
  readonly member?: string | undefined;
}

/** The name of an operation, and the operations of the manifest that it belongs to. */
export interface NamedThing {
  readonly operation: string;
  /** The operation declares an argument `name` of its own. */
  readonly ownName: boolean;
  readonly operations: Readonly<Record<string, unknown>>;
}

export interface FilterQuestion extends FilterInput {
  readonly schema: Digest | undefined;
}

/**
 * The computations of a decision on content, by the engine rules of its decider. Each is a function of its arguments
 * alone, so a replay that asks the same gets the same answer.
 */
export interface Engines {
  authority(set: Digest, request: AuthorityRequest): AuthorityAnswer;
  /** Errors of the arguments that name a different thing than the operation does. */
  named(thing: NamedThing, value: JsonObject): readonly ArgumentError[];
  arguments(schema: Digest, value: JsonObject): Result<void, readonly ArgumentError[]>;
  /** The part of a request that may be sent. `schema` is the pinned input schema, if it is enforced. */
  filter(question: FilterQuestion): FilterResult;
}
