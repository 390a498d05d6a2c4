import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { toMs, type Instant } from '../kernel/time.js';
import type { ExceptionCode, Kind, Level, ReasonCode, ReviewVerdict, VersionStatus } from '../vocabulary/words.js';
import type { Handling } from '../vocabulary/quarantine.js';
import type { SearchEngines } from '../content/search-rules.js';
import type { Finding } from '../content/shapes.js';
import type { Probe } from './definition.js';
import type { CapabilityEvent, OperationFacts } from './events.js';
import type { ServerExpectation, Source } from './manifest.js';

export interface Review {
  readonly verdict: ReviewVerdict;
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
  readonly exceptions: readonly ExceptionCode[];
  /** The handling of quarantined responses. Absent if the setting of the service decides it. */
  readonly quarantine?: Handling;
}

export interface VersionState {
  readonly version: string;
  readonly source: Source;
  readonly definitionDigest: Digest;
  readonly probe?: Probe | undefined;
  readonly documents: {
    readonly definition: Digest;
    readonly manifest: Digest;
    readonly supplyChain?: Digest | undefined;
    readonly signature?: Digest | undefined;
  };
  readonly operations: Readonly<Record<string, OperationFacts>>;
  readonly sensitivity: Level;
  readonly server: ServerExpectation;
  readonly findings?: readonly Finding[] | undefined;
  readonly findingsLeftOut?: number | undefined;
  readonly searchedBy?: SearchEngines | undefined;
  readonly requestDigest: Digest;
  readonly proposedBy: string;
  readonly proposedAt: Instant;
  status: VersionStatus;
  /** Its signers. Absent if it has no signature, or was proposed before signatures were verified. */
  signature?: VerifiedSignature;
  review?: Review;
  /** Ordinal of the version's first approval among those of its capability: the highest is the default pin. */
  firstApproval?: number;
  /** The actor of the suspension for all hosts, and its directive. Present while `status` is `suspended`. */
  suspension?: { readonly by: string; readonly directiveId: string };
  /** Hosts for which alone it is suspended. */
  readonly suspendedFor: Set<string>;
  /** Digests that were observed in place of the pinned one. */
  readonly observed: Map<string, Sighting>;
  /** A drift was observed that no reviewer has settled: the version is in the review queue. */
  drifted: boolean;
}

/** The keys that signed a version. `signature.ts` makes the result of a time from them. */
export interface VerifiedSignature {
  readonly signers: readonly { readonly publisher: string; readonly keyId: string }[];
  readonly fault?: 'missing' | 'invalid' | undefined;
  readonly tried: readonly { readonly publisher: string; readonly keys: number }[];
}

/** The reports of one drifted definition. */
export interface Sighting {
  /** Its definition is kept. */
  snapshot: boolean;
  /** Hosts whose reports count for others, and that reported it since the last review. Each once. */
  reporters: readonly string[];
}

export interface CapabilityState {
  readonly id: string;
  readonly kind: Kind;
  readonly category: string;
  readonly owner: string;
  /** The publishers that may sign for it. */
  publishers: readonly string[];
  /** A change of the publishers that waits for its review. */
  proposedPublishers?: { readonly publishers: readonly string[]; readonly by: string };
  readonly requestDigest: Digest;
  readonly versions: Map<string, VersionState>;
  approvals: number;
  /** Suspensions for all that hosts' observations caused, newest last; only the last ones are kept. */
  readonly driftSuspensions: { readonly host: string; readonly atMs: number }[];
}

export type MaybeCapability = CapabilityState | undefined;

/** How many drift suspensions are remembered: enough for the limit per host, bounded however many hosts there are. */
const REMEMBERED_SUSPENSIONS = 300;

