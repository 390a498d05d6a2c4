import { defaultVersion, type MaybeCapability, type VersionState } from '#libs/capability/state.js';
import type { ReasonCode } from '#libs/vocabulary/words.js';
import type { Pin, Unresolved } from './decider.js';
import type { ScopeEntry } from './scope.js';

/**
 * Resolves the capabilities of a scope to versions, once, at intake: the version that an entry names, else the default
 * one. A capability without an approved version stays unresolved, with the reason that its calls would be denied for.
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
    const reason =
      state === undefined ? 'capability_unregistered' : whyNot(version, [...state.versions.values()].at(-1), named);
    if (reason !== undefined || version === undefined)
      unresolved.push({ capability, reason: reason ?? 'version_unregistered' });
    else pins.push({ capability, version: version.version, definitionDigest: version.definitionDigest });
  }
  return { pins, unresolved };
}

function whyNot(
  version: VersionState | undefined,
  newest: VersionState | undefined,
  named: string | undefined,
): ReasonCode | undefined {
  const judged = version ?? (named === undefined ? newest : undefined);
  if (judged === undefined) return 'version_unregistered';
  return judged.status === 'approved' ? undefined : `version_${judged.status}`;
}
