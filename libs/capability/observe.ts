import type { Digest } from '../kernel/digest.js';
import { toMs, type Instant } from '../kernel/time.js';
import type { Diff } from './diff.js';
import type { CapabilityEvent } from './events.js';
import type { CapabilityState, VersionState } from './state.js';

/** A host saw another definition than the pinned one. `actor` is that host. */
export interface ObserveCommand {
  readonly type: 'observe';
  readonly version: string;
  readonly observedDigest: Digest;
  readonly diff: Diff;
  readonly snapshot: Digest;
  /** The host has an open task that pins the version. Only then does its report count for other hosts. */
  readonly hostPinsVersion: boolean;
  /** The host's principal may stop a version for all without a second report (`host.mayStop`). */
  readonly mayStop: boolean;
  readonly directiveId: string;
}

/** At most this many snapshots of drifted definitions are kept for a version; half of them for drift that suspends no other host. */
export const MAX_SNAPSHOTS = 16;
/** Different definitions that one host can report for a version until a reviewer reinstates it. */
const MAX_REPORTS = 8;
const MAX_DRIFT_SUSPENSIONS = 3;
const DRIFT_WINDOW_MS = 3_600_000;

/**
 * The facts of an observation: the drift, and the suspension that it causes. It suspends for the host that reports it. It
 * suspends for all if a second host has reported the same digest since the last reinstatement, or if the host may stop
 * others alone. A repeated report, or one without effect, appends nothing. Every suspension has its DriftObserved.
 */
export function observe(
  command: ObserveCommand & { readonly actor: string; readonly time: Instant },
  state: CapabilityState,
  version: VersionState,
): CapabilityEvent[] {
  const { actor: host, time, observedDigest, diff, hostPinsVersion } = command;
  if (observedDigest === version.definitionDigest || isApprovedElsewhere(state, version, observedDigest)) return [];
  const sighting = version.observed.get(observedDigest);
  const reporters = sighting?.reporters ?? [];
  const approved = version.status === 'approved';
  const mayStopAll = hostPinsVersion && (command.mayStop || reporters.some((other) => other !== host));
  const forAll = approved && mayStopAll && recentSuspensions(state, host, time) < MAX_DRIFT_SUSPENSIONS;
  const suspends = forAll || (approved && !version.suspendedFor.has(host));
  // A suspended host is heard as well: its report may be the first or the second of another digest.
  const reports = approved && hostPinsVersion && !reporters.includes(host) && reportsOf(version, host) < MAX_REPORTS;
  // Drift that stops no other host must leave room for the evidence of drift that does.
  const room = snapshotsOf(version) < (forAll ? MAX_SNAPSHOTS : MAX_SNAPSHOTS / 2);
  if (!suspends && !reports && (sighting !== undefined || !room)) return [];
  const subject = { capability: state.id, version: version.version };
  const snapshot = sighting?.snapshot === true || !room ? {} : { snapshot: command.snapshot };
  const withoutTask = hostPinsVersion ? {} : { withoutTask: true as const };
  const drift: CapabilityEvent = {
    type: 'DriftObserved',
    data: { ...subject, host, observedDigest, diff, ...snapshot, ...withoutTask },
    actor: host,
    time,
  };
  if (!suspends) return [drift];
  const reason = `drift: ${diff.severity}`;
  const scope = forAll ? { directiveId: command.directiveId } : { host };
  const data = { ...subject, reason, cause: 'drift' as const, ...scope };
  return [drift, { type: 'VersionSuspended', data, actor: host, time }];
}

function isApprovedElsewhere(state: CapabilityState, version: VersionState, digest: Digest): boolean {
  return [...state.versions.values()].some(
    (other) => other !== version && other.status === 'approved' && other.definitionDigest === digest,
  );
}

function recentSuspensions(state: CapabilityState, host: string, now: Instant): number {
  const since = toMs(now) - DRIFT_WINDOW_MS;
  return state.driftSuspensions.filter((suspension) => suspension.host === host && suspension.atMs > since).length;
}

function reportsOf(version: VersionState, host: string): number {
  return [...version.observed.values()].filter(({ reporters }) => reporters.includes(host)).length;
}

function snapshotsOf(version: VersionState): number {
  return [...version.observed.values()].filter(({ snapshot }) => snapshot).length;
}
