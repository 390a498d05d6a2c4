import type { VersionState } from '../capability/state.js';
import type { OperationFacts } from '../capability/events.js';
import { CONNECT } from '../capability/definition.js';
import { ownValue } from '../kernel/canonical-json.js';
import type { Pin } from '../task/decider.js';
import type { CheckName, ReasonCode } from '../vocabulary/words.js';
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
    }
  | {
      readonly outcome: 'fail';
      readonly reason: ReasonCode;
      readonly evidence: Evidence;
      readonly rule?: string;
      readonly obligation?: string;
    };

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
  readonly targets: readonly string[];
  /** The host asks before it sends the first byte to a server. */
  readonly connecting: boolean;
}

export function questionOf(snapshot: Snapshot, call: Call, engines: Engines): Question {
  const { capability, task } = snapshot;
  const pin = task?.pins.get(call.capability);
  const versionId = call.version ?? pin?.version;
  const version = versionId === undefined ? undefined : capability?.versions.get(versionId);
  const operation = version === undefined ? undefined : ownValue(version.operations, call.operation);
  const targets = targetsOf({
    host: call.host,
    taskId: task?.taskId,
    capabilityId: call.capability,
    capability,
    version: versionId,
    operation: call.operation,
  });
  const connecting = call.operation === CONNECT;
  return { snapshot, call, engines, pin, versionId, version, operation, targets, connecting };
}

export const pass = (evidence: Evidence, more: { rule?: string; counts?: number } = {}): CheckResult => ({
  outcome: 'pass',
  evidence,
  ...more,
});

export const skip = (evidence: Evidence = {}): CheckResult => ({ outcome: 'skipped', evidence });

export const fail = (
  reason: ReasonCode,
  evidence: Evidence,
  more: { rule?: string; obligation?: string } = {},
): CheckResult => ({ outcome: 'fail', reason, evidence, ...more });
