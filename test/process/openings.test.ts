import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { refused } from '../support/problems.js';
import type { Answer, TestService } from '../support/service.js';
import { ALLOW_ALL, expecting, proposal, taskBody } from '../support/world.js';
import { ALWAYS, faultyWorld } from './faulty-world.js';
import { test } from '../support/testing.js';

/**
 * A command that permits something and was answered `outcome_unknown` is not carried out afterwards, unless the store
 * had already written it. Anyone can ask for its outcome.
 */
interface Opening {
  readonly name: string;
  /** The streams whose appends fail. */
  readonly prefix: string;
  /** Prepares the command. Gives the values that the command needs. */
  readonly before?: (service: TestService) => Promise<string>;
  readonly command: (service: TestService, known: string) => Promise<Answer>;
  /** Whether it has been carried out, as anyone can read it. */
  readonly isDone: (service: TestService, known: string) => Promise<boolean>;
  /** The answer to the same request after it has been carried out. */
  readonly repeated: readonly [status: number, code?: string];
}

const memory = '/v1/capabilities/memory/versions';
const because = { reason: 'test' };

async function read(service: TestService, path: string): Promise<Answer['body']> {
  return expecting(200, await service.call('auditor', 'GET', path));
}

async function suspended(service: TestService): Promise<string> {
  expecting(200, await service.call('operator', 'POST', `${memory}/1.0.0/suspend`, because));
  return '';
}

const OPENINGS: readonly Opening[] = [
  {
    name: 'a lift',
    prefix: 'directives',
    async before(service) {
      const body = { target: { type: 'category', category: 'other' }, ...because };
      return expecting(201, await service.call('operator', 'POST', '/v1/directives', body)).id;
    },
    command: (service, id) => service.call('operator', 'POST', `/v1/directives/${id}/lift`, because),
    async isDone(service, id) {
      const { active } = await read(service, '/v1/directives');
      return active.every((directive: { id: string }) => directive.id !== id);
    },
    repeated: [409, 'invalid_transition'],
  },
  {
    name: 'an approval',
    prefix: 'capability-',
    async before(service) {
      expecting(201, await service.call('registrar', 'POST', memory, proposal('2.0.0')));
      return '';
    },
    command: (service) =>
      service.call('reviewer', 'POST', `${memory}/2.0.0/review`, {
        verdict: 'approved',
        exceptions: ['signature_missing'],
        ...because,
      }),
    isDone: async (service) => (await read(service, `${memory}/2.0.0`)).status === 'approved',
    repeated: [409, 'invalid_transition'],
  },
  {
    name: 'a reinstatement',
    prefix: 'capability-',
    before: suspended,
    command: (service) => service.call('reviewer', 'POST', `${memory}/1.0.0/reinstate`, because),
    isDone: async (service) => (await read(service, `${memory}/1.0.0`)).status === 'approved',
    repeated: [409, 'invalid_transition'],
  },
  {
    name: 'a new admin',
    prefix: 'principal-',
    command: (service) => service.call('admin', 'POST', '/v1/principals', { name: 'second', roles: ['admin'] }),
    isDone: async ({
      service: {
        control: { view },
      },
    }) => view.principal('second').state !== undefined,
    repeated: [201],
  },
  {
    name: 'a new token',
    prefix: 'principal-',
    command: (service) => service.call('admin', 'POST', '/v1/principals/local-auditor/rotate'),
    // Nobody has been shown the new one, so the old one shows it.
    isDone: async (service) => (await service.call('auditor', 'GET', '/v1/directives')).status === 401,
    repeated: [200],
  },
  {
    name: 'a policy that takes force',
    prefix: 'policy-',
    async before(service) {
      const body = { cedar: ALLOW_ALL, ...because };
      return expecting(201, await service.call('registrar', 'POST', '/v1/policies/default', body)).policyVersion;
    },
    command: (service, policyVersion) =>
      service.call('reviewer', 'POST', `/v1/policies/default/${policyVersion}/review`, {
        verdict: 'approved',
        ...because,
      }),
    isDone: async (service, policyVersion) =>
      (await read(service, '/v1/policies/default')).active === Number(policyVersion),
    repeated: [409, 'invalid_transition'],
  },
  {
    name: 'a task',
    prefix: 'task-',
    before: async () => randomUUID(),
    command: (service, taskId) => service.call('host', 'POST', '/v1/tasks', { taskId, ...taskBody() }),
    isDone: async (service, taskId) => (await service.call('host', 'GET', `/v1/tasks/${taskId}`)).status === 200,
    repeated: [201],
  },
];

for (const { name, prefix, before, command, isDone, repeated } of OPENINGS) {
  for (const kind of ['failed', 'persisted'] as const) {
    test(`${name} whose append ${kind}: unknown, not carried out later, and its fate can be asked`, async (t) => {
      const { service, fail, heal, ready } = await faultyWorld(t);
      const known = (await before?.(service)) ?? '';
      fail(kind, prefix, ALWAYS);
      refused(503, 'outcome_unknown', await command(service, known));
      heal();
      // The first access to the stream learns the outcome. The feed and readiness ask all the time.
      assert.equal(await ready(), 200);
      await pause(50);
      assert.equal(await isDone(service, known), kind === 'persisted');
      const [status, code] = repeated;
      const again = await command(service, known);
      if (kind === 'failed') assert.ok(again.status < 300, JSON.stringify(again.body));
      else if (code === undefined) expecting(status, again);
      else refused(status, code, again);
      assert.equal(await isDone(service, known), true);
    });
  }
}

test('a suspension of unknown fate comes to be: it may be sent again', async (t) => {
  const { service, fail, heal } = await faultyWorld(t);
  fail('failed', 'capability-', ALWAYS);
  refused(503, 'outcome_unknown', await service.call('operator', 'POST', `${memory}/1.0.0/suspend`, because));
  heal();
  // Asking for its fate with the same request finds that it was sent before that.
  refused(409, 'invalid_transition', await service.call('operator', 'POST', `${memory}/1.0.0/suspend`, because));
  assert.equal((await read(service, `${memory}/1.0.0`)).status, 'suspended');
});
