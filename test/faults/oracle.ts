import type { Event } from '../../libs/event-log/event.js';
import type { CallDecided, OutcomeRecorded, ResponseValidated } from '../../libs/calls/events.js';
import type { ScopeEntry } from '../../libs/task/scope.js';
import { POLICIES } from './ground.js';

/** The broken promise, and how. Rules with a name are in addition to the eight. */
export interface Breach {
  readonly promise: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 'limits' | 'records' | 'errors' | 'approvals' | 'content';
  readonly what: string;
}

/** An event for the oracle, with its position, and with its content if it is a decision. */
export interface Seen {
  readonly position: bigint;
  readonly event: Event;
  readonly content: Readonly<Record<string, unknown>>;
}

type Data = Readonly<Record<string, never>>;
interface Version {
  status: string;
  hosts: Set<string>;
  digest: string;
  source: string;
  operations: Readonly<Record<string, { effects: readonly string[]; arguments?: string }>>;
  integrity: string;
  signed: boolean;
  exceptions: readonly string[];
}
interface Task {
  host: string;
  roles: readonly string[];
  scope: readonly ScopeEntry[];
  pins: Map<string, { version: string; digest: string }>;
  expiresAt: string;
  closed: boolean;
  counted: Map<number, Set<string>>;
  /** The limits that allows claim to use. */
  granted: Map<number, Set<string>>;
}
interface Call {
  digest: string | undefined;
  attempts: number;
  allowed?: CallDecided;
  response?: ResponseValidated;
  outcomes: OutcomeRecorded['status'][];
}
/** The subjects of stops. */
export interface Subject {
  readonly host: string;
  readonly taskId: string;
  readonly capability: string;
  readonly version: string | undefined;
  readonly operation: string;
}

/** Statuses that may follow each other in the life of a version. Revoked may follow all but itself. */
const FOLLOWS: Readonly<Record<string, readonly string[]>> = {
  pending: ['approved', 'rejected', 'revoked'],
  approved: ['suspended', 'approved', 'revoked'],
  suspended: ['approved', 'revoked'],
  rejected: ['revoked'],
  revoked: [],
};

/**
 * Judges a log, event by event in its order, by the contract alone. It uses plain maps and comparisons, and none of the
 * rules that it judges. An event may rest only on the events before it.
 */
export class Oracle {
  readonly versions = new Map<string, Version>();
  readonly capabilities = new Map<string, { category: string; publishers: readonly string[] }>();
  readonly directives = new Map<string, { target: string; active: boolean; caused: boolean }>();
  readonly principals = new Map<string, { token: string; removed: boolean }>();
  /** Tokens that used to be valid. */
  readonly retired = new Set<string>();
  readonly tasks = new Map<string, Task>();
  readonly calls = new Map<string, Call>();
  private readonly lastIssued = new Map<string, number>();
  private readonly proposedPolicies = new Map<number, string>();
  private activePolicy: string | undefined;
  private epoch = 0;

  constructor(private readonly leaseMs: number) {}

