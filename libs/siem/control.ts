import { targetKey } from '../directive/target.js';
import { defined } from '../kernel/defined.js';
import { families, type EventOf } from '../streams/catalogue.js';
import { countsOf, label } from './labels.js';
import { CLASSES, DISPOSITION, type Attributes, type Mapped, type SeverityWord } from './ocsf.js';
import { byHost, byPrincipal, capabilityEntity, capabilityResource, entity, principal, versionUid } from './parts.js';

/** Everything that is managed: capabilities, policies, principals, directives, tasks and processes of hosts. */

const { entityManagement, detectionFinding } = CLASSES;
export const ACTIVITY = entityManagement.activities;

/** An event of Entity Management. The reasons that people write are free text: none of them is in it. */
export const managed = (
  { actor }: { readonly actor: string },
  activity: Mapped['activity'],
  severity: SeverityWord,
  message: string,
  attributes: Attributes,
): Mapped => ({
  class: entityManagement,
  activity,
  severity,
  message,
  profiles: ['host'],
  attributes: { ...byPrincipal({ actor }), status_id: 1, ...attributes },
});

/** `other` with a name of ours. */
export const named = (name: string): Mapped['activity'] => [ACTIVITY.other[0], name];

const ofVersion = ({ capability, version }: { readonly capability: string; readonly version: string }): Attributes =>
  capabilityEntity(capability, version);

export const capabilityRegistered = (event: EventOf<'CapabilityRegistered'>): Mapped =>
  managed(event, ACTIVITY.create, 'informational', 'A capability was registered.', {
    ...capabilityEntity(event.data.capability),
    unmapped: { kind: event.data.kind, category: event.data.category, publishers: event.data.publishers.length },
  });

export const versionProposed = (event: EventOf<'VersionProposed'>): Mapped =>
  managed(event, ACTIVITY.update, 'informational', 'A version was proposed.', {
    ...ofVersion(event.data),
    unmapped: {
      definition_digest: event.data.definitionDigest,
      operations: Object.keys(event.data.operations).length,
      sensitivity: event.data.sensitivity,
      server_method: event.data.server.method,
    },
  });

export const versionReviewed = (event: EventOf<'VersionReviewed'>): Mapped => {
  const isApproved = event.data.verdict === 'approved';
  const message = `A version was ${event.data.verdict}.`;
  return managed(event, isApproved ? ACTIVITY.enable : named('Reject'), isApproved ? 'low' : 'informational', message, {
    ...ofVersion(event.data),
    status_code: event.data.verdict,
    unmapped: defined({ exceptions: event.data.exceptions.length, quarantine: event.data.quarantine }),
  });
};

/** The event names the signers. The status of their keys is not in it, because it changes. */
export const signatureVerified = (event: EventOf<'SignatureVerified'>): Mapped =>
  managed(event, ACTIVITY.update, 'informational', 'The signatures of a version were verified.', {
    ...ofVersion(event.data),
    unmapped: defined({ signers: event.data.signers.length, fault: event.data.fault }),
  });

export const publishersProposed = (event: EventOf<'PublishersProposed'>): Mapped =>
  managed(event, ACTIVITY.update, 'low', 'A change of the publishers of a capability was proposed.', {
    ...capabilityEntity(event.data.capability),
    unmapped: { publishers: event.data.publishers.length },
  });

export const publishersReviewed = (event: EventOf<'PublishersReviewed'>): Mapped => {
  const activity = event.data.verdict === 'approved' ? ACTIVITY.enable : named('Reject');
  const message = `A change of the publishers of a capability was ${event.data.verdict}.`;
  return managed(event, activity, 'medium', message, {
    ...capabilityEntity(event.data.capability),
    status_code: event.data.verdict,
  });
};

export const exceptionsAmended = (event: EventOf<'ExceptionsAmended'>): Mapped =>
  managed(event, ACTIVITY.update, 'low', 'The exceptions of a version were amended.', {
    ...ofVersion(event.data),
    unmapped: { added: event.data.added.length, removed: event.data.removed.length },
  });

const DRIFT_SEVERITY: Readonly<Record<EventOf<'DriftObserved'>['data']['diff']['severity'], SeverityWord>> = {
  'safety-downgrade': 'critical',
  'authority-change': 'high',
  'instruction-change': 'high',
  cosmetic: 'medium',
  none: 'low',
};

