import { isJsonObject, type Json } from '../../libs/kernel/canonical-json.js';
import { at, list } from './print.js';
import { targetText } from './target.js';

/** The sentence of an event in the timeline. `of` is the evidence of its call, or the task that it belongs to. */
type Sentence = (data: Json | undefined, of: Json | undefined) => string;

/** The last column of the timeline, for each event type. A test holds its names against the catalogue of events. */
export const SENTENCES: Readonly<Record<string, Sentence>> = {
  CapabilityRegistered: (data) => `${at(data, 'capability')} (${at(data, 'kind')}), owned by ${at(data, 'owner')}`,
  VersionProposed: (data) => versionText(data),
  SignatureVerified: (data) => `${versionText(data)} ${signersText(data)}`,
  PublishersProposed: (data) => `${at(data, 'capability')}: ${words(data, 'publishers', '').join(', ') || 'nobody'}`,
  PublishersReviewed: (data) => `${at(data, 'capability')} ${verdictText(data)}`,
  VersionReviewed: (data) => `${versionText(data)} ${verdictText(data)}`,
  ExceptionsAmended: (data) => {
    const changes = [...words(data, 'added', '+'), ...words(data, 'removed', '-')];
    return `${versionText(data)} exceptions ${changes.join(' ')}: ${at(data, 'reason')}`;
  },
  DriftObserved: (data) => `${versionText(data)} seen by ${at(data, 'host')}: ${at(data, 'diff', 'severity')}`,
  VersionSuspended: (data) => {
    const host = at(data, 'host');
    return `${versionText(data)}${host === '' ? '' : ` for ${host}`} ${at(data, 'reason')}`.trim();
  },
  VersionReinstated: (data) => `${versionText(data)} ${at(data, 'reason')}`.trim(),
  VersionRevoked: (data) => `${versionText(data)} ${at(data, 'reason')}`.trim(),
  PolicyProposed: (data) => `${policyText(data)}: ${at(data, 'reason')}`,
  PolicyReviewed: (data) => `${policyText(data)} ${verdictText(data)}`,
  PublisherRegistered: (data) => `${at(data, 'publisher')} (${at(data, 'name')})`,
  PublisherKeyProposed: (data) => `${keyText(data)} (${at(data, 'algorithm')})`,
  PublisherKeyReviewed: (data) => `${keyText(data)} ${verdictText(data)}`,
  PublisherKeyRevoked: (data) => `${keyText(data)}: ${at(data, 'reason')}`,
  PublisherRevoked: (data) => `${at(data, 'publisher')}: ${at(data, 'reason')}`,
  PrincipalAdded: (data) => `${at(data, 'name')}: ${words(data, 'roles', '').join(', ')}`,
  TokenRotated: (data) => at(data, 'name'),
  PrincipalRemoved: (data) => at(data, 'name'),
  DirectiveIssued: (data) => `${targetText(isJsonObject(data) ? data : {})}: ${at(data, 'reason')}`,
  LogRestored: (data) => `from the backup of ${at(data, 'backupAt')}, up to position ${at(data, 'backupHead')}`,
  DirectiveLifted: (data) => `${at(data, 'id')}: ${at(data, 'reason')}`,
  TaskOpened: (data, task) => `${at(data, 'agent')} for ${at(task, 'user', 'id') || at(data, 'user', 'id')}`.trim(),
  CallCounted: (data) => `call ${at(data, 'callId')} counts against scope entry ${at(data, 'entry')}`,
  TaskClosed: (_, task) => at(task, 'closeReason') || 'no reason given',
  TaskShredded: (data) => {
    const reason = at(data, 'reason');
    return `content erased, ${SHRED_CAUSES.get(at(data, 'cause')) ?? ''}${reason === '' ? '' : `: ${reason}`}`;
  },
  TaskJoined: (data) => `task ${at(data, 'taskId')}`,
  CallDecided: (data, call) => decisionText(data, call),
  CallRefused: (data, call) => decisionText(data, call),
  ContextFiltered: (data) => {
    const taken = list(data, 'redactions').length + list(data, 'refusals').length;
    return `${taken} taken out or refused, ${list(data, 'items').length} context items`;
  },
  ResponseValidated: (data) => {
    const findings = list(data, 'findings').length + Number(at(data, 'leftOut') || 0);
    const handling = HANDLINGS.get(at(data, 'handling')) ?? '';
    return `${at(data, 'verdict')}${handling}${findings === 0 ? '' : `, ${findings} findings`}`;
  },
  ResponseReleased: (data) => `call ${at(data, 'callId')}: ${at(data, 'reason')}`,
  OutcomeRecorded: (data) => [at(data, 'status'), at(data, 'effect', 'type')].filter((word) => word !== '').join(', '),
  ApprovalRequested: (data) => {
    const why = words(data, 'why', '').join(', ');
    return `${operationOf(data, undefined)} needs ${at(data, 'grade')} (${why}): ${at(data, 'approvalId')}`;
  },
  ApprovalDecided: (data) => {
    const reason = at(data, 'reason');
    return `${at(data, 'verdict')} ${at(data, 'approvalId')}${reason === '' ? '' : `: ${reason}`}`;
  },
  EvidenceRead: (data) => {
    const operations = new Set(list(data, 'what').map((one) => at(one, 'operation')));
    return `${at(data, 'count')} requests: ${[...operations].join(', ')}`;
  },
  UserErased: (data) => `${at(data, 'pseudonym')} and ${at(data, 'shreddedTasks')} tasks: ${at(data, 'reason')}`,
  TracesArchived: (data) => `${at(data, 'archivedTraces')} traces from before ${at(data, 'before')}`,
  InstanceSeen: (data) => `instance ${at(data, 'instanceId')}`,
  DirectiveAcknowledged: (data) => `instance ${at(data, 'instanceId')} applied epoch ${at(data, 'epoch')}`,
  HostStale: (data) => `instance ${at(data, 'instanceId')}, lease ended at ${at(data, 'leaseEndedAt')}`,
  HostRecovered: (data) => `instance ${at(data, 'instanceId')}`,
  RelayLeaseTaken: (data) => `process ${at(data, 'holder')} sends from position ${at(data, 'position')}`,
  CheckpointSealed: (data) => `sealed the log up to position ${at(data, 'through')}: ${at(data, 'size')} leaves`,
  RelayCheckpointed: (data) => `sent up to position ${at(data, 'position')}`,
};

