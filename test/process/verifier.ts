import type { SeenEvent } from '../support/events.js';
import type { Answered } from '../support/service.js';

/**
 * Reads a whole log in order of position and reports everything that must not be in it. It follows the contract and not
 * the deciders, so that the two can disagree.
 */

export interface Broken {
  readonly callId: string;
  readonly position: bigint;
  /** The stop that the allow ignored. */
  readonly because: string;
}

interface SeenVersion {
  status: string;
  readonly suspendedFor: Set<string>;
  readonly source: string;
  readonly operations: Record<string, { effects: string[] }>;
}

interface SeenCapability {
  readonly category: string;
  readonly publishers: readonly string[];
  readonly versions: Map<string, SeenVersion>;
}

/** A policy whose `@id` is `policyIdOf` of its number in the set: by it an allow says which policies let it through. */
export const policyIdOf = (policyVersion: number): string => `policy-${policyVersion}`;

/** `events`: all of them. Every allow, and every accepted response, that lies after what stops it. */
export function brokenBy(events: readonly SeenEvent[]): Broken[] {
  const heads = new Map<string, number>();
  const directives = new Map<string, { target: string; active: boolean; epoch: number }>();
  const capabilities = new Map<string, SeenCapability>();
  const closed = new Set<string>();
  const removed = new Set<string>();
  const allowed = new Map<string, Answered>();
  const broken: Broken[] = [];
  let activePolicy = 0;

  const versionOf = ({ capability, version }: Answered) => capabilities.get(capability)?.versions.get(version);
  const set = (data: Answered, status: string): void => {
    const version = versionOf(data);
    if (version !== undefined) version.status = status;
  };

  function reasonsAgainst(call: Answered): string[] {
    const reasons: string[] = [];
    const targets = targetsOf(call, capabilities.get(call.capability), versionOf(call));
    for (const { target, active } of directives.values()) if (active && targets.has(target)) reasons.push(target);
    const version = versionOf(call);
    if (version?.status !== 'approved') reasons.push(`version ${version?.status}`);
    if (version?.suspendedFor.has(call.host) === true) reasons.push('version suspended for the host');
    if (closed.has(call.taskId)) reasons.push('task closed');
    if (removed.has(call.host)) reasons.push('principal removed');
    if (call.rule !== policyIdOf(activePolicy)) reasons.push(`${call.rule} is not in force`);
    for (const [stream, revision] of Object.entries(call.basis)) {
      if ((heads.get(stream) ?? 0) !== revision) reasons.push(`${stream} has moved`);
    }
    return reasons;
  }

  for (const { type, data, stream, revision, position } of events) {
    switch (type) {
      case 'CapabilityRegistered':
        capabilities.set(data.capability, { ...data, versions: new Map() });
        break;
      case 'VersionProposed': {
        const { source, operations } = data;
        const seen = { status: 'pending', suspendedFor: new Set<string>(), operations };
        const name = `${source.type}:${source.name}`;
        capabilities.get(data.capability)?.versions.set(data.version, { ...seen, source: name });
        break;
      }
      case 'VersionReviewed':
        set(data, data.verdict);
        break;
      case 'VersionSuspended':
        if (data.host === undefined) set(data, 'suspended');
        else versionOf(data)?.suspendedFor.add(data.host);
        break;
      case 'VersionReinstated':
        set(data, 'approved');
        versionOf(data)?.suspendedFor.clear();
        break;
      case 'VersionRevoked':
        set(data, 'revoked');
        break;
      case 'DirectiveIssued':
        directives.set(data.id, { target: keyOf(data.target), active: true, epoch: revision });
        break;
      case 'DirectiveLifted': {
        const lifted = directives.get(data.id);
        if (lifted !== undefined) lifted.active = false;
        break;
      }
      case 'PolicyReviewed':
        if (data.verdict === 'approved') activePolicy = data.policyVersion;
        break;
      case 'TaskClosed':
        closed.add(data.taskId);
        break;
      case 'PrincipalRemoved':
        removed.add(data.name);
        break;
      case 'CallDecided':
        if (data.decision !== 'allow') break;
        allowed.set(data.callId, data);
        for (const because of reasonsAgainst(data)) broken.push({ callId: data.callId, position, because });
        break;
      case 'ResponseValidated': {
        const call = allowed.get(data.callId);
        const version = versionOf(call);
        if (data.verdict !== 'accepted') break;
        const targets = targetsOf(call, capabilities.get(call.capability), version);
        for (const { target, epoch } of directives.values()) {
          // Void from the moment of the directive on, lifted since or not.
          if (targets.has(target) && epoch > call.basis.directives) {
            broken.push({ callId: data.callId, position, because: `a response after ${target}` });
          }
        }
        break;
      }
    }
    heads.set(stream, revision);
  }
  return broken;
}

/** Everything that a call can be stopped by, spelled as `contract.md` does. */
function targetsOf(call: Answered, capability: SeenCapability | undefined, version: SeenVersion | undefined) {
  const { capability: id, version: versionId, operation, host, taskId } = call;
  return new Set([
    'all',
    `capability:${id}`,
    `version:${id}@${versionId}`,
    `operation:${id}/${operation}`,
    `host:${host}`,
    `task:${taskId}`,
    `category:${capability?.category}`,
    `source:${version?.source}`,
    ...(capability?.publishers ?? []).map((publisher) => `publisher:${publisher}`),
    ...(version?.operations[operation]?.effects ?? []).map((effect) => `effect:${effect}`),
  ]);
}

function keyOf({ type, ...target }: Answered): string {
  switch (type) {
    case 'all':
      return 'all';
    case 'version':
      return `version:${target.capability}@${target.version}`;
    case 'operation':
      return `operation:${target.capability}/${target.operation}`;
    case 'task':
      return `task:${target.taskId}`;
    default:
      return `${type}:${target[type]}`;
  }
}
