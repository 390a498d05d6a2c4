import type { CapabilityState, Sighting, VersionState } from './state.js';

/** A state as JSON can hold it. */
type RestingVersion = Omit<VersionState, 'suspendedFor' | 'observed'> & {
  readonly suspendedFor: readonly string[];
  readonly observed: readonly [string, Sighting][];
};
type RestingCapability = Omit<CapabilityState, 'versions'> & { readonly versions: readonly RestingVersion[] };

/** A state as text, for the time in which it is not in use. `wakeCapability` makes an equal state of it. */
export function restCapability(state: CapabilityState): string {
  const versions = [...state.versions.values()].map((version): RestingVersion => ({
    ...version,
    suspendedFor: [...version.suspendedFor],
    observed: [...version.observed],
  }));
  return JSON.stringify({ ...state, versions } satisfies RestingCapability);
}

export function wakeCapability(resting: string): CapabilityState {
  const { versions, ...state } = JSON.parse(resting) as RestingCapability;
  const woken = versions.map((version): [string, VersionState] => {
    const suspendedFor = new Set(version.suspendedFor);
    return [version.version, { ...version, suspendedFor, observed: new Map(version.observed) }];
  });
  return { ...state, versions: new Map(woken) };
}