  /** Takes the next event. */
  take({ event, content }: Seen): Breach[] {
    const data = event.data as Data;
    switch (event.type) {
      case 'CapabilityRegistered':
        this.capabilities.set(
          data['capability'] ?? '',
          event.data as { category: string; publishers: readonly string[] },
        );
        return [];
      case 'VersionProposed':
        return this.proposed(data);
      case 'VersionReviewed':
        return this.becomes(data, data['verdict'] ?? '', (version) => (version.exceptions = data['exceptions'] ?? []));
      case 'ExceptionsAmended': {
        const version = this.versions.get(keyOf(data));
        const { added = [], removed = [] } = event.data as { added?: string[]; removed?: string[] };
        if (version !== undefined) {
          version.exceptions = [...version.exceptions.filter((code) => !removed.includes(code)), ...added];
        }
        return [];
      }
      case 'VersionSuspended':
        if (data['host'] === undefined) return this.becomes(data, 'suspended');
        this.versions.get(keyOf(data))?.hosts.add(data['host']);
        return [];
      case 'VersionReinstated':
        return this.becomes(data, 'approved', (version) => version.hosts.clear());
      case 'VersionRevoked':
        return this.becomes(data, 'revoked');
      case 'DirectiveIssued':
        return this.issued(data);
      case 'DirectiveLifted':
        return this.lifted(data);
      case 'PolicyProposed':
        this.proposedPolicies.set(data['policyVersion'] ?? 0, data['cedar'] ?? '');
        return [];
      case 'PolicyReviewed':
        if (data['verdict'] === 'approved') this.activePolicy = this.proposedPolicies.get(data['policyVersion'] ?? 0);
        return [];
      case 'PrincipalAdded':
      case 'TokenRotated':
      case 'PrincipalRemoved': {
        const { name, tokenDigest = '' } = event.data as { name: string; tokenDigest?: string };
        this.retired.add(this.principals.get(name)?.token ?? '');
        this.principals.set(name, { token: tokenDigest, removed: event.type === 'PrincipalRemoved' });
        return [];
      }
      case 'TaskOpened':
        return this.opened(data);
      case 'CallCounted':
        return this.counted(data);
      case 'TaskClosed':
        return this.closed(data);
      case 'CallDecided':
        return this.decided(event as Event<string, CallDecided>, content);
      case 'ResponseValidated':
        return this.responded(event.data as ResponseValidated);
      case 'OutcomeRecorded':
        return this.told(event.data as OutcomeRecorded);
      case 'CallRefused':
        return data['decision'] === 'allow' ? [broken(1, 'an allow among the refusals')] : [];
      default:
        return [];
    }
  }

  /** The stop of a call now. Undefined if there is none. */
  stopOf(subject: Subject): string | undefined {
    const { host, capability, taskId } = subject;
    const targets = this.targetsOf(subject);
    for (const [id, { target, active }] of this.directives) {
      if (active && targets.includes(target)) return `directive ${id} on ${target}`;
    }
    const version = this.versions.get(`${capability}@${subject.version}`);
    if (version !== undefined && version.status !== 'approved') return `its version is ${version.status}`;
    if (version?.hosts.has(host) === true) return 'its version is suspended for the host';
    if (this.tasks.get(taskId)?.closed === true) return 'its task is closed';
    return this.principals.get(host)?.removed === true ? 'its host was removed' : undefined;
  }

  /** The epoch of the last directive ever issued against a call. */
  voidEpoch(subject: Subject): number {
    return Math.max(0, ...this.targetsOf(subject).map((target) => this.lastIssued.get(target) ?? 0));
  }

  private targetsOf({ host, taskId, capability, version, operation }: Subject): string[] {
    const registered = this.capabilities.get(capability);
    const known = this.versions.get(`${capability}@${version}`);
    return [
      'all',
      `capability:${capability}`,
      `version:${capability}@${version}`,
      `operation:${capability}/${operation}`,
      `host:${host}`,
      `task:${taskId}`,
      `category:${registered?.category}`,
      `source:${known?.source}`,
      ...(registered?.publishers ?? []).map((publisher) => `publisher:${publisher}`),
      ...(known?.operations[operation]?.effects ?? []).map((effect) => `effect:${effect}`),
    ];
  }

  private proposed(data: Data): Breach[] {
    const { source, server, documents } = data as unknown as {
      source: { type: string; name: string };
      server: { integrity: string };
      documents: { signature?: string };
    };
    if (this.versions.has(keyOf(data))) return [broken('records', 'a version that was proposed twice')];
    this.versions.set(keyOf(data), {
      status: 'pending',
      hosts: new Set(),
      digest: data['definitionDigest'] ?? '',
      source: `${source.type}:${source.name}`,
      operations: data['operations'] ?? {},
      integrity: server.integrity,
      signed: documents.signature !== undefined,
      exceptions: [],
    });
    return [];
  }

  private becomes(data: Data, status: string, change?: (version: Version) => void): Breach[] {
    const version = this.versions.get(keyOf(data));
    const legal = version !== undefined && FOLLOWS[version.status]?.includes(status) === true;
    if (version === undefined || !legal) return [broken('records', `${keyOf(data)}: ${version?.status} to ${status}`)];
    version.status = status;
    change?.(version);
    return [];
  }

