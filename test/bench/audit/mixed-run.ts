import { randomUUID } from 'node:crypto';
import type { Chance } from '../../support/chance.js';
import type { Answered, Callable } from '../../support/service.js';
import {
  activatePolicy,
  approve,
  callBody,
  expecting,
  INTEGRITY,
  MEMORY_DEFINITION,
  proposal,
  register,
  taskBody,
} from '../../support/world.js';

/**
 * A run of mixed decisions through the front door: several hosts, users, agents, capabilities and policies; allows,
 * denials of most checks, refusals, responses of several verdicts, outcomes, stops, drifts, revocations and closings.
 * The id of a call gives its arguments and its response, so that evidence can be compared with them.
 */

/** Decides requests of one host, and answers in their order. */
export type Decide = (host: RunHost, bodies: readonly Answered[]) => Promise<readonly Answered[]>;

export interface RunHost {
  readonly name: string;
  readonly token: string;
}

/** A task, as the run opened it. */
export interface RunTask {
  readonly taskId: string;
  readonly traceId: string;
  readonly host: string;
  readonly user: string;
  readonly agent: string;
  readonly capability: string;
}

export interface MixedRun {
  readonly hosts: readonly RunHost[];
  /** By task id. */
  readonly tasks: ReadonlyMap<string, RunTask>;
  /** Decisions that were answered. */
  readonly decisions: number;
  /** Opens a task and asks for so many decisions in it. Rejects if an answer is not as it has to be. */
  task(calls: number): Promise<void>;
}

/** The text that the arguments of a call hold, and its response. */
export const noteOf = (callId: string): string => `note ${callId}`;

const CAPABILITIES = ['memory-0', 'memory-1', 'memory-2', 'memory-3'];
const NEWER = 'memory-3';
const STOPPED = 'stopped';
const USERS = 24;
const AGENTS = ['assistant', 'scribe', 'planner', 'clerk'];
/** Tasks between two changes of what all decisions rest on. */
const CONTROL_EVERY = 40;
const RESPONSES = 0.1;
const CLOSED = 0.7;

const CEDAR = `
@id("read") permit(principal in Role::"staff", action == Action::"read", resource);
@id("guests") permit(principal in Role::"guest", action == Action::"read", resource) when { context.purpose != "look" };
`;

const SERVER = { method: 'package', integrity: INTEGRITY };
const OTHER_DEFINITION = { ...MEMORY_DEFINITION, instructions: 'Remembers other things.' };

type Kind = (callId: string) => readonly [more: Answered, reasons: readonly string[]];

/** The kinds of calls of a usual task, each with its share and the reasons that are right. */
const KINDS: readonly (readonly [share: number, Kind])[] = [
  [0.68, (callId) => [{ arguments: { key: noteOf(callId) } }, ['ok', 'outside_user_authority']]],
  [0.1, (callId) => [{ operation: 'count', arguments: { note: noteOf(callId) } }, ['ok', 'outside_user_authority']]],
  [0.06, () => [{ arguments: { key: 7 } }, ['arguments_invalid', 'outside_user_authority']]],
  [0.05, (callId) => [{ operation: 'store', arguments: { note: noteOf(callId) } }, ['outside_task_scope']]],
  [0.04, () => [{ operation: 'fly' }, ['operation_unknown']]],
  [0.03, () => [{ capability: 'nobody-knows' }, ['capability_unregistered']]],
  [0.02, () => [{ capability: STOPPED }, ['disabled']]],
  [0.02, () => [{ taskId: randomUUID() }, ['task_unknown']]],
];

/** Registers what is asked about. `decide` asks for decisions; all else goes over HTTP. */
export async function startMixedRun(service: Callable, decide: Decide, chance: Chance): Promise<MixedRun> {
  for (const id of [...CAPABILITIES, STOPPED]) {
    const version = id === NEWER ? '2.0.0' : '1.0.0';
    await register(service, id, proposal(version));
    await approve(service, id, version);
  }
  await activatePolicy(service, CEDAR);
  const target = { type: 'capability', capability: STOPPED };
  expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'INC-1' }));
  const hosts: RunHost[] = [];
  for (const name of ['gateway', 'desk', 'batch']) {
    const { token } = expecting(201, await service.call('admin', 'POST', '/v1/principals', { name, roles: ['host'] }));
    hosts.push({ name, token });
  }
  return new Run(service, decide, chance, hosts);
}

class Run implements MixedRun {
  readonly tasks = new Map<string, RunTask>();
  decisions = 0;
  private begun = 0;
  private policies = 1;

  constructor(
    private readonly service: Callable,
    private readonly decide: Decide,
    private readonly chance: Chance,
    readonly hosts: readonly RunHost[],
  ) {}

  async task(calls: number): Promise<void> {
    this.begun += 1;
    const { begun } = this;
    if (begun % CONTROL_EVERY === 0) await this.control(begun / CONTROL_EVERY);
    // Every so often one of a capability that drifts, or whose version is revoked while the task is open.
    if (begun % CONTROL_EVERY === 7) return this.drifting(begun, calls);
    if (begun % CONTROL_EVERY === 23) return this.revoked(begun, calls);
    const { host, opened } = await this.open(this.chance.of(CAPABILITIES));
    await this.ask(host, opened, calls);
    await this.closeSome(host, opened);
  }

