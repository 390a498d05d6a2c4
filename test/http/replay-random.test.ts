import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { addApprover, decideApproval } from '../support/approvals.js';
import { chanceOf, type Chance } from '../support/chance.js';
import { OVERRIDE, reviewedWith } from '../support/quarantine.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, approve, callBody, expecting, openTask, proposal, register } from '../support/world.js';
import { test } from '../support/testing.js';

/** Decisions of tasks with filters, labels, approvals and quarantined responses replay identically. */

const SEEDS = [1, 2];
const TASKS = 12;
const STEPS = 16;
const SECRET = 'AKIAIOSFODNN7EXAMPLQ';
const REPORT = 'the quarterly numbers of the northern division fell by eleven percent';
const LEVELS = ['public', 'internal', 'confidential', 'restricted'];
const TEXTS = ['hi', REPORT, `Notes. ${OVERRIDE}`, `key ${SECRET}`, 'ada.lovelace@lovelace-analytics.org', 'ﬁne\u200b'];

const POLICY = `@id("all") permit(principal, action, resource);
@id("asked") @approval("client") permit(principal, action, resource) when { context.arguments has asks };`;

const SCHEMA = {
  type: 'object',
  properties: { to: { type: 'string' }, body: {}, cc: { type: 'string' }, asks: { type: 'boolean' } },
  required: ['to'],
};
const needs = {
  arguments: [{ path: '/to', accepts: ['pii:email'] }, { path: '/body', maxLength: 90 }, '/asks'],
  context: ['crm/*'],
  contextBytes: 80,
};

const mail = (): Answered => {
  const { manifest, ...rest } = proposal();
  const operations = {
    send: { effects: ['write'], needs },
    look: { effects: ['read'], needs },
    read: { effects: ['read'], returns: 'confidential' },
  };
  const tools = ['send', 'look'].map((name) => ({ name, inputSchema: SCHEMA }));
  const definition = { tools: [...tools, { name: 'read', inputSchema: { type: 'object' } }] };
  return { ...rest, definition, manifest: { ...manifest, operations } };
};

/** One task, driven at random. It keeps each answer, and compares it with the evidence at the end. */
class Walk {
  private readonly answered = new Map<string, Answered>();
  private readonly open: string[] = [];
  private readonly asked: { approval: string; body: Answered }[] = [];
  private readonly uses = new Map<string, string>();
  private readonly met: string[] = [];

  constructor(
    private readonly chance: Chance,
    private readonly task: Answered,
    private readonly approvers: readonly Answered[],
  ) {}

  async step(service: TestService): Promise<void> {
    const { chance } = this;
    const [callId] = this.open;
    if (callId !== undefined && chance.happens(0.4)) return this.respond(service, callId);
    const asked = this.asked.at(-1);
    if (asked !== undefined && chance.happens(0.4)) {
      const verdict = chance.happens(0.6) ? 'granted' : 'denied';
      const { status } = await decideApproval(service, chance.of(this.approvers), asked.approval, verdict);
      assert.ok([200, 403, 409].includes(status), String(status));
      return;
    }
    // The same content again, under a new id or its own: only then does a grant count.
    const again = asked !== undefined && chance.happens(0.6) ? asked.body : undefined;
    if (again !== undefined && chance.happens(0.2)) return this.ask(service, again);
    await this.ask(service, { ...(again ?? this.body()), callId: randomUUID() });
  }

  private body(): Answered {
    const { chance } = this;
    const capability = chance.of(['mail', 'mail', 'vault']);
    const operation = capability === 'vault' ? 'recall' : chance.of(['send', 'look', 'read']);
    const text = (): Answered => chance.of([...TEXTS, { [chance.of(TEXTS)]: [chance.of(TEXTS), 4111111111111111] }]);
    const maybe = (name: string, value: () => Answered) => (chance.happens(0.4) ? { [name]: value() } : {});
    const plain = operation === 'read' || operation === 'recall';
    const filled = { ...maybe('body', text), ...maybe('cc', () => 'x'), ...maybe('asks', () => true) };
    const args = plain ? { key: 'a' } : { to: chance.of(TEXTS), ...filled };
    const context = Array.from({ length: chance.whole(0, 2) }, (_, index) => ({
      id: String(index),
      source: chance.of(['crm/1', 'crm/2', 'chat']),
      content: chance.of(TEXTS),
      ...maybe('level', () => chance.of(LEVELS)),
      ...maybe('required', () => true),
      ...maybe('derivedFrom', () => [chance.of([...this.answered.keys(), '0', 'unknown'])]),
    }));
    const labels = [{ path: chance.of(['/to', '/body', '/nowhere']), level: chance.of(LEVELS) }];
    const approval = { grade: 'client', at: new Date().toISOString() };
    return {
      capability,
      operation,
      arguments: args,
      ...(context.length === 0 ? {} : { context }),
      ...maybe('labels', () => labels),
      ...maybe('approval', () => approval),
    };
  }