/** Paths and values of a difference are a server's text: only their number and severities leave. */
export function driftObserved({ data, time }: EventOf<'DriftObserved'>): Mapped {
  const { capability, version, host, observedDigest, diff } = data;
  return {
    class: detectionFinding,
    activity: detectionFinding.activities.create,
    severity: DRIFT_SEVERITY[diff.severity],
    message: `A server shows another definition than the approved one: ${diff.severity}.`,
    profiles: ['security_control', 'host'],
    attributes: {
      disposition_id: DISPOSITION.alert,
      is_alert: true,
      status_id: 1,
      ...byHost(host, undefined),
      finding_info: {
        uid: `drift:${versionUid(capability, version)}:${observedDigest}`,
        title: 'Definition drift',
        types: ['drift'],
        created_time: Date.parse(time),
      },
      ...capabilityResource(capability, version),
      unmapped: {
        observed_digest: observedDigest,
        changes: diff.changes.length,
        changes_by_severity: countsOf(diff.changes.map(({ severity }) => severity)),
        without_task: data.withoutTask === true,
      },
    },
  };
}

export const versionSuspended = (event: EventOf<'VersionSuspended'>): Mapped =>
  managed(event, ACTIVITY.suspend, 'high', `A version was suspended by ${event.data.cause}.`, {
    ...ofVersion(event.data),
    status_code: event.data.cause,
    unmapped: defined({ host: event.data.host, directive_uid: event.data.directiveId }),
  });

export const versionReinstated = (event: EventOf<'VersionReinstated'>): Mapped =>
  managed(event, ACTIVITY.resume, 'medium', 'A version was reinstated.', {
    ...ofVersion(event.data),
    unmapped: defined({ directive_uid: event.data.directiveId }),
  });

export const versionRevoked = (event: EventOf<'VersionRevoked'>): Mapped =>
  managed(event, ACTIVITY.deactivate, 'high', 'A version was revoked.', {
    ...ofVersion(event.data),
    unmapped: { directive_uid: event.data.directiveId },
  });

const ofPolicy = ({ set, policyVersion }: EventOf<'PolicyProposed' | 'PolicyReviewed'>['data']): Attributes => {
  const policy = { name: set, uid: families.policy.stream(set), version: String(policyVersion) };
  return { entity: { ...policy, type: 'Policy', type_id: 5, policy } };
};

export const policyProposed = (event: EventOf<'PolicyProposed'>): Mapped => {
  const isFirst = event.data.policyVersion === 1;
  return managed(event, isFirst ? ACTIVITY.create : ACTIVITY.update, 'informational', 'A policy was proposed.', {
    ...ofPolicy(event.data),
    unmapped: { cedar_digest: event.data.cedar },
  });
};

export const policyReviewed = (event: EventOf<'PolicyReviewed'>): Mapped => {
  const isApproved = event.data.verdict === 'approved';
  const message = `A policy was ${event.data.verdict}.`;
  return managed(
    event,
    isApproved ? ACTIVITY.enable : named('Reject'),
    isApproved ? 'medium' : 'informational',
    message,
    {
      ...ofPolicy(event.data),
      status_code: event.data.verdict,
    },
  );
};

const ofPrincipal = (name: string, roles?: readonly string[]): Attributes => ({
  entity: {
    name,
    uid: name,
    type: 'User',
    type_id: 2,
    user: defined({ ...principal(name), groups: roles?.map((role) => ({ name: role })) }),
  },
});

export const principalAdded = (event: EventOf<'PrincipalAdded'>): Mapped =>
  managed(event, ACTIVITY.create, 'low', 'A principal was added.', ofPrincipal(event.data.name, event.data.roles));

export const tokenRotated = (event: EventOf<'TokenRotated'>): Mapped =>
  managed(event, ACTIVITY.update, 'low', 'The token of a principal was rotated.', ofPrincipal(event.data.name));

export const principalRemoved = (event: EventOf<'PrincipalRemoved'>): Mapped =>
  managed(event, ACTIVITY.delete, 'low', 'A principal was removed.', {
    ...ofPrincipal(event.data.name),
    unmapped: defined({ directive_uid: event.data.directiveId }),
  });