  private issued(data: Data): Breach[] {
    this.epoch += 1;
    const { id, target, cause } = data as unknown as { id: string; target: Record<string, string>; cause?: string };
    const key = targetText(target);
    if (this.directives.has(id)) return [broken('records', 'a directive that was issued twice')];
    this.directives.set(id, { target: key, active: true, caused: cause !== undefined });
    this.lastIssued.set(key, this.epoch);
    return [];
  }

  private lifted(data: Data): Breach[] {
    this.epoch += 1;
    const directive = this.directives.get(data['id'] ?? '');
    if (directive?.active !== true) return [broken('records', 'a directive was lifted that is not in force')];
    directive.active = false;
    return [];
  }

  private opened(data: Data): Breach[] {
    const { taskId, host, user, scope, pins, expiresAt } = data as unknown as {
      taskId: string;
      host: string;
      user: { roles: readonly string[] };
      scope: readonly ScopeEntry[];
      pins: readonly { capability: string; version: string; definitionDigest: string }[];
      expiresAt: string;
    };
    if (this.tasks.has(taskId)) return [broken('records', 'a task that was opened twice')];
    const pinned = pins.map(
      ({ capability, version, definitionDigest: digest }) => [capability, { version, digest }] as const,
    );
    const unfit = pinned.find(([id, { version }]) => this.versions.get(`${id}@${version}`)?.status !== 'approved');
    const task = { host, roles: user.roles, scope, pins: new Map(pinned), expiresAt, closed: false };
    this.tasks.set(taskId, { ...task, counted: new Map(), granted: new Map() });
    return unfit === undefined ? [] : [broken(1, `a task pins ${unfit[0]}, which is not approved`)];
  }

  private counted(data: Data): Breach[] {
    const task = this.tasks.get(data['taskId'] ?? '');
    const entry = data['entry'] ?? 0;
    return task === undefined ? [] : this.count(task, task.counted, entry, data['callId'] ?? '');
  }

  private count(task: Task, counts: Task['counted'], entry: number, callId: string): Breach[] {
    const calls = counts.get(entry) ?? new Set<string>();
    counts.set(entry, calls.add(callId));
    const most = task.scope[entry]?.maxCalls ?? 0;
    return calls.size > most ? [broken('limits', `${calls.size} calls where ${most} are granted`)] : [];
  }

  private closed(data: Data): Breach[] {
    const task = this.tasks.get(data['taskId'] ?? '');
    if (task === undefined || task.closed) return [broken('records', 'a task was closed that is not open')];
    task.closed = true;
    return [];
  }

  private decided({ data, time }: Event<string, CallDecided>, content: Seen['content']): Breach[] {
    const key = `${data.taskId}/${data.callId}`;
    const call = this.calls.get(key) ?? { digest: data.requestDigest, attempts: 0, outcomes: [] };
    this.calls.set(key, call);
    call.attempts += 1;
    const breaches: Breach[] = [];
    if (call.digest !== data.requestDigest) breaches.push(broken('records', 'two bodies under one callId'));
    if (call.attempts !== data.attempt) breaches.push(broken('records', 'attempts that are not counted from one'));
    if (call.response !== undefined) breaches.push(broken('records', 'an attempt after the response'));
    if (data.decision !== 'allow') return breaches;
    call.allowed = data;
    const task = this.tasks.get(data.taskId);
    if (data.counts !== undefined && task !== undefined)
      breaches.push(...this.count(task, task.granted, data.counts, data.callId));
    const stop = this.stopOf(data as Subject);
    if (stop !== undefined) breaches.push(broken(3, `an allow was recorded although ${stop}`));
    const wrong = this.wrongWith(data, time, content);
    if (wrong !== undefined) breaches.push(broken(1, `an allow was recorded although ${wrong}`));
    const expiresAt = data.expiresAt === undefined ? Infinity : Date.parse(data.expiresAt);
    const ends = Date.parse(task?.expiresAt ?? time);
    if (expiresAt > Math.min(Date.parse(time) + this.leaseMs, ends))
      breaches.push(broken(4, 'an allow outlives its lease or its task'));
    return breaches;
  }

