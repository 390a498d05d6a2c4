import type { VersionState } from '../capability/state.js';
import type { FilterResult } from '../content/filter/shapes.js';
import type { OperationFacts } from '../capability/events.js';
import { CONNECT } from '../capability/definition.js';
import { signatureOf, type SignatureResult } from '../capability/signature.js';
import { ownValue } from '../kernel/canonical-json.js';
import type { Pin } from '../task/decider.js';
import { authorityOver } from '../policy/authority.js';
import type { AuthorityAnswer } from '../policy/cedar.js';
import type { ApprovalCause, ApprovalGrade, CheckName, ReasonCode } from '../vocabulary/words.js';
import type { Call } from './call.js';
import type { Engines, Snapshot } from './snapshot.js';
import { targetsOf } from './targets.js';

/** Codes and pointers that show why a check ended as it did; never a value of the call's content. */
export type Evidence = Readonly<Record<string, unknown>>;

/** A check of a decision with its outcome, as the answer and the audit trail show it. */
export interface Check {
  readonly check: CheckName;
  readonly outcome: 'pass' | 'fail' | 'skipped';
  readonly evidence?: Evidence;
}

export type CheckResult =
  | {
      readonly outcome: 'pass' | 'skipped';
      readonly evidence: Evidence;
      readonly rule?: string;
      readonly counts?: number;
      readonly approval?: string;
      readonly filtered?: FilterResult;
    }
  | {
      readonly outcome: 'fail';
      readonly reason: ReasonCode;
      readonly evidence: Evidence;
      readonly rule?: string;
      readonly obligation?: string;
      readonly approval?: string;
      readonly need?: ApprovalNeed;
      readonly filtered?: FilterResult;
    };

/** The approval that a call needs: who must give it, and why. */
export interface ApprovalNeed {
  readonly by: ApprovalGrade;
  readonly why: readonly ApprovalCause[];
  /** The policies that ask for it, by name. */
  readonly rule?: string | undefined;
}

/** The material of the checks: the inputs of a decision, and the values that they resolve to. */
export interface Question {
  readonly snapshot: Snapshot;
  readonly call: Call;
  readonly engines: Engines;
  readonly pin: Pin | undefined;
  /**
   * The version that the call names, else the pinned one. `version` is undefined if there is none or if it is
   * unregistered.
   */
  readonly versionId: string | undefined;
  readonly version: VersionState | undefined;
  readonly operation: OperationFacts | undefined;
  /** The result of the signature of the version now. Undefined without a version. */
  readonly signed: SignatureResult | undefined;
  readonly targets: readonly string[];
  /** The host asks before it sends the first byte to a server. */
  readonly connecting: boolean;
  /** The answer of the policies about all effects of the operation. Asked once. Undefined if there is nobody to ask. */
  readonly authority: () => PolicyAnswer | undefined;
}

export interface PolicyAnswer {
  readonly policyVersion: number;
  readonly answer: AuthorityAnswer;
}

export function questionOf(snapshot: Snapshot, call: Call, engines: Engines): Question {
  const { capability, task } = snapshot;
  const pin = task?.pins.get(call.capability);
  const versionId = call.version ?? pin?.version;
  const version = versionId === undefined ? undefined : capability?.versions.get(versionId);
  const operation = version === undefined ? undefined : ownValue(version.operations, call.operation);
  const signed =
    capability === undefined || version === undefined
      ? undefined
      : signatureOf(capability, version, snapshot.publisherOf, call.decidedAt);
  const targets = targetsOf({
    host: call.host,
    taskId: task?.taskId,
    capabilityId: call.capability,
    capability,
    version: versionId,
    operation: call.operation,
    signed,
  });
  const connecting = call.operation === CONNECT;
  let answered: { readonly answer: PolicyAnswer | undefined } | undefined;
  const authority = () => (answered ??= { answer: policyAnswer(snapshot, call, engines, version, operation) }).answer;
  return { snapshot, call, engines, pin, versionId, version, operation, signed, targets, connecting, authority };
}

/** Asks Cedar once for each effect of the operation. All effects must be allowed. */
function policyAnswer(
  { task, capability, content, policySet }: Snapshot,
  call: Call,
  engines: Engines,
  version: VersionState | undefined,
  operation: OperationFacts | undefined,
): PolicyAnswer | undefined {
  const { active } = policySet;
  if (active === undefined || task === undefined || capability === undefined || version === undefined) return undefined;
  const request = {
    user: { id: content.userId ?? task.user.id, roles: task.user.roles, attributes: content.attributes },
    capability: call.capability,
    category: capability.category,
    operation: call.operation,
    context: {
      purpose: content.purpose,
      agent: task.agent,
      host: call.host,
      sensitivity: version.sensitivity,
      arguments: call.arguments,
    },
  };
  const answer = authorityOver(operation?.effects ?? [], (effect) =>
    engines.authority(active.cedar, { ...request, effect }),
  );
  return { policyVersion: active.policyVersion, answer };
}

export const pass = (
  evidence: Evidence,
  more: { rule?: string; counts?: number; approval?: string; filtered?: FilterResult } = {},
): CheckResult => ({
  outcome: 'pass',
  evidence,
  ...more,
});

export const skip = (evidence: Evidence = {}): CheckResult => ({ outcome: 'skipped', evidence });

export const fail = (
  reason: ReasonCode,
  evidence: Evidence,
  more: { rule?: string; obligation?: string; approval?: string; need?: ApprovalNeed; filtered?: FilterResult } = {},
): CheckResult => ({ outcome: 'fail', reason, evidence, ...more });
