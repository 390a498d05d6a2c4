import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import canonicalize from 'canonicalize';
import { GrpcHost, refusal } from '../grpc/client.js';
import { movableClock } from '../support/clock.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestOptions, type TestService } from '../support/service.js';
import { watchOver } from '../support/watch.js';
import { expecting } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

/** Acknowledgements that show that their instance holds the state, and those that only repeat what they heard. */

const LEASE_MS = 5_000;

async function started(t: TestContext, options: TestOptions = {}): Promise<TestService> {
  const service = await startService(options);
  t.after(() => service.stop());
  return service;
}

const issue = async (service: TestService): Promise<Answered> => {
  const body = { target: { type: 'category', category: 'none' }, reason: 'test' };
  return expecting(201, await service.call('operator', 'POST', '/v1/directives', body));
};
const lift = async (service: TestService, id: string): Promise<Answered> =>
  expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'over' }));
const snapshot = async (service: TestService): Promise<Answered> =>
  expecting(200, await service.call('host', 'GET', '/v1/directives'));
const post = (service: TestService, body: Answered) => service.call('host', 'POST', '/v1/directives/acks', body);
const instancesOf = async (service: TestService, id: string): Promise<Answered> =>
  expecting(200, await service.call('operator', 'GET', `/v1/directives/${id}/propagation`)).instances;

/** As the documents say it, without the code of the project. */
function proofOf(active: readonly Answered[], instanceId: string, nonce: string): string {
  const held = active.map(({ id, target, epoch }) => ({ id, target, epoch })).sort((a, b) => (a.id < b.id ? -1 : 1));
  const text = canonicalize({ active: held, instanceId, nonce }) ?? '';
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** The acknowledgement of an instance that holds the state of a snapshot. */
function ackOf({ active, epoch, stateRoot, nonce }: Answered, instanceId: string = randomUUID()): Answered {
  const proof = proofOf(active, instanceId, nonce);
  return { instanceId, epoch, stateRoot, appliedAt: new Date().toISOString(), nonce, proof };
}

test('an instance that proves its state is shown as proven, one that repeats the root as not', async (t) => {
  const service = await started(t);
  const before = await snapshot(service);
  assert.match(before.nonce, /^[0-9a-f]{32}$/);
  const [proves, echoes] = [randomUUID(), randomUUID()].sort();
  for (const instanceId of [proves, echoes]) expecting(200, await post(service, ackOf(before, instanceId)));
  await issue(service);
  const { id, epoch } = await issue(service);
  const state = await snapshot(service);
  expecting(200, await post(service, ackOf(state, proves)));
  const { nonce: _, proof: _proof, ...echo } = ackOf(state, echoes);
  expecting(200, await post(service, echo));
  const shown = (instances: Answered[]) =>
    instances.map(({ instanceId, state: how, proven }: Answered) => [instanceId, how, proven]).sort();
  assert.deepEqual(shown(await instancesOf(service, id)), [
    [proves, 'acknowledged', true],
    [echoes, 'acknowledged', false],
  ]);
  const events = (await eventsOf(service, 'instances-local-host')).filter(({ data }) => data.epoch === epoch);
  assert.deepEqual(
    events.map(({ type, data }) => [type, data.instanceId, data.proven]),
    [
      ['DirectiveAcknowledged', proves, true],
      ['DirectiveAcknowledged', echoes, false],
    ],
  );
  const at = (await instancesOf(service, id)).map(({ at: when }: Answered) => when);
  expecting(200, await post(service, ackOf(await snapshot(service), echoes)));
  const later = await instancesOf(service, id);
  assert.deepEqual(
    later.map(({ proven }: Answered) => proven),
    [true, true],
  );
  assert.deepEqual(
    later.map(({ at: when }: Answered) => when),
    at,
    'the proof does not make it later',
  );
});

test('what shows no state is refused, and seen as nothing', async (t) => {
  const service = await started(t);
  const empty = await snapshot(service);
  const first = await issue(service);
  const one = await snapshot(service);
  await issue(service);
  const state = await snapshot(service);
  const instanceId = randomUUID();
  const ack = ackOf(state, instanceId);
  const wrong: Record<string, Answered> = {
    'the root itself': { ...ack, proof: state.stateRoot },
    'the proof of another instance': { ...ack, proof: proofOf(state.active, randomUUID(), state.nonce) },
    'one directive fewer': { ...ack, proof: proofOf(state.active.slice(1), instanceId, state.nonce) },
    'the proof for another nonce': { ...ack, proof: proofOf(state.active, instanceId, one.nonce) },
    'the nonce of another epoch': { ...ackOf({ ...state, nonce: one.nonce }, instanceId) },
    'a nonce that was never given': { ...ackOf({ ...state, nonce: '0'.repeat(32) }, instanceId) },
    'the state of an earlier epoch under the present root': { ...ackOf({ ...state, active: one.active }, instanceId) },
  };
  for (const body of Object.values(wrong)) refused(409, 'ack_refused', await post(service, body));
  assert.deepEqual(await eventsOf(service, 'instances-local-host'), []);
  for (const more of [{ nonce: undefined }, { proof: undefined }, { nonce: 'x' }, { proof: 'x' }])
    refused(400, 'malformed_request', await post(service, { ...ack, ...more }));
  // The service knows the state of earlier epochs, also of a directive that is lifted since.
  await lift(service, first.id);
  for (const earlier of [empty, one, state, await snapshot(service)])
    expecting(200, await post(service, ackOf(earlier, instanceId)));
});

test('a nonce counts for two leases, over every way of a beat and over a restart', async (t) => {
  const clock = movableClock();
  let service = await startService({ clock });
  const instanceId = randomUUID();
  await issue(service);
  const { active } = await snapshot(service);
  const watch = await watchOver(service.url, service.tokens.host, '?sinceEpoch=1');
  const { data: heartbeat } = await watch.next();
  watch.close();
  assert.equal(heartbeat.active, undefined);
  const host = new GrpcHost(service);
  const listed = await host.call('host', 'Directives/List', {});
  const wrong = await refusal(
    host.call('host', 'Directives/Acknowledge', { ...ackOf(listed), proof: listed.stateRoot }),
  );
  assert.equal(wrong.code, 'ack_refused');
  await host.call('host', 'Directives/Acknowledge', ackOf(listed));
  host.close();
  await service.stop('keep');
  service = await started(t, { clock, dataDir: service.dataDir });
  expecting(200, await post(service, ackOf({ ...heartbeat, active }, instanceId)));
  clock.advance(LEASE_MS);
  expecting(200, await post(service, ackOf({ ...heartbeat, active }, instanceId)));
  clock.advance(LEASE_MS + 2_000);
  refused(409, 'ack_refused', await post(service, ackOf({ ...heartbeat, active }, instanceId)));
  assert.notEqual((await snapshot(service)).nonce, heartbeat.nonce, 'a later beat has another one');
});

test('with SALLYPORT_ACK_PROOF=required an acknowledgement without a proof is refused', async (t) => {
  const service = await started(t, { env: { SALLYPORT_ACK_PROOF: 'required' } });
  const { nonce: _, proof: _proof, ...echo } = ackOf(await snapshot(service));
  refused(409, 'ack_refused', await post(service, echo));
  expecting(200, await post(service, ackOf(await snapshot(service))));
});