  /** Why a call should not have been allowed, apart from stops. */
  private wrongWith(data: CallDecided, time: string, content: Seen['content']): string | undefined {
    const { capability, operation: name, observed, host, callId } = data;
    const task = this.tasks.get(data.taskId);
    const version = this.versions.get(`${capability}@${data.version}`);
    const operation = version?.operations[name];
    const pin = task?.pins.get(capability);
    if (!this.capabilities.has(capability) || version === undefined) return 'it is not registered';
    if (task?.host !== host) return 'the task is not one of its host';
    if (time >= task.expiresAt) return 'its task has expired';
    if (pin?.version !== data.version) return 'the version is not the pinned one';
    if (observed.definition !== pin?.digest || pin?.digest !== version.digest) return 'the definition is another one';
    if (version.signed || !version.exceptions.includes('signature_missing')) return 'there is no signature';
    if (observed.server.method !== 'package' || observed.server.integrity !== version.integrity)
      return 'the server is another one';
    if (operation === undefined) return 'there is no such operation';
    const covered = task.scope.some(
      (entry, index) =>
        entry.capability === capability &&
        (entry.operations !== undefined || entry.effects !== undefined) &&
        entry.operations?.includes(name) !== false &&
        operation.effects.every(
          (effect) => (entry.effects as readonly string[] | undefined)?.includes(effect) !== false,
        ) &&
        (entry.maxCalls === undefined || task.counted.get(index)?.has(callId) === true),
    );
    if (!covered) return 'no entry of the scope covers it or has it counted';
    const args = content['arguments'] as Readonly<Record<string, unknown>> | undefined;
    if (args === undefined) return 'its arguments were not kept';
    if (operation.arguments !== undefined && name === 'read' && typeof args['key'] !== 'string')
      return 'its arguments do not fit the schema';
    const permits = POLICIES.find(({ digest }) => digest === this.activePolicy)?.permits;
    if (!operation.effects.every((effect) => permits?.({ roles: task.roles, effect, args }) === true))
      return 'the policy does not permit it';
    return undefined;
  }

  private responded(data: ResponseValidated): Breach[] {
    const call = this.calls.get(`${data.taskId}/${data.callId}`);
    if (call?.allowed === undefined) return [broken(5, 'a response to a call that was not allowed')];
    if (call.response !== undefined) return [broken(5, 'a second response to one call')];
    call.response = data;
    if (data.verdict === 'rejected') return [];
    const { allowed } = call;
    const version = this.versions.get(`${allowed.capability}@${allowed.version}`);
    if (version?.status !== 'approved' || version.hosts.has(allowed.host))
      return [broken(5, 'a response was delivered although its version is stopped')];
    if (this.principals.get(allowed.host)?.removed === true)
      return [broken(5, 'a response was delivered to a host that was removed')];
    return this.voidEpoch(allowed as Subject) > (allowed.basis['directives'] ?? 0)
      ? [broken(5, 'a response was delivered although a directive has stopped the call')]
      : [];
  }

  private told({ taskId, callId, status }: OutcomeRecorded): Breach[] {
    const call = this.calls.get(`${taskId}/${callId}`);
    if (call?.allowed === undefined) return [broken('records', 'an outcome of a call that was not allowed')];
    call.outcomes.push(status);
    const [first, , third] = call.outcomes;
    const legal = call.outcomes.length === 1 || (first === 'unknown' && third === undefined);
    return legal ? [] : [broken('records', 'an outcome replaces one that stands')];
  }
}

export const broken = (promise: Breach['promise'], what: string): Breach => ({ promise, what });

const keyOf = (data: Data): string => `${data['capability']}@${data['version']}`;

function targetText({ type = '', ...rest }: Readonly<Record<string, string>>): string {
  switch (type) {
    case 'all':
      return 'all';
    case 'version':
      return `version:${rest['capability']}@${rest['version']}`;
    case 'operation':
      return `operation:${rest['capability']}/${rest['operation']}`;
    default:
      return `${type}:${Object.values(rest)[0]}`;
  }
}