const HANDLINGS: ReadonlyMap<string, string> = new Map([
  ['quote', ', delivered as marked evidence'],
  ['hold', ', held until a release'],
  ['refuse', ', refused because of an instruction'],
]);

const SHRED_CAUSES: ReadonlyMap<string, string> = new Map([
  ['task', 'for this task'],
  ['age', 'because of its age'],
  ['user', 'with everything of its user'],
]);

export function decisionWord(data: Json | undefined): string {
  return at(data, 'decision') === 'allow' ? 'ALLOW' : 'DENY ';
}

/** `<capability>/<operation>`, from the event or else from the evidence of its call. */
export function operationOf(data: Json | undefined, call: Json | undefined): string {
  const capability = at(data, 'capability') || at(call, 'registry', 'capability');
  return [capability, at(data, 'operation')].filter((word) => word !== '').join('/');
}

function decisionText(data: Json | undefined, call: Json | undefined): string {
  const reason = at(data, 'decision') === 'deny' ? `: ${at(data, 'reason')}` : '';
  const approval = at(data, 'approval');
  return `${decisionWord(data)} ${operationOf(data, call)}${reason}${approval === '' ? '' : `, approval ${approval}`}`;
}

const keyText = (data: Json | undefined): string => `${at(data, 'publisher')}/${at(data, 'keyId')}`;

/** The keys that signed a version. */
function signersText(data: Json | undefined): string {
  const signers = list(data, 'signers').map(keyText);
  return signers.length === 0
    ? `by no known key (${at(data, 'fault') || 'unknown'})`
    : `signed by ${signers.join(', ')}`;
}

const versionText = (data: Json | undefined): string => `${at(data, 'capability')}@${at(data, 'version')}`;
const policyText = (data: Json | undefined): string => `${at(data, 'set')} version ${at(data, 'policyVersion')}`;
const verdictText = (data: Json | undefined): string => `${at(data, 'verdict')}: ${at(data, 'reason')}`;

function words(data: Json | undefined, key: string, sign: string): string[] {
  return list(data, key).map((word) => `${sign}${typeof word === 'string' ? word : ''}`);
}