  private async ask(service: TestService, body: Answered): Promise<void> {
    const pin = this.task.pins.find(({ capability }: Answered) => capability === body.capability);
    const asked = callBody({ taskId: this.task.taskId, pins: [pin] }, body);
    const answer = await service.call('host', 'POST', '/v1/calls/authorize', asked);
    // A call that is over, or whose content is another by now, is refused and recorded nowhere.
    if (answer.status === 409) return;
    const { decision, outbound, approval, callId } = expecting(200, answer);
    if (decision === 'allow') {
      this.answered.set(callId, outbound);
      if (!this.open.includes(callId)) this.open.push(callId);
    }
    if (approval?.state === 'pending') this.asked.push({ approval: approval.id, body: { ...body, callId } });
  }

  private async respond(service: TestService, callId: string): Promise<void> {
    this.open.shift();
    const content = [{ type: 'text', text: this.chance.of(TEXTS) }];
    const body = { taskId: this.task.taskId, result: { content } };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, body));
  }

  /** The reasons, verdicts and effects of the filter that its evidence shows. */
  async check(service: TestService): Promise<string[]> {
    const path = `/v1/audit/traces/${this.task.traceId}`;
    const get = async (of: string): Promise<Answered> => expecting(200, await service.call('auditor', 'GET', of));
    const { identical, calls } = await get(`${path}/replay`);
    const odd = calls.filter((call: Answered) => call.identical !== true || call.response?.again === 'differs');
    assert.deepEqual([identical, odd], [true, []]);
    const evidence = (await get(path)).calls as Answered[];
    for (const { callId, decision, outbound, checks } of evidence) {
      if (decision === 'allow' && this.answered.has(callId)) assert.deepEqual(outbound, this.answered.get(callId));
      const used = checks.find(({ check }: Answered) => check === 'approval')?.evidence?.approval;
      if (decision !== 'allow' || used === undefined) continue;
      assert.equal(this.uses.get(used) ?? callId, callId, 'an approval was used by two calls');
      this.uses.set(used, callId);
      this.met.push('used');
    }
    const seen = evidence.flatMap(({ reason, response, outbound }) => [
      reason,
      ...(response === null ? [] : [response.verdict]),
      ...(outbound?.redactions?.length > 0 ? ['redacted'] : []),
      ...(outbound?.refusals?.length > 0 ? ['refused'] : []),
    ]);
    return [...seen, ...this.met];
  }
}

for (const mode of ['detect', 'strict']) {
  test(`random tasks in ${mode} flow, with restarts, replay identically`, async (t) => {
    const env = { SALLYPORT_FLOW: mode, SALLYPORT_CONTEXT_LEVEL: 'internal' };
    let service = await startService({ env });
    t.after(() => service.stop());
    await register(service, 'mail', mail());
    await approve(service, 'mail');
    await reviewedWith(service, 'vault', 'hold');
    await activatePolicy(service, POLICY);
    const approvers = [await addApprover(service, 'ada'), await addApprover(service, 'bob')];
    const met = new Map<string, number>();
    for (const seed of SEEDS) {
      const chance = chanceOf(seed);
      const walks: Walk[] = [];
      for (let index = 0; index < TASKS; index += 1) {
        const scope = ['mail', 'vault'].map((capability) => ({ capability, effects: ['read', 'write'] }));
        const approve = { effects: ['write'], by: chance.of(['user', 'other']) };
        const task = await openTask(service, { scope, ...(chance.happens(0.3) ? { approve } : {}) });
        walks.push(new Walk(chanceOf(seed, index), task, approvers));
      }
      for (let step = 0; step < STEPS; step += 1) {
        if (step === STEPS / 2) {
          await service.stop('keep');
          service = await startService({ env, dataDir: service.dataDir });
        }
        for (const walk of walks) await walk.step(service);
      }
      for (const walk of walks) for (const each of await walk.check(service)) met.set(each, (met.get(each) ?? 0) + 1);
    }
    t.diagnostic(JSON.stringify(Object.fromEntries([...met].sort())));
    const expected = [
      'ok',
      'approval_required',
      'approval_denied',
      'used',
      'quarantined',
      'accepted',
      'redacted',
      'refused',
    ];
    assert.deepEqual(
      expected.filter((each) => !met.has(each)),
      [],
    );
  });
}
