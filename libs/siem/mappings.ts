import type { EventOf, KnownType } from '../streams/catalogue.js';
import * as calls from './calls.js';
import * as control from './control.js';
import type { Mapped } from './ocsf.js';
import * as publishers from './publishers.js';
import * as retention from './retention.js';

type Mapping<Type extends KnownType> = (event: EventOf<Type>) => Mapped;

/** An event that says nothing about what was decided, changed or seen. */
const LEFT_OUT = undefined;

/**
 * The OCSF event of every event type of the catalogue. A new type needs one line here, or the build fails. A mapping
 * picks each member by its name, so that a member that is added later does not leave by itself.
 */
export const MAPPINGS: { readonly [Type in KnownType]: Mapping<Type> | typeof LEFT_OUT } = {
  CapabilityRegistered: control.capabilityRegistered,
  VersionProposed: control.versionProposed,
  SignatureVerified: control.signatureVerified,
  PublishersProposed: control.publishersProposed,
  PublishersReviewed: control.publishersReviewed,
  VersionReviewed: control.versionReviewed,
  ExceptionsAmended: control.exceptionsAmended,
  DriftObserved: control.driftObserved,
  VersionSuspended: control.versionSuspended,
  VersionReinstated: control.versionReinstated,
  VersionRevoked: control.versionRevoked,
  PolicyProposed: control.policyProposed,
  PolicyReviewed: control.policyReviewed,
  PublisherRegistered: publishers.registered,
  PublisherKeyProposed: publishers.keyProposed,
  PublisherKeyReviewed: publishers.keyReviewed,
  PublisherKeyRevoked: publishers.keyRevoked,
  PublisherRevoked: publishers.revoked,
  PrincipalAdded: control.principalAdded,
  TokenRotated: control.tokenRotated,
  PrincipalRemoved: control.principalRemoved,
  DirectiveIssued: control.directiveIssued,
  DirectiveLifted: control.directiveLifted,
  TaskOpened: calls.taskOpened,
  ApprovalRequested: calls.approvalRequested,
  ApprovalDecided: calls.approvalDecided,
  CallCounted: control.callCounted,
  TaskClosed: control.taskClosed,
  TaskJoined: control.taskJoined,
  TaskShredded: retention.taskShredded,
  UserErased: retention.userErased,
  CallDecided: calls.decision,
  CallRefused: calls.decision,
  ContextFiltered: calls.filtered,
  ResponseValidated: calls.response,
  ResponseReleased: calls.release,
  OutcomeRecorded: calls.outcome,
  InstanceSeen: control.instanceSeen,
  DirectiveAcknowledged: control.acknowledged,
  HostStale: control.hostStale,
  HostRecovered: control.hostRecovered,
  LogRestored: control.logRestored,
  EvidenceRead: retention.evidenceRead,
  TracesArchived: retention.tracesArchived,
  RelayLeaseTaken: LEFT_OUT,
  RelayCheckpointed: LEFT_OUT,
  CheckpointSealed: LEFT_OUT,
};
