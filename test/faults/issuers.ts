import { randomUUID } from 'node:crypto';
import { capabilityDecider, type CapabilityCommand } from '../../libs/capability/decider.js';
import type { Caller } from '../../libs/control/caller.js';
import type { Plan } from '../../libs/control/control-plane.js';
import { writeOf } from '../../libs/streams/facts.js';
import { capabilityWrites, directiveWrite } from '../../libs/control/stops.js';
import type { Target } from '../../libs/directive/target.js';
import type { Blob } from '../../libs/event-log/port.js';
import { digestOf } from '../../libs/kernel/digest.js';
import type { Refusal } from '../../libs/kernel/refusal.js';
import { ok, type Result } from '../../libs/kernel/result.js';
import { policyDecider } from '../../libs/policy/decider.js';
import { principalDecider, type PrincipalCommand } from '../../libs/principal/decider.js';
import { CAPABILITIES, HOSTS, OPERATIONS, POLICIES, proposalOf, reviewOf } from './ground.js';
import type { Oracle } from './oracle.js';
import type { World } from './world.js';

const PROPOSALS = new Map(CAPABILITIES.map((id) => [id, proposalOf(id, '2.0.0')]));

/** Passes on a command in progress, and how the log shows that it was carried out. */
export type Told = (
  name: string,
  result: Promise<Result<unknown, Refusal>>,
  isDone: (oracle: Oracle) => boolean,
) => void;

/** Operators, owners, reviewers and admins: all commands of the control plane. */
export class Issuers {
  constructor(
    private readonly world: World,
    private readonly oracle: Oracle,
    private readonly told: Told,
    private readonly lastTask: () => string | undefined,
  ) {}

  issue(): void {
    const { chance } = this.world;
    const capability = chance.of(CAPABILITIES);
    const targets: Target[] = [
      { type: 'all' },
      { type: 'capability', capability },
      { type: 'version', capability, version: '1.0.0' },
      { type: 'operation', capability, operation: chance.of(OPERATIONS) },
      { type: 'publisher', publisher: 'acme' },
      { type: 'source', source: `npm:@example/${capability}` },
      { type: 'category', category: 'storage' },
      { type: 'effect', effect: chance.of(['read', 'write']) },
      { type: 'host', host: chance.of(HOSTS) },
      { type: 'task', taskId: this.lastTask() ?? randomUUID() },
    ];
    const id = randomUUID();
    const target = chance.of(targets);
    const issued = this.run('operator', (time) => {
      const command = { type: 'issue', id, target, reason: 'drill', actor: 'operator', time } as const;
      return writing(directiveWrite(this.world.service.view, command));
    });
    this.told('issue', issued, (oracle) => oracle.directives.has(id));
  }

  lift(): void {
    const active = [...this.oracle.directives].filter(([, { active, caused }]) => active && !caused);
    if (active.length === 0) return;
    const [id] = this.world.chance.of(active);
    const lifted = this.run('operator', (time) =>
      writing(directiveWrite(this.world.service.view, { type: 'lift', id, reason: 'over', actor: 'operator', time })),
    );
    this.told('lift', lifted, (oracle) => oracle.directives.get(id)?.active === false);
  }

  changeVersion(type: 'suspend' | 'reinstate' | 'revoke', actor: string): void {
    const directiveId = randomUUID();
    const [capability = '', version = ''] = this.world.chance.of([...this.oracle.versions.keys()]).split('@');
    const by = { type, version, reason: 'odd', directiveId, actor } as const;
    this.onCapability(type, actor, (time) => ({ ...by, time }), capability);
  }

  propose(): void {
    const capability = this.world.chance.of(CAPABILITIES);
    const prepared = PROPOSALS.get(capability);
    if (prepared === undefined) return;
    const by = { type: 'propose', proposal: prepared.proposed, actor: 'registrar' } as const;
    this.onCapability('propose', 'registrar', (time) => ({ ...by, time }), capability, prepared.blobs);
  }

  review(): void {
    this.onCapability('review', 'reviewer-a', (time) => reviewOf('2.0.0', 'reviewer-a', time));
  }

  private onCapability(
    name: string,
    actor: string,
    command: (time: string) => CapabilityCommand,
    capability: string = this.world.chance.of(CAPABILITIES),
    blobs: readonly Blob[] = [],
  ): void {
    const { view } = this.world.service;
    const done = this.run(actor, (time) => {
      const facts = capabilityDecider.decide(command(time), view.capability(capability).state);
      if (!facts.ok) return facts;
      const writes = capabilityWrites(view, capability, facts.value);
      return writes.ok ? ok({ writes: writes.value, blobs }) : writes;
    });
    this.told(name, done, () => true);
  }

  proposePolicy(): void {
    const { digest: cedar, bytes } = this.world.chance.of(POLICIES);
    const { view } = this.world.service;
    const proposed = this.run('registrar', (time) => {
      const { state, revision } = view.policySet('default');
      const command = { type: 'propose', set: 'default', cedar, reason: 'needed', actor: 'registrar', time } as const;
      const facts = policyDecider.decide(command, state);
      if (!facts.ok) return facts;
      return ok({ writes: [writeOf('policy-default', revision, facts.value)], blobs: [{ digest: cedar, bytes }] });
    });
    this.told('propose-policy', proposed, () => true);
  }

  reviewPolicy(): void {
    const { view } = this.world.service;
    const reviewed = this.run('reviewer-a', (time) => {
      const { state, revision } = view.policySet('default');
      const by = { set: 'default', policyVersion: state.versions.size, actor: 'reviewer-a', time };
      const facts = policyDecider.decide({ type: 'review', verdict: 'approved', reason: 'fine', ...by }, state);
      return facts.ok ? ok({ writes: [writeOf('policy-default', revision, facts.value)] }) : facts;
    });
    this.told('review-policy', reviewed, () => true);
  }

  /** The host learns its new token immediately, even if the service does not have it yet. */
  changePrincipal(type: 'rotate' | 'remove'): void {
    const { world } = this;
    const { chance } = world;
    const name = chance.of(HOSTS);
    const { view } = world.service;
    const tokenDigest = digestOf(randomUUID());
    if (type === 'rotate') world.tokens.get(name)?.push(tokenDigest);
    const by = { actor: 'admin' };
    const directiveId = randomUUID();
    const changed = this.run('admin', (time) => {
      const command: PrincipalCommand =
        type === 'rotate' ? { type, tokenDigest, ...by, time } : { type, directiveId, ...by, time };
      const { state, revision } = view.principal(name);
      const facts = principalDecider.decide(command, state);
      if (!facts.ok) return facts;
      const change = writeOf(`principal-${name}`, revision, facts.value);
      if (type === 'rotate') return ok({ writes: [change] });
      const cause = change.events[0]?.id ?? '';
      const target = { type: 'host', host: name } as const;
      const stop = directiveWrite(view, {
        type: 'issue',
        id: directiveId,
        target,
        reason: 'removed',
        cause,
        ...by,
        time,
      });
      return stop.ok ? ok({ writes: [change, stop.value] }) : stop;
    });
    this.told(type, changed, (oracle) => type === 'rotate' || oracle.principals.get(name)?.removed === true);
  }

  private run(name: string, plan: (now: string) => Result<Plan, Refusal>): Promise<Result<unknown, Refusal>> {
    const caller: Caller = { name };
    return this.world.service.plane.run(caller, plan);
  }
}

function writing(write: ReturnType<typeof directiveWrite>): Result<Plan, Refusal> {
  return write.ok ? ok({ writes: [write.value] }) : write;
}
