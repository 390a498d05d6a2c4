import { defined } from '../kernel/defined.js';
import type { EventOf } from '../streams/catalogue.js';
import { countsOf, label, sumsOf } from './labels.js';
import { ACTION, CLASSES, DISPOSITION, type Attributes, type Mapped, type Profile, type SeverityWord } from './ocsf.js';
import {
  aiAgent,
  byHost,
  byPrincipal,
  capabilityResource,
  endpoint,
  endUser,
  principal,
  UNKNOWN_CLOUD,
} from './parts.js';

/** Decisions, verdicts on responses, and outcomes. */

const SERVICE = { name: 'sallyport' };
const { apiActivity, authorizeSession, detectionFinding } = CLASSES;

/** `host` and `cloud`: the compiled schema counts `actor` and `api` of this class only together with them. */
const API_PROFILES: readonly Profile[] = ['security_control', 'trace', 'ai_operation', 'host', 'cloud'];

const traceOf = (traceId: string | undefined): Attributes =>
  traceId === undefined ? {} : { trace: { uid: traceId, service: SERVICE } };

/** Somebody may be attacking, or a server is not what was reviewed. */
const ALARMING: ReadonlySet<string> = new Set([
  'definition_drifted',
  'publisher_key_revoked',
  'server_identity_mismatch',
  'signature_invalid',
]);
/** Something that was in use has been stopped. */
const STOPPED: ReadonlySet<string> = new Set([
  'disabled',
  'publisher_key_revoked',
  'version_revoked',
  'version_suspended',
]);
/** The caller asked for more than it, its task or its user may do. */
const UNAUTHORIZED: ReadonlySet<string> = new Set([
  'capability_not_pinned',
  'capability_unregistered',
  'operation_unknown',
  'outside_task_scope',
  'outside_user_authority',
  'task_closed',
  'task_expired',
  'task_unknown',
  'version_not_pinned',
  'version_unregistered',
]);

function dispositionOf(reason: string): number {
  if (reason === 'ok') return DISPOSITION.allowed;
  if (STOPPED.has(reason)) return DISPOSITION.accessRevoked;
  return UNAUTHORIZED.has(reason) ? DISPOSITION.unauthorized : DISPOSITION.blocked;
}

function severityOf(reason: string): SeverityWord {
  if (reason === 'ok') return 'informational';
  if (ALARMING.has(reason)) return 'high';
  return STOPPED.has(reason) ? 'medium' : 'low';
}

type Decided = EventOf<'CallDecided'>['data'];

/** The policy set that the decision rested on, by its place in the basis, and the rule that determined it. */
function policyOf({ basis, rule }: Decided): Attributes {
  const stream = Object.keys(basis).find((name) => name.startsWith('policy-'));
  if (stream === undefined) return {};
  const name = rule === undefined ? undefined : label(rule);
  return { policy: defined({ name, uid: label(stream), version: String(basis[stream]) }) };
}

/** `passed`, `skipped`, and the name of the check that failed. Its evidence may quote a server, so it stays inside. */
function checkCounts(checks: Decided['checks']): Attributes {
  const outcome = (check: Decided['checks'][number]) => (typeof check === 'string' ? 'pass' : check[1]);
  const failed = checks.find((check) => outcome(check) === 'fail');
  return defined({
    checks_passed: checks.filter((check) => outcome(check) === 'pass').length,
    checks_skipped: checks.filter((check) => outcome(check) === 'skipped').length,
    failed_check: typeof failed === 'object' ? failed[0] : undefined,
  });
}

export function decision({ data, traceId }: EventOf<'CallDecided' | 'CallRefused'>): Mapped {
  const { callId, taskId, host, user, agent, capability, version, operation, reason, instanceId } = data;
  const isAllowed = data.decision === 'allow';
  return {
    class: apiActivity,
    activity: [99, 'Invoke'],
    severity: severityOf(reason),
    message: isAllowed ? 'A call was allowed.' : `A call was denied: ${reason}.`,
    profiles: API_PROFILES,
    attributes: {
      action_id: isAllowed ? ACTION.allowed : ACTION.denied,
      disposition_id: dispositionOf(reason),
      status_id: isAllowed ? 1 : 2,
      status_code: reason,
      ...byHost(host, taskId, user),
      ...endpoint(host, instanceId),
      ...aiAgent(agent, instanceId),
      api: { operation: label(operation), service: { name: capability }, request: { uid: callId } },
      ...capabilityResource(capability, version, data.effects),
      ...policyOf(data),
      ...traceOf(traceId),
      ...UNKNOWN_CLOUD,
      unmapped: {
        attempt: data.attempt,
        context_items: data.contextItems,
        server_method: data.observed.server.method,
        ...checkCounts(data.checks),
      },
    },
  };
}

