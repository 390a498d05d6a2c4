import type { CapabilityState, VersionState } from '../capability/state.js';
import { targetKey, type Target } from '../directive/target.js';
import { ownValue } from '../kernel/canonical-json.js';
import { targetsOf } from './targets.js';

/**
 * Whether a target stops calls of a version, by the same keys as a decision. A host or a task belongs to no version:
 * those targets match tasks alone.
 */
export function matchesVersion(target: Target, capability: CapabilityState, version: VersionState): boolean {
  const operation = operationOf(target, version);
  if (operation === undefined) return false;
  if (target.type === 'publisher-key')
    return (
      version.signature?.signers.some((each) => each.publisher === target.publisher && each.keyId === target.keyId) ===
      true
    );
  const subject = { host: '', capabilityId: capability.id, capability, version: version.version, operation };
  return targetsOf(subject).includes(targetKey(target));
}

/**
 * An operation of the version that the target can stop. Any value will do if the target names neither an operation nor
 * an effect.
 */
function operationOf(target: Target, { operations }: VersionState): string | undefined {
  if (target.type === 'operation')
    return ownValue(operations, target.operation) === undefined ? undefined : target.operation;
  if (target.type !== 'effect') return '';
  return Object.keys(operations).find((name) => ownValue(operations, name)?.effects.includes(target.effect));
}
