import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { addPrincipal, unique, versionCommand, type Actor } from '../support/actors.js';
import { eventsAfter, eventsOf } from '../support/events.js';
import { gate } from '../support/gate.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, approve, callBody, expecting, registration, taskBody } from '../support/world.js';
import { withoutChecks } from './logs.js';
import { brokenBy, policyIdOf } from './verifier.js';
import { after, before, describe, test } from '../support/testing.js';

/**
 * An allow on its way to the store while somebody stops it. Each stop runs once with the checks of the append, and once
 * without them, by a switch for tests alone.
 */

interface Scene {
  readonly host: Actor;
  readonly capability: string;
  readonly publisher: string;
  readonly task: Answered;
}

interface Stop {
  /** Stops the call of a scene; gives the way back, where others would be stopped too. */
  stop(service: TestService, scene: Scene): Promise<(() => Promise<unknown>) | undefined>;
  /** The answer that the caller receives. */
  readonly reason: string;
  /** The verifier's finding about an allow after the stop. */
  because(scene: Scene): string;
}

const directive = (targetOf: (scene: Scene) => Answered, because: (scene: Scene) => string): Stop => ({
  async stop(service, scene) {
    const body = { target: targetOf(scene), reason: 'test' };
    const { id } = expecting(201, await service.call('operator', 'POST', '/v1/directives', body));
    return () => service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'test' });
  },
  reason: 'disabled',
  because,
});
const command = (name: string, reason: string, because: string): Stop => ({
  async stop(service, { capability }) {
    expecting(200, await versionCommand(service, 'operator', capability, name));
    return undefined;
  },
  reason,
  because: () => because,
});

let policies = 0;
async function activate(service: TestService, effect: 'permit' | 'forbid'): Promise<void> {
  policies += 1;
  await activatePolicy(service, `@id("${policyIdOf(policies)}") ${effect}(principal, action, resource);`);
}

const STOPS: Readonly<Record<string, Stop>> = {
  'a directive against all': directive(
    () => ({ type: 'all' }),
    () => 'all',
  ),
  'a directive against the capability': directive(
    ({ capability }) => ({ type: 'capability', capability }),
    ({ capability }) => `capability:${capability}`,
  ),
  'a directive against the version': directive(
    ({ capability }) => ({ type: 'version', capability, version: '1.0.0' }),
    ({ capability }) => `version:${capability}@1.0.0`,
  ),
  'a directive against the operation': directive(
    ({ capability }) => ({ type: 'operation', capability, operation: 'recall' }),
    ({ capability }) => `operation:${capability}/recall`,
  ),
  'a directive against the publisher': directive(
    ({ publisher }) => ({ type: 'publisher', publisher }),
    ({ publisher }) => `publisher:${publisher}`,
  ),
  'a directive against the source': directive(
    () => ({ type: 'source', source: 'npm:@example/memory' }),
    () => 'source:npm:@example/memory',
  ),
  'a directive against the category': directive(
    () => ({ type: 'category', category: 'notes' }),
    () => 'category:notes',
  ),
  'a directive against the effect': directive(
    () => ({ type: 'effect', effect: 'read' }),
    () => 'effect:read',
  ),
  'a directive against the host': directive(
    ({ host }) => ({ type: 'host', host: host.name }),
    ({ host }) => `host:${host.name}`,
  ),
  'a directive against the task': directive(
    ({ task }) => ({ type: 'task', taskId: task.taskId }),
    ({ task }) => `task:${task.taskId}`,
  ),
  'a suspension': command('suspend', 'version_suspended', 'version suspended'),
  'a revocation': command('revoke', 'version_revoked', 'version revoked'),
  'the closing of the task': {
    async stop(service, { host, task }) {
      expecting(200, await service.call(host, 'POST', `/v1/tasks/${task.taskId}/close`, {}));
      return undefined;
    },
    reason: 'task_closed',
    because: () => 'task closed',
  },
  'another policy': {
    async stop(service) {
      await activate(service, 'forbid');
      return () => activate(service, 'permit');
    },
    reason: 'outside_user_authority',
    because: () => `${policyIdOf(policies - 2)} is not in force`,
  },
};

async function sceneOf(service: TestService): Promise<Scene> {
  const [capability, publisher] = [unique('cap'), unique('pub')];
  const body = { ...registration(capability), publishers: [publisher] };
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', body));
  await approve(service, capability);
  const host = await addPrincipal(service, ['host']);
  const scope = [{ capability, effects: ['read', 'write'] }];
  const task = expecting(201, await service.call(host, 'POST', '/v1/tasks', taskBody({ scope })));
  return { host, capability, publisher, task };
}