export function evolveCapability(state: MaybeCapability, event: CapabilityEvent): MaybeCapability {
  if (event.type === 'CapabilityRegistered') {
    const { capability, kind, category, owner, publishers, requestDigest } = event.data;
    const versions = new Map<string, VersionState>();
    return {
      id: capability,
      kind,
      category,
      owner,
      publishers,
      requestDigest,
      versions,
      approvals: 0,
      driftSuspensions: [],
    };
  }
  if (state === undefined) throw new Error(`${event.type} before CapabilityRegistered`);
  if (event.type === 'VersionProposed') {
    const { capability: _, ...facts } = event.data;
    state.versions.set(facts.version, {
      ...facts,
      proposedBy: event.actor,
      proposedAt: event.time,
      status: 'pending',
      suspendedFor: new Set(),
      observed: new Map(),
      drifted: false,
    });
    return state;
  }
  if (event.type === 'PublishersProposed') {
    state.proposedPublishers = { publishers: event.data.publishers, by: event.actor };
    return state;
  }
  if (event.type === 'PublishersReviewed') {
    const { publishers } = state.proposedPublishers ?? state;
    if (event.data.verdict === 'approved') state.publishers = publishers;
    delete state.proposedPublishers;
    return state;
  }
  const version = state.versions.get(event.data.version);
  if (version === undefined) throw new Error(`${event.type} of an unknown version`);
  evolveVersion(state, version, event);
  return state;
}

type VersionEvent = Exclude<
  CapabilityEvent,
  { type: 'CapabilityRegistered' | 'VersionProposed' | 'PublishersProposed' | 'PublishersReviewed' }
>;

function evolveVersion(state: CapabilityState, version: VersionState, event: VersionEvent): void {
  switch (event.type) {
    case 'SignatureVerified': {
      const { signers, fault, tried } = event.data;
      version.signature = defined({ signers, fault, tried });
      return;
    }
    case 'VersionReviewed': {
      const { verdict, reason, exceptions, quarantine } = event.data;
      version.status = verdict;
      version.review = { verdict, by: event.actor, reason, at: event.time, exceptions, ...defined({ quarantine }) };
      if (verdict === 'approved') version.firstApproval ??= ++state.approvals;
      settleDrift(version);
      return;
    }
    case 'ExceptionsAmended': {
      const { added, removed } = event.data;
      if (version.review === undefined) return;
      const kept = version.review.exceptions.filter((code) => !removed.includes(code));
      version.review = { ...version.review, exceptions: [...new Set([...kept, ...added])].sort() };
      return;
    }
    case 'DriftObserved': {
      const { observedDigest, host, snapshot, withoutTask } = event.data;
      const sighting = version.observed.get(observedDigest) ?? { snapshot: false, reporters: [] };
      version.observed.set(observedDigest, sighting);
      if (snapshot !== undefined) sighting.snapshot = true;
      if (withoutTask !== true) sighting.reporters = [...new Set([...sighting.reporters, host])];
      version.drifted = true;
      return;
    }
    case 'VersionSuspended': {
      const { host, directiveId, cause } = event.data;
      if (host !== undefined) {
        version.suspendedFor.add(host);
        return;
      }
      version.status = 'suspended';
      version.suspension = { by: event.actor, directiveId: directiveId ?? '' };
      if (cause === 'drift') state.driftSuspensions.push({ host: event.actor, atMs: toMs(event.time) });
      if (state.driftSuspensions.length > REMEMBERED_SUSPENSIONS) state.driftSuspensions.shift();
      return;
    }
    case 'VersionReinstated':
      version.status = 'approved';
      version.suspendedFor.clear();
      delete version.suspension;
      settleDrift(version);
      return;
    case 'VersionRevoked':
      version.status = 'revoked';
      return;
  }
}

/** A reviewer has judged what was observed: only what is reported from now on counts. */
function settleDrift(version: VersionState): void {
  version.drifted = false;
  for (const sighting of version.observed.values()) sighting.reporters = [];
}

/** Whether a version is in the review queue: it waits for its review, or for a verdict on a drift. */
export function awaitsReview({ status, drifted }: VersionState): boolean {
  return status === 'pending' || (drifted && (status === 'approved' || status === 'suspended'));
}

/** The reason why a host cannot use a version now; undefined if it can. */
export function lifecycleReason(version: VersionState, host: string): ReasonCode | undefined {
  if (version.status !== 'approved') return `version_${version.status}`;
  return version.suspendedFor.has(host) ? 'version_suspended' : undefined;
}