/** The parts of an event about a call that does not name its capability. */
const ofCall = (actor: string, data: { readonly callId: string; readonly taskId: string }, operation: string) => ({
  ...byHost(actor, data.taskId),
  ...endpoint(actor),
  api: { operation, service: SERVICE, request: { uid: data.callId } },
  ...UNKNOWN_CLOUD,
});

/** Categories and pointers may hold words of the host, so they stay inside: the types of spans are of the rule pack. */
export function filtered({ actor, data, traceId }: EventOf<'ContextFiltered'>): Mapped {
  const { redactions, refusals, items, labels, attempt, pack, flow } = data;
  const levels = [...items, ...labels].map(({ level }) => level);
  return {
    class: apiActivity,
    activity: [99, 'Filter'],
    severity: redactions.length + refusals.length === 0 ? 'informational' : 'low',
    message: 'Outbound content was filtered.',
    profiles: API_PROFILES,
    attributes: {
      action_id: ACTION.allowed,
      disposition_id: redactions.length + refusals.length === 0 ? DISPOSITION.allowed : DISPOSITION.corrected,
      status_id: 1,
      ...ofCall(actor, data, 'filter_context'),
      ...traceOf(traceId),
      unmapped: defined({
        attempt,
        pack,
        flow,
        redactions_by_type: sumsOf(redactions.map(({ type, count }) => [type, count])),
        refusals_by_reason: countsOf(refusals.map(({ reason }) => reason)),
        context_items: items.length,
        labels_by_level: countsOf(levels),
      }),
    },
  };
}

export function response(event: EventOf<'ResponseValidated'>): Mapped {
  const { actor, data, traceId, id, time } = event;
  const { verdict, handling, findings, leftOut = 0, label, attempt, callId } = data;
  const isInstruction = handling !== undefined;
  const unmapped = defined({
    attempt,
    handling,
    level: label?.level,
    categories: label?.categories,
    findings: findings.length + leftOut,
    findings_by_kind: countsOf(findings.map(({ detector, kind }) => `${detector.replaceAll('/', '.')}:${kind}`)),
    findings_by_severity: countsOf(findings.map(({ severity }) => severity)),
  });
  if (verdict === 'accepted') {
    return {
      class: apiActivity,
      activity: [99, 'Validate'],
      severity: 'informational',
      message: 'A response was accepted.',
      profiles: API_PROFILES,
      attributes: {
        action_id: ACTION.allowed,
        disposition_id: DISPOSITION.allowed,
        status_id: 1,
        status_code: verdict,
        ...ofCall(actor, data, 'validate_response'),
        ...traceOf(traceId),
        unmapped,
      },
    };
  }
  return {
    class: detectionFinding,
    activity: detectionFinding.activities.create,
    severity: isInstruction ? 'high' : 'medium',
    message: `A response was ${verdict}.`,
    profiles: ['security_control', 'host'],
    attributes: {
      action_id: ACTION.denied,
      disposition_id: verdict === 'quarantined' ? DISPOSITION.quarantined : DISPOSITION.rejected,
      is_alert: true,
      status_id: 1,
      status_code: verdict,
      ...byHost(actor, data.taskId),
      finding_info: {
        uid: id,
        title: verdict === 'quarantined' ? 'Response quarantined' : 'Response rejected',
        types: ['response'],
        created_time: Date.parse(time),
      },
      evidences: [{ api: { operation: 'validate_response', service: SERVICE, request: { uid: callId } } }],
      unmapped,
    },
  };
}