export const directiveIssued = (event: EventOf<'DirectiveIssued'>): Mapped => {
  const { id, target, cause, expiresAt, stateRoot } = event.data;
  const severity = target.type === 'all' ? 'critical' : 'high';
  return managed(event, ACTIVITY.disable, severity, `Calls were stopped by a directive on ${target.type}.`, {
    ...entity('directive', id, targetKey(target)),
    unmapped: defined({
      target: target.type,
      cause_uid: cause,
      expires: expiresAt === undefined ? undefined : Date.parse(expiresAt),
      epoch: event.revision,
      state_root: stateRoot,
    }),
  });
};

export const directiveLifted = (event: EventOf<'DirectiveLifted'>): Mapped =>
  managed(event, ACTIVITY.resume, 'medium', 'A directive was lifted.', {
    ...entity('directive', event.data.id),
    unmapped: { epoch: event.revision, state_root: event.data.stateRoot },
  });

export const callCounted = (event: EventOf<'CallCounted'>): Mapped =>
  managed(event, ACTIVITY.update, 'informational', 'A call was counted against the scope of its task.', {
    ...entity('task', event.data.taskId),
    unmapped: { call_uid: event.data.callId, scope_entry: event.data.entry },
  });

export const taskClosed = (event: EventOf<'TaskClosed'>): Mapped =>
  managed(event, named('Close'), 'informational', 'A task was closed.', entity('task', event.data.taskId));

export const taskJoined = (event: EventOf<'TaskJoined'>): Mapped =>
  managed(event, ACTIVITY.enroll, 'informational', 'A task joined its trace.', {
    ...entity('task', event.data.taskId),
    unmapped: defined({ trace_uid: families.trace.idOf(event.stream), host: event.data.host }),
  });

type OfInstance = EventOf<'InstanceSeen' | 'DirectiveAcknowledged' | 'HostStale' | 'HostRecovered'>;

const hostOf = ({ stream }: OfInstance): string => label(families.instances.idOf(stream) ?? '');

const ofInstance = (event: OfInstance): Attributes => entity('host instance', event.data.instanceId, hostOf(event));

export const instanceSeen = (event: EventOf<'InstanceSeen'>): Mapped =>
  managed(
    event,
    ACTIVITY.enroll,
    'informational',
    'A process of a host was seen for the first time.',
    ofInstance(event),
  );

export const acknowledged = (event: EventOf<'DirectiveAcknowledged'>): Mapped =>
  managed(event, ACTIVITY.update, 'informational', 'A process of a host applied the directives.', {
    ...ofInstance(event),
    unmapped: { epoch: event.data.epoch, state_root: event.data.stateRoot, proven: event.data.proven },
  });

/** The silence of a process is a finding, which its next sign of life closes. */
const silence = (event: EventOf<'HostStale' | 'HostRecovered'>): Mapped => {
  const isStale = event.type === 'HostStale';
  const { create, close } = detectionFinding.activities;
  return {
    class: detectionFinding,
    activity: isStale ? create : close,
    severity: isStale ? 'medium' : 'informational',
    message: isStale ? 'A process of a host is silent.' : 'A process of a host is back.',
    profiles: ['security_control', 'host'],
    attributes: {
      is_alert: isStale,
      status_id: isStale ? 1 : 4,
      ...byPrincipal(event),
      finding_info: {
        uid: `silent:${event.data.instanceId}`,
        title: 'Silent process of a host',
        types: ['silent'],
        created_time: Date.parse(event.time),
      },
      resources: [{ name: hostOf(event), uid: event.data.instanceId, type: 'host instance', role_id: 3 }],
    },
  };
};
export const hostStale = (event: EventOf<'HostStale'>): Mapped => silence(event);
export const hostRecovered = (event: EventOf<'HostRecovered'>): Mapped => silence(event);

export const logRestored = (event: EventOf<'LogRestored'>): Mapped =>
  managed(event, named('Restore'), 'high', 'The log was restored from a backup.', {
    ...entity('log', 'log'),
    unmapped: { incarnation: event.data.incarnation, backup_head: event.data.backupHead },
  });
