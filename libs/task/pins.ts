import { defaultVersion } from '../capability/default-version.js';
import type { CapabilityState, MaybeCapability, VersionState } from '../capability/state.js';
import type { ReasonCode } from '../vocabulary/words.js';
import type { Pin, Unresolved } from './decider.js';
import type { ScopeEntry } from './scope.js';

/**
 * Resolves the capabilities of a scope to versions, once, at intake: the version that an entry names, else the default
 * one. A capability without an approved version stays unresolved, with the reason that its calls would be denied for.
 * So does one whose only approved versions handle restricted data and have servers that prove nothing.
 */
export function resolvePins(
  scope: readonly ScopeEntry[],
  capabilityOf: (id: string) => MaybeCapability,
): { pins: Pin[]; unresolved: Unresolved[] } {
  const pins: Pin[] = [];
  const unresolved: Unresolved[] = [];
  for (const capability of new Set(scope.map((entry) => entry.capability))) {
    const named = scope.find((entry) => entry.capability === capability && entry.version !== undefined)?.version;
    const state = capabilityOf(capability);
    const version = named === undefined ? state && defaultVersion(state) : state?.versions.get(named);
    const reason = state === undefined ? 'capability_unregistered' : whyNot(version, representative(state), named);
    if (reason !== undefined || version === undefined)
      unresolved.push({ capability, reason: reason ?? 'version_unregistered' });
    else pins.push({ capability, version: version.version, definitionDigest: version.definitionDigest });
  }
  return { pins, unresolved };
}

/** The version whose reason explains the missing default: an approved version, or else the newest. */
function representative({ versions }: CapabilityState): VersionState | undefined {
  const all = [...versions.values()];
  return all.findLast(({ status }) => status === 'approved') ?? all.at(-1);
}

function whyNot(
  version: VersionState | undefined,
  other: VersionState | undefined,
  named: string | undefined,
): ReasonCode | undefined {
  const judged = version ?? (named === undefined ? other : undefined);
  if (judged === undefined) return 'version_unregistered';
  // It may be pinned by its name alone.
  if (version === undefined && judged.status === 'approved') return 'server_unauthenticated';
  return judged.status === 'approved' ? undefined : `version_${judged.status}`;
}
