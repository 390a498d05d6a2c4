import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { EventLog } from '../../libs/event-log/port.js';
import { unique, versionCommand, type Actor } from '../support/actors.js';
import { eventsAfter, type SeenEvent } from '../support/events.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { approve, callBody, expecting, registration, taskBody } from '../support/world.js';
import { appendingBy, lateCalls, withoutChecks, writesTo } from './logs.js';
import type { Chance } from '../support/chance.js';
import { amount, chance } from './random.js';
import { brokenBy, policyIdOf } from './verifier.js';
import { test, type TestContext } from '../support/testing.js';

/** Those who stop things race those who call, and afterwards the log says who was first. */

const CALLERS = 12;
const DECISIONS = 600;
const MANY_DECISIONS = amount('CALLS', DECISIONS);
const HOSTS = 4;
/** Lifts the stops, while others move the same streams. */
const MAX_TRIES = 500;
const CAPABILITIES = ['alpha', 'beta'] as const;
const TARGETS = 'all capability version operation publisher source category effect host task'.split(' ');

interface Host extends Actor {
  tasks: Answered[];
}

/** The answers that callers received: the count of each reason or code, and each allow. */
interface Told {
  readonly reasons: Map<string, number>;
  readonly allows: { callId: string; position: string }[];
}

async function race(service: TestService, { whole, of }: Chance, decisions: number): Promise<Told> {
  const told: Told = { reasons: new Map(), allows: [] };
  const hosts: Host[] = [];
  let decided = 0;
  let policies = 0;
  const racing = (): boolean => decided < decisions;

  const openTask = async (host: Host): Promise<Answered> => {
    const scope = CAPABILITIES.map((capability) => ({ capability, effects: ['read', 'write'] }));
    const opened = await service.call(host, 'POST', '/v1/tasks', taskBody({ scope }));
    if (opened.status === 201 && opened.body.pins.length === CAPABILITIES.length) host.tasks.push(opened.body);
  };
  const addHost = async (): Promise<void> => {
    const name = unique('host');
    const { status, body } = await service.call('admin', 'POST', '/v1/principals', { name, roles: ['host'] });
    // In a long race a commit may once take longer than anyone waits for it.
    if (status !== 201) return;
    const host = { name, token: body.token, tasks: [] };
    await openTask(host);
    hosts.push(host);
  };
  const activate = async (): Promise<void> => {
    const [next, reason] = [policies + 1, 'race'];
    const cedar = `@id("${policyIdOf(next)}") permit(principal, action, resource);`;
    const { status, body } = await service.call('registrar', 'POST', '/v1/policies/default', { cedar, reason });
    if (status !== 201) return;
    policies = body.policyVersion;
    // A command that was answered as unavailable may have been carried out. Then this one has another number.
    if (policies !== next) return;
    const path = `/v1/policies/default/${policies}/review`;
    await service.call('reviewer', 'POST', path, { verdict: 'approved', reason });
  };

  for (const capability of CAPABILITIES) {
    const body = { ...registration(capability), publishers: [`${capability}-makers`] };
    expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', body));
    await approve(service, capability);
  }
  await activate();
  for (let added = 0; added < HOSTS; added += 1) await addHost();

  const caller = async (): Promise<void> => {
    while (racing()) {
      const host = of(hosts);
      if (host.tasks.length === 0) await openTask(host);
      const task = host.tasks[whole(0, host.tasks.length - 1)];
      if (task === undefined) continue;
      const pin = task.pins[whole(0, 1)];
      const body = callBody(
        { ...task, pins: [pin] },
        { capability: pin.capability, operation: of(['recall', 'store']) },
      );
      const answer = await service.call(host, 'POST', '/v1/calls/authorize', body);
      decided += 1;
      const reason = answer.status === 200 ? answer.body.reason : answer.body.code;
      told.reasons.set(reason, (told.reasons.get(reason) ?? 0) + 1);
      if (answer.body.decision !== 'allow') continue;
      told.allows.push({ callId: body.callId, position: answer.body.position });
      const response = { taskId: task.taskId, result: { content: [{ type: 'text', text: 'a note' }] } };
      if (whole(0, 2) === 0) await service.call(host, 'POST', `/v1/calls/${body.callId}/response`, response);
    }
  };

  const targetOf = (type: string): Answered => {
    const [host, capability] = [of(hosts), of(CAPABILITIES)];
    return {
      type,
      ...{
        capability: { capability },
        version: { capability, version: '1.0.0' },
        operation: { capability, operation: 'recall' },
        publisher: { publisher: `${capability}-makers` },
        source: { source: 'npm:@example/memory' },
        category: { category: 'notes' },
        effect: { effect: 'write' },
        host: { host: host.name },
        task: { taskId: host.tasks[0]?.taskId ?? randomUUID() },
      }[type],
    };
  };
  /**
   * Others may move the stream first, again and again, and the stop is still lifted. A try whose answer was lost may
   * have done it: then the answer is `invalid_transition`.
   */
  const insist = async (command: () => Promise<{ status: number; body: Answered }>): Promise<void> => {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const { status, body } = await command();
      if (status === 200 || body.code === 'invalid_transition') return;
    }
    assert.fail('what was stopped could not be let go');
  };
  const directives = async (): Promise<void> => {
    for (let round = 0; racing(); round += 1) {
      const body = { target: targetOf(TARGETS[round % TARGETS.length] ?? 'all'), reason: 'race' };
      const { status, body: issued } = await service.call('operator', 'POST', '/v1/directives', body);
      await pause(whole(0, 3));
      const lift = `/v1/directives/${issued.id}/lift`;
      if (status === 201) await insist(() => service.call('operator', 'POST', lift, { reason: 'race' }));
      await pause(whole(2, 10));
    }
  };
  const lifecycle = async (): Promise<void> => {
    while (racing()) {
      const capability = of(CAPABILITIES);
      const { status } = await versionCommand(service, 'operator', capability, 'suspend');
      await pause(whole(0, 3));
      if (status === 200) await insist(() => versionCommand(service, 'reviewer', capability, 'reinstate'));
      await pause(whole(5, 20));
    }
  };
  const others = async (): Promise<void> => {
    for (let round = 0; racing(); round += 1) {
      if (round % 3 === 0) await activate();
      else if (round % 3 === 1) {
        const host = of(hosts);
        const [task] = host.tasks.splice(0, 1);
        if (task !== undefined) await service.call(host, 'POST', `/v1/tasks/${task.taskId}/close`, {});
      } else {
        await addHost();
        const [host] = hosts.length > HOSTS ? hosts.splice(0, 1) : [];
        if (host !== undefined) await service.call('admin', 'DELETE', `/v1/principals/${host.name}`);
      }
      await pause(whole(5, 20));
    }
  };
  await Promise.all([...Array.from({ length: CALLERS }, caller), directives(), directives(), lifecycle(), others()]);
  return told;
}