  private async open(capability: string): Promise<{ host: RunHost; opened: Answered }> {
    const { chance } = this;
    const host = chance.of(this.hosts);
    const user = `user-${chance.whole(0, USERS - 1)}`;
    const agent = chance.of(AGENTS);
    const body = taskBody({
      agent,
      user: { id: user, roles: [chance.happens(0.8) ? 'staff' : 'guest'] },
      purpose: chance.of(['look', 'sum up the week']),
      scope: [{ capability, effects: ['read'] }],
    });
    const opened = expecting(201, await this.service.call({ token: host.token }, 'POST', '/v1/tasks', body));
    const { taskId, traceId } = opened;
    this.tasks.set(taskId, { taskId, traceId, host: host.name, user, agent, capability });
    return { host, opened: { ...opened, capability } };
  }

  private async ask(host: RunHost, opened: Answered, calls: number): Promise<void> {
    const expected: (readonly string[])[] = [];
    const bodies = Array.from({ length: calls }, () => {
      const callId = randomUUID();
      const [more, reasons] = this.kind()(callId);
      expected.push(reasons);
      return callBody(opened, { callId, capability: opened.capability, ...more });
    });
    const answers = await this.decided(host, bodies);
    for (const [at, { reason }] of answers.entries())
      if (expected[at]?.includes(reason) !== true) throw new Error(`${reason}, and not ${expected[at]?.join(' or ')}`);
    for (const [at, { decision }] of answers.entries())
      if (decision === 'allow' && this.chance.happens(RESPONSES)) await this.respond(host, bodies[at]);
  }

  private async decided(host: RunHost, bodies: readonly Answered[]): Promise<readonly Answered[]> {
    const answers = await this.decide(host, bodies);
    this.decisions += bodies.length;
    return answers;
  }

  private kind(): Kind {
    let left = this.chance.next();
    for (const [share, kind] of KINDS) if ((left -= share) < 0) return kind;
    return (KINDS[0] as (typeof KINDS)[number])[1];
  }

  private async respond(host: RunHost, { callId, taskId, operation }: Answered): Promise<void> {
    const content = [{ type: 'text', text: noteOf(callId) }];
    const counted = { content, structuredContent: { notes: this.chance.happens(0.8) ? 2 : 'two' } };
    const result = operation === 'count' ? counted : { content };
    const failed = { error: { code: -32_000, message: noteOf(callId) } };
    const body = { taskId, ...(this.chance.happens(0.1) ? failed : { result }) };
    await this.call(host, 200, `/v1/calls/${callId}/response`, body);
    if (this.chance.happens(0.5)) return;
    const effect = { type: 'read', summary: noteOf(callId) };
    await this.call(host, 200, `/v1/calls/${callId}/outcome`, { taskId, status: 'succeeded', effect });
  }

  private async closeSome(host: RunHost, { taskId }: Answered): Promise<void> {
    if (this.chance.happens(CLOSED)) await this.call(host, 200, `/v1/tasks/${taskId}/close`, { reason: 'done' });
  }

  /** A capability of its own: after one call with another definition its version is suspended. */
  private async drifting(nth: number, calls: number): Promise<void> {
    const { host, opened } = await this.ownCapability(`drifting-${nth}`);
    const before = Array.from({ length: Math.floor(calls / 2) }, () => this.usual(opened));
    const drift = { ...this.usual(opened), observed: { definition: OTHER_DEFINITION, server: SERVER } };
    await this.decided(host, before);
    const seen = await this.service.call({ token: host.token }, 'POST', '/v1/calls/authorize', drift);
    this.decisions += 1;
    if (expecting(200, seen).reason !== 'definition_drifted') throw new Error(`${seen.body.reason}, and no drift`);
    await this.decided(host, [this.usual(opened)]);
    const path = `/v1/capabilities/drifting-${nth}/versions/1.0.0/suspend`;
    expecting(200, await this.service.call('reviewer', 'POST', path, { reason: 'it drifted' }));
  }

  private async revoked(nth: number, calls: number): Promise<void> {
    const id = `revoked-${nth}`;
    const { host, opened } = await this.ownCapability(id);
    const some = () => Array.from({ length: Math.ceil(calls / 2) }, () => this.usual(opened));
    await this.decided(host, some());
    const path = `/v1/capabilities/${id}/versions/1.0.0/revoke`;
    expecting(200, await this.service.call('reviewer', 'POST', path, { reason: 'CVE-2026-1111' }));
    const after = await this.decided(host, some());
    if (after.some(({ decision }) => decision !== 'deny')) throw new Error('an allow after a revocation');
  }

  private async ownCapability(id: string): Promise<{ host: RunHost; opened: Answered }> {
    await register(this.service, id);
    await approve(this.service, id);
    return this.open(id);
  }

  private usual(opened: Answered): Answered {
    const callId = randomUUID();
    return callBody(opened, { callId, capability: opened.capability, arguments: { key: noteOf(callId) } });
  }

  /** In turns another version of the policies, and a stop of a user that is lifted at once. */
  private async control(nth: number): Promise<void> {
    if (nth % 4 === 1) {
      this.policies += 1;
      await activatePolicy(this.service, `${CEDAR}// ${this.policies}\n`);
      return;
    }
    const body = { target: { type: 'category', category: `none-${nth}` }, reason: 'INC-2' };
    const { id } = expecting(201, await this.service.call('operator', 'POST', '/v1/directives', body));
    expecting(200, await this.service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'INC-2' }));
  }

  private async call(host: RunHost, status: number, path: string, body: Answered): Promise<void> {
    expecting(status, await this.service.call({ token: host.token }, 'POST', path, body));
  }
}
