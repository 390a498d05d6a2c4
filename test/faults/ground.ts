import { PROPOSAL_RULES } from '../../libs/decision-point/content-jobs.js';
import { capabilityDecider, type CapabilityCommand } from '../../libs/capability/decider.js';
import { CapabilityRegistration } from '../../libs/capability/manifest.js';
import { prepareProposal, type PreparedProposal } from '../../libs/capability/proposal.js';
import { DecisionEngines } from '../../libs/decision-point/engines.js';
import { snapshotFor } from '../../libs/decision-point/basis.js';
import { textBlob } from '../../libs/event-log/blobs.js';
import { ControlPlane } from '../../libs/control/control-plane.js';
import { ControlView } from '../../libs/control/control-view.js';
import { writeOf } from '../../libs/streams/facts.js';
import { LogTime } from '../../libs/control/log-time.js';
import { capabilityWrites } from '../../libs/control/stops.js';
import { MemoryLog } from '../../libs/event-log/memory/memory-log.js';
import type { Batch, Blob, EventLog } from '../../libs/event-log/port.js';
import { settledLog } from '../../libs/event-log/settled.js';
import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import { digestOf, type Digest } from '../../libs/kernel/digest.js';
import { ok, type Result } from '../../libs/kernel/result.js';
import { systemClock } from '../../libs/kernel/time.js';
import { policyDecider } from '../../libs/policy/decider.js';
import { principalDecider } from '../../libs/principal/decider.js';
import type { Role } from '../../libs/vocabulary/words.js';

/** The beginning of every history: principals, two capabilities with an approved version each, a policy in force. */

export const INTEGRITY = 'sha512-c2ltdWxhdGlvbg';
export const HOSTS = ['host-a', 'host-b', 'host-c'] as const;
/** Approvers, with the user whom each is. Tasks are of the user `ann`. */
export const APPROVERS = [
  ['approver-ann', 'ann'],
  ['approver-bob', 'bob'],
] as const;
const USERS: ReadonlyMap<string, string> = new Map(APPROVERS);
export const CAPABILITIES = ['notes', 'mail'] as const;
export const VERSIONS = ['1.0.0', '2.0.0'] as const;
export const OPERATIONS = ['read', 'write', 'tidy'] as const;

const PRINCIPALS: readonly (readonly [string, Role])[] = [
  ['registrar', 'registrar'],
  ['reviewer-a', 'reviewer'],
  ['reviewer-b', 'reviewer'],
  ['operator', 'operator'],
  ['admin', 'admin'],
  ...HOSTS.map((host) => [host, 'host'] as const),
  ...APPROVERS.map(([name]) => [name, 'approver'] as const),
];

interface Asked {
  readonly roles: readonly string[];
  readonly effect: string;
  readonly args: Readonly<Record<string, unknown>>;
}

const policy = (cedar: string, permits: (asked: Asked) => boolean) => ({ ...textBlob(cedar), permits });
const isClerk = ({ roles }: Asked): boolean => roles.includes('clerk');

/** Each policy twice: as Cedar text, and as the contract means it. The first is in force at the start. */
export const POLICIES = [
  policy('@id("clerks") permit(principal in Role::"clerk", action, resource);', isClerk),
  policy(
    '@id("reading") permit(principal in Role::"clerk", action == Action::"read", resource);',
    (asked) => isClerk(asked) && asked.effect === 'read',
  ),
  policy(
    '@id("one-key") permit(principal, action, resource) when { context.arguments has key && context.arguments.key == "a" };',
    ({ args }) => args['key'] === 'a',
  ),
  policy('@id("none") forbid(principal, action, resource);', () => false),
];

/** The definition of a server. The second version differs from the first. */
export const definitionOf = (version: string) => ({
  instructions: `Keeps notes, as of ${version}.`,
  tools: [
    { name: 'read', inputSchema: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] } },
    { name: 'write', inputSchema: { type: 'object' } },
    { name: 'tidy', inputSchema: { type: 'object' } },
  ],
});

export function proposalOf(id: string, version: string): PreparedProposal & { readonly blobs: readonly Blob[] } {
  const { raw } = registrationOf(id, version);
  const { version: proposal } = CapabilityRegistration.parse(raw);
  const prepared = must(
    prepareProposal(id, proposal, raw.version as unknown as JsonObject, {
      ...PROPOSAL_RULES,
      whyUnvettable: () => undefined,
    }),
  );
  const blobs = [...prepared.documents].map(([digest, text]) => ({ digest, bytes: Buffer.from(text) }));
  return { ...prepared, blobs };
}

function registrationOf(id: string, version: string) {
  const operations = {
    read: { effects: ['read'], needs: { context: ['crm'] } },
    write: { effects: ['write'], needs: { context: ['crm'] } },
    tidy: { effects: ['read', 'write'] },
  };
  const server = { method: 'package', integrity: INTEGRITY };
  const proposed = {
    version,
    source: { type: 'npm', name: `@example/${id}` },
    definition: definitionOf(version),
    manifest: { operations, sensitivity: 'internal', server },
  };
  return {
    raw: { id, kind: 'mcp-server', category: 'storage', owner: 'team', publishers: ['acme'], version: proposed },
  };
}