/** The alert of the quarantine goes on: somebody has decided that the host may have the response. */
export function release(event: EventOf<'ResponseReleased'>): Mapped {
  const { actor, data, traceId } = event;
  return {
    class: apiActivity,
    activity: [99, 'Release'],
    severity: 'medium',
    message: 'A held response was released.',
    profiles: API_PROFILES,
    attributes: {
      action_id: ACTION.allowed,
      disposition_id: DISPOSITION.allowed,
      status_id: 1,
      status_code: 'released',
      ...byPrincipal(event),
      ...endpoint(actor),
      api: { operation: 'release_response', service: SERVICE, request: { uid: data.callId } },
      ...UNKNOWN_CLOUD,
      ...traceOf(traceId),
      unmapped: { attempt: data.attempt, task: data.taskId },
    },
  };
}

const OUTCOME_STATUS = { succeeded: 1, failed: 2, unknown: 0 } as const;

/** The decision of a host's own control and the name in it are free words of the host, so they stay inside. */
export function outcome({ actor, data, traceId }: EventOf<'OutcomeRecorded'>): Mapped {
  const { status, effect } = data;
  return {
    class: apiActivity,
    activity: [99, 'Report'],
    severity: status === 'succeeded' ? 'informational' : 'low',
    message: `The outcome of a call is ${status}.`,
    profiles: API_PROFILES,
    attributes: {
      status_id: OUTCOME_STATUS[status],
      status_code: status,
      ...ofCall(actor, data, 'record_outcome'),
      ...traceOf(traceId),
      unmapped: defined({ effect: effect?.type }),
    },
  };
}

/** Further ones are counted: a scope may have thousands. */
const MAX_PRIVILEGES = 100;

export function taskOpened({ data, time }: EventOf<'TaskOpened'>): Mapped {
  const { taskId, host, agent, user, scope, pins, unresolved, expiresAt } = data;
  const privileges = scope.flatMap(({ capability, effects = [], operations = [] }) => [
    ...effects.map((effect) => `${capability}:${effect}`),
    ...operations.map((operation) => `${capability}/${label(operation)}`),
  ]);
  return {
    class: authorizeSession,
    activity: authorizeSession.activities.assignPrivileges,
    severity: 'informational',
    message: 'A task was opened.',
    profiles: ['ai_operation', 'host'],
    attributes: {
      status_id: 1,
      ...byHost(host, taskId),
      ...aiAgent(agent),
      user: endUser(user.id),
      privileges: privileges.slice(0, MAX_PRIVILEGES),
      session: {
        uid: taskId,
        issuer: host,
        created_time: Date.parse(time),
        expiration_time: Date.parse(expiresAt),
      },
      unmapped: {
        privileges: privileges.length,
        scope_entries: scope.length,
        pinned: pins.length,
        unresolved: unresolved.length,
      },
    },
  };
}

/** The policies that ask are named in the decision. */
export const approvalRequested = ({ actor, data, traceId }: EventOf<'ApprovalRequested'>): Mapped => ({
  class: apiActivity,
  activity: [99, 'Request approval'],
  severity: 'low',
  message: 'A call needs an approval.',
  profiles: API_PROFILES,
  attributes: {
    action_id: ACTION.denied,
    disposition_id: DISPOSITION.blocked,
    status_id: 2,
    status_code: 'pending',
    ...ofCall(actor, data, label(data.operation)),
    ...capabilityResource(data.capability, data.version, data.effects),
    ...traceOf(traceId),
    unmapped: {
      approval_uid: data.approvalId,
      grade: data.grade,
      why: data.why.map(label),
      expires: Date.parse(data.expiresAt),
    },
  },
});

/** The reason is an approver's free text, so it stays inside. */
export const approvalDecided = ({ actor, data, traceId }: EventOf<'ApprovalDecided'>): Mapped => {
  const isGranted = data.verdict === 'granted';
  return {
    class: apiActivity,
    activity: [99, 'Decide approval'],
    severity: 'low',
    message: isGranted ? 'An approval was granted.' : 'An approval was denied.',
    profiles: API_PROFILES,
    attributes: {
      action_id: isGranted ? ACTION.allowed : ACTION.denied,
      disposition_id: isGranted ? DISPOSITION.allowed : DISPOSITION.blocked,
      status_id: isGranted ? 1 : 2,
      status_code: data.verdict,
      actor: { user: principal(actor), session: { uid: data.taskId } },
      ...endpoint(actor),
      api: { operation: 'decide_approval', service: SERVICE, request: { uid: data.callId } },
      ...UNKNOWN_CLOUD,
      ...traceOf(traceId),
      unmapped: defined({ approval_uid: data.approvalId, grade: data.grade }),
    },
  };
};