async function wholeLog(service: TestService): Promise<SeenEvent[]> {
  const events: SeenEvent[] = [];
  for (;;) {
    const page = await eventsAfter(service, events.at(-1)?.position ?? 0n);
    if (page.length === 0) return events;
    events.push(...page);
  }
}

async function raced(t: TestContext, decisions: number, wrap: (log: EventLog) => EventLog) {
  const luck = chance();
  let refusals = 0;
  const service = await startService({
    wrapLog: (log) => {
      const counted = appendingBy(log, async (batch, append) => {
        const outcome = await append(batch);
        if (outcome.kind === 'refused' && writesTo(batch, 'calls-')) refusals += 1;
        return outcome;
      });
      return lateCalls(wrap(counted), () => luck.whole(0, 4));
    },
  });
  try {
    const told = await race(service, luck, decisions);
    t.diagnostic(`${refusals} appends refused; ${JSON.stringify(Object.fromEntries(told.reasons))}`);
    const events = await wholeLog(service);
    return { told, events, refusals, broken: brokenBy(events) };
  } finally {
    await service.stop();
  }
}

test('by position, no allow lies after what stops it', async (t) => {
  const { told, events, refusals, broken } = await raced(t, MANY_DECISIONS, (log) => log);
  assert.deepEqual(broken, []);
  // And it was a race: calls were let through, calls were stopped, and appends came too late.
  assert.ok(told.allows.length > 5 && refusals > 0, 'nothing was overtaken');
  for (const reason of ['disabled', 'version_suspended']) assert.ok(told.reasons.has(reason), `nobody met ${reason}`);
  for (const type of ['DirectiveIssued', 'VersionSuspended', 'TaskClosed', 'PrincipalRemoved', 'PolicyReviewed']) {
    assert.ok(events.filter((event) => event.type === type).length > 1, `there was no ${type}`);
  }
  const recorded = new Map(
    events.filter(({ data }) => data.decision === 'allow').map((each) => [each.data.callId, each]),
  );
  for (const { callId, position } of told.allows) assert.equal(String(recorded.get(callId)?.position), position);
});

test('the same race without the checks of the append leaves allows that must not be', async (t) => {
  for (let tries = 0; tries < 3; tries += 1) {
    const { broken } = await raced(t, DECISIONS, withoutChecks);
    t.diagnostic(`${broken.length} findings, the first: ${broken[0]?.because}`);
    if (broken.length > 0) return;
  }
  assert.fail('the verifier finds nothing although nothing was checked');
});
