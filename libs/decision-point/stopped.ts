import type { AttemptState } from '../calls/decider.js';
import { signatureOf } from '../capability/signature.js';
import { lifecycleReason, type MaybeCapability } from '../capability/state.js';
import type { ControlView } from '../control/control-view.js';
import { targetsOf } from '../decision/targets.js';
import { isVoid } from '../directive/decider.js';

/**
 * Whether a directive has matched the allow since (lifted again or not), or the version may no longer be used: it was
 * suspended or revoked, or so was the last key that carries its signature.
 */
export function isStopped({ decided, at }: AttemptState, capability: MaybeCapability, view: ControlView): boolean {
  const { host, taskId, capability: capabilityId, version, operation, basis } = decided;
  const state = version === undefined ? undefined : capability?.versions.get(version);
  if (capability === undefined || state === undefined || lifecycleReason(state, host) !== undefined) return true;
  // As of the allow: a key that has expired since stopped nothing.
  const { result } = signatureOf(capability, state, (id) => view.publisher(id).state, at);
  if (result === 'publisher_key_revoked') return true;
  const targets = targetsOf({ host, taskId, capabilityId, capability, version, operation });
  return isVoid(view.directives().state, { epoch: basis['directives'] ?? 0, targets });
}