const authorize = (service: TestService, { host, task, capability }: Scene, callId: string) =>
  service.call(host, 'POST', '/v1/calls/authorize', callBody(task, { capability, callId }));
const allowsOf = async (service: TestService, callId: string) =>
  (await eventsAfter(service, 0n)).filter(({ data }) => data.callId === callId && data.decision === 'allow');
const brokenOf = async (service: TestService, callId: string) =>
  brokenBy(await eventsAfter(service, 0n)).filter((broken) => broken.callId === callId);

for (const checked of [true, false]) {
  const held = gate();
  let service: TestService;

  /**
   * Asks for a call, lets `meanwhile` happen while its record is on its way, and gives the answer; then goes the way
   * back. On a machine so slow that the append is given up as unknown before, once more.
   */
  async function overtaken(meanwhile: Stop['stop']) {
    for (let tries = 1; ; tries += 1) {
      const [scene, callId] = [await sceneOf(service), randomUUID()];
      const hold = held.holdNext('calls-');
      const asked = authorize(service, scene, callId);
      await hold.arrived;
      const undo = await meanwhile(service, scene);
      hold.release();
      const answer = await asked;
      await undo?.();
      if (answer.status !== 503 || tries === 3) return { scene, callId, answer };
    }
  }

  describe(checked ? 'with the checks of the append' : 'without the checks of the append', () => {
    before(async () => {
      policies = 0;
      service = await startService({ wrapLog: (log) => held.wrap(checked ? log : withoutChecks(log)) });
      await activate(service, 'permit');
    });
    after(() => service.stop());

    for (const [what, { stop, reason, because }] of Object.entries(STOPS)) {
      test(`${what} overtakes an allow: ${checked ? 'it is denied' : 'the verifier finds it'}`, async () => {
        const { scene, callId, answer } = await overtaken(stop);
        const { decision, reason: told } = expecting(200, answer);
        const broken = await brokenOf(service, callId);
        if (checked) {
          assert.deepEqual([decision, told], ['deny', reason]);
          assert.deepEqual(await allowsOf(service, callId), []);
          assert.deepEqual(broken, []);
        } else {
          assert.equal(decision, 'allow');
          const reasons = broken.map((each) => each.because);
          assert.ok(reasons.includes(because(scene)), `${because(scene)} is not among ${reasons.join(', ')}`);
        }
      });
    }

    test(`the removal of the caller overtakes an allow: ${checked ? '401' : 'the verifier finds it'}`, async () => {
      const { scene, callId, answer } = await overtaken(async (_, { host }) => {
        expecting(204, await service.call('admin', 'DELETE', `/v1/principals/${host.name}`));
        return undefined;
      });
      const reasons = (await brokenOf(service, callId)).map(({ because }) => because);
      if (checked) {
        refused(401, 'unauthenticated', answer);
        assert.deepEqual(await eventsOf(service, `calls-${scene.task.taskId}`), []);
        assert.deepEqual(reasons, []);
      } else {
        assert.equal(expecting(200, answer).decision, 'allow');
        for (const reason of ['principal removed', `host:${scene.host.name}`]) assert.ok(reasons.includes(reason));
      }
    });

    test(`a directive overtakes a response: ${checked ? 'it is rejected' : 'the verifier finds it'}`, async () => {
      const scene = await sceneOf(service);
      const callId = randomUUID();
      expecting(200, await authorize(service, scene, callId));
      const hold = held.holdNext('calls-');
      const body = { taskId: scene.task.taskId, result: { content: [{ type: 'text', text: 'a note' }] } };
      const answer = service.call(scene.host, 'POST', `/v1/calls/${callId}/response`, body);
      await hold.arrived;
      const target = { type: 'task', taskId: scene.task.taskId };
      expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'test' }));
      hold.release();
      const { verdict, content } = expecting(200, await answer);
      const broken = await brokenOf(service, callId);
      if (checked) {
        assert.deepEqual([verdict, content], ['rejected', undefined]);
        assert.deepEqual(broken, []);
      } else {
        assert.equal(verdict, 'accepted');
        assert.deepEqual(
          broken.map(({ because }) => because),
          [`a response after task:${scene.task.taskId}`],
        );
      }
    });
  });
}