export interface Ground {
  /** The batches that begin every history. */
  readonly batches: readonly Batch[];
  /** Engines with all policies and schemas loaded. Sharing them changes only the speed. */
  readonly engines: DecisionEngines;
}

/** Makes the ground once, through the real commands. */
export async function makeGround(): Promise<Ground> {
  const inner = new MemoryLog();
  const batches: Batch[] = [];
  const log: EventLog = new Proxy(inner, {
    get(target, name) {
      if (name === 'append') return (batch: Batch) => (batches.push(batch), target.append(batch));
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const settled = settledLog(log, { clock: systemClock });
  const view = new ControlView(settled);
  await view.start();
  const clock = { wallMs: () => Date.parse('2026-11-22T09:59:00.000Z'), monotonicMs: () => 0 };
  const plane = new ControlPlane(settled, view, new LogTime(clock, view, 0));
  for (const [name, role] of PRINCIPALS) {
    const user = USERS.get(name);
    const principal = { name, roles: [role], tokenDigest: digestOf(name), ...(user === undefined ? {} : { user }) };
    await run(plane, 'system:ground', (time) => {
      const facts = must(principalDecider.decide({ type: 'add', principal, actor: 'system:ground', time }, undefined));
      return { writes: [writeOf(`principal-${name}`, 0, facts)] };
    });
  }
  for (const id of CAPABILITIES) await registered(plane, id);
  await activated(plane, POLICIES[0]);
  const engines = await warmed(inner, view);
  await view.stop();
  await inner.close();
  return { batches, engines };
}

async function registered(plane: ControlPlane, id: string): Promise<void> {
  const { view } = plane;
  const { proposed, blobs } = proposalOf(id, '1.0.0');
  const registration = {
    capability: id,
    kind: 'mcp-server' as const,
    category: 'storage',
    owner: 'team',
    publishers: ['acme'],
    requestDigest: digestOf(id),
  };
  const act = (actor: string, command: (time: string) => CapabilityCommand) =>
    run(plane, actor, (time) => {
      const facts = must(capabilityDecider.decide(command(time), view.capability(id).state));
      return { writes: must(capabilityWrites(view, id, facts)), blobs };
    });
  await act('registrar', (time) => ({ type: 'register', registration, proposal: proposed, actor: 'registrar', time }));
  await act('reviewer-a', (time) => reviewOf('1.0.0', 'reviewer-a', time));
}

export const reviewOf = (version: string, actor: string, time: string): CapabilityCommand => ({
  type: 'review',
  version,
  verdict: 'approved',
  reason: 'read it',
  exceptions: ['signature_missing'],
  actor,
  time,
});

async function activated(plane: ControlPlane, blob: Blob | undefined): Promise<void> {
  if (blob === undefined) return;
  const by = { set: 'default', reason: 'needed' };
  const { digest: cedar, bytes } = blob;
  const put = (actor: string, command: { type: 'propose'; cedar: Digest } | typeof REVIEW) =>
    run(plane, actor, (time) => {
      const { state, revision } = plane.view.policySet('default');
      const facts = must(policyDecider.decide({ ...by, ...command, actor, time }, state));
      return { writes: [writeOf('policy-default', revision, facts)], blobs: [{ digest: cedar, bytes }] };
    });
  await put('registrar', { type: 'propose', cedar });
  await put('reviewer-a', REVIEW);
}

const REVIEW = { type: 'review' as const, policyVersion: 1, verdict: 'approved' as const };

/** Engines that have read every policy and schema that a history can use. */
async function warmed(log: EventLog, view: ControlView): Promise<DecisionEngines> {
  const blobs = new Map(POLICIES.map(({ digest, bytes }) => [digest, bytes]));
  const all: Pick<EventLog, 'blob'> = { blob: async (digest) => blobs.get(digest) ?? log.blob(digest) };
  const engines = new DecisionEngines(all);
  for (const { digest: cedar } of POLICIES) {
    for (const operation of OPERATIONS) {
      const snapshot = snapshotFor(view, undefined, { host: 'host-a', capability: 'notes' });
      const active = { ...snapshot.policySet.active, cedar } as NonNullable<typeof snapshot.policySet.active>;
      const call = { capability: 'notes', version: '1.0.0', operation };
      const missing = engines.missing({ ...snapshot, policySet: { ...snapshot.policySet, active } }, call);
      if (missing !== undefined) await engines.load(missing);
    }
  }
  return engines;
}

async function run(
  plane: ControlPlane,
  name: string,
  plan: (now: string) => { writes: Batch['writes']; blobs?: readonly Blob[] },
): Promise<void> {
  must(await plane.run({ name }, (now) => ok(plan(now))));
}

export function must<Value>(result: Result<Value, unknown>): Value {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
