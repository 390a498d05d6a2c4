import type { CapabilityState, VersionState } from './state.js';

/** Whether a version may be the default: restricted data needs a server that proves its identity. */
const mayBeDefault = (version: VersionState): boolean =>
  version.server.method !== 'none' || version.sensitivity !== 'restricted';

/**
 * The version that a task gets if it names none. Of the versions that may be the default, it is the one whose first
 * approval is the latest. The caller checks whether it is still approved.
 */
export function defaultVersion(state: CapabilityState): VersionState | undefined {
  let latest: VersionState | undefined;
  for (const version of state.versions.values()) {
    if (mayBeDefault(version) && (version.firstApproval ?? 0) > (latest?.firstApproval ?? 0)) latest = version;
  }
  return latest;
}
