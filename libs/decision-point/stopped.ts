import type { AttemptState } from '../calls/decider.js';
import { lifecycleReason, type MaybeCapability } from '../capability/state.js';
import type { ControlView } from '../control/control-view.js';
import { targetsOf } from '../decision/targets.js';
import { isVoid } from '../directive/decider.js';

/** Whether a directive has matched the allow since (lifted again or not), or the version may no longer be used. */
export function isStopped({ decided }: AttemptState, capability: MaybeCapability, view: ControlView): boolean {
  const { host, taskId, capability: capabilityId, version, operation, basis } = decided;
  const state = version === undefined ? undefined : capability?.versions.get(version);
  if (state === undefined || lifecycleReason(state, host) !== undefined) return true;
  const targets = targetsOf({ host, taskId, capabilityId, capability, version, operation });
  return isVoid(view.directives().state, { epoch: basis['directives'] ?? 0, targets });
}
