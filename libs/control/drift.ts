import type { Definition } from '../capability/definition.js';
import { capabilityDecider } from '../capability/decider.js';
import type { Diff } from '../capability/diff.js';
import type { Blob, StreamWrite } from '../event-log/port.js';
import type { Digest } from '../kernel/digest.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { Instant } from '../kernel/time.js';
import { jsonBlob } from '../event-log/blobs.js';
import type { ControlView } from './control-view.js';
import type { Links } from '../streams/facts.js';
import { capabilityWrites } from './stops.js';

/** A definition that a host observed instead of the pinned one. */
export interface Observation {
  readonly host: string;
  readonly capability: string;
  readonly version: string;
  /** The changes from the pinned definition to the observed one. */
  readonly diff: Diff;
  readonly observed: Definition;
  readonly observedDigest: Digest;
  readonly hostPinsVersion: boolean;
  /** The id of the directive, if the observation causes one. */
  readonly directiveId: string;
  readonly time: Instant;
  /** The trace and the call of the observation; absent if no call made it. */
  readonly links?: Links;
}

/**
 * The appends of an observation: the drift with its snapshot, and the suspension that it causes. None if nothing is new, or if
 * only nulls differ.
 */
export function driftWrites(
  view: ControlView,
  observation: Observation,
): Result<{ writes: StreamWrite[]; blobs: Blob[] }, Refusal> {
  const { host, capability, version, diff, observed, observedDigest, hostPinsVersion, directiveId, time } = observation;
  // The client of the host writes absent members as null. The server declares what was reviewed.
  if (diff.hint === 'equal_but_for_nulls') return ok({ writes: [], blobs: [] });
  const mayStop = view.principal(host).state?.host?.mayStop === true;
  const snapshot = jsonBlob(observed);
  const command = {
    type: 'observe',
    version,
    observedDigest,
    diff,
    snapshot: snapshot.digest,
    hostPinsVersion,
    mayStop,
    directiveId,
    actor: host,
    time,
  } as const;
  const decided = capabilityDecider.decide(command, view.capability(capability).state);
  if (!decided.ok) return decided;
  if (decided.value.length === 0) return ok({ writes: [], blobs: [] });
  const writes = capabilityWrites(view, capability, decided.value, observation.links);
  if (!writes.ok) return writes;
  const kept = decided.value.some((event) => event.type === 'DriftObserved' && event.data.snapshot !== undefined);
  return ok({ writes: writes.value, blobs: kept ? [snapshot] : [] });
}
