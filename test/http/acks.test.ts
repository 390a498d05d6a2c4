import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { LogUnavailable, type EventLog } from '../../libs/event-log/port.js';
import { GrpcHost } from '../grpc/client.js';
import { addPrincipal, newCapability, versionCommand } from '../support/actors.js';
import { movableClock } from '../support/clock.js';
import { eventsOf, logEnd } from '../support/events.js';
import { digest } from '../support/given.js';
import { gate } from '../support/gate.js';
import { refused } from '../support/problems.js';
import { startService, type Answer, type Answered, type TestOptions, type TestService } from '../support/service.js';
import { watchOver } from '../support/watch.js';
import { expecting } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

/** The default lease plus the default skew of clocks, in milliseconds. */
const GRACE_MS = 5500;

async function started(t: TestContext, options: TestOptions = {}): Promise<TestService> {
  const service = await startService(options);
  t.after(() => service.stop());
  return service;
}

type Who = Parameters<TestService['call']>[0];

/** Acknowledges everything that is in force now. */
async function ack(service: TestService, instanceId: string, more = {}, who: Who = 'host'): Promise<Answer> {
  const { epoch, stateRoot } = expecting(200, await service.call('host', 'GET', '/v1/directives'));
  const body = { instanceId, epoch, stateRoot, appliedAt: new Date().toISOString(), ...more };
  return service.call(who, 'POST', '/v1/directives/acks', body);
}

async function issue(service: TestService): Promise<Answered> {
  const body = { target: { type: 'category', category: 'none' }, reason: 'test' };
  return expecting(201, await service.call('operator', 'POST', '/v1/directives', body));
}

const propagation = async (service: TestService, id: string, who: Who = 'operator'): Promise<Answered> =>
  expecting(200, await service.call(who, 'GET', `/v1/directives/${id}/propagation`));

const typesOf = async (service: TestService, host = 'local-host'): Promise<string[]> =>
  (await eventsOf(service, `instances-${host}`)).map(({ type }) => type);

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await holds()) return;
    await pause(20);
  }
  assert.fail(what);
}

test('each instance acknowledges once, and with the last of them the directive is complete', async (t) => {
  const service = await started(t);
  const [first, second] = [randomUUID(), randomUUID()];
  const other = await addPrincipal(service, ['host']);
  expecting(200, await ack(service, first));
  expecting(200, await ack(service, second, {}, other));
  const { id, epoch, issuedAt } = await issue(service);
  const before = await propagation(service, id);
  assert.deepEqual([before.id, before.epoch, before.complete, before.effectiveAt], [id, epoch, false, undefined]);
  assert.deepEqual(before.instances, [
    { host: 'local-host', instanceId: first, state: 'pending' },
    { host: other.name, instanceId: second, state: 'pending' },
  ]);
  const { position } = expecting(200, await ack(service, first));
  assert.match(position, /^\d+$/);
  assert.equal((await propagation(service, id)).complete, false);
  expecting(200, await ack(service, second, {}, other));
  const after = await propagation(service, id, 'auditor');
  assert.equal(after.complete, true);
  for (const { state, at, latencyMs } of after.instances) {
    assert.equal(state, 'acknowledged');
    assert.equal(Date.parse(at) - Date.parse(after.committedAt), latencyMs);
    assert.ok(latencyMs >= 0 && at <= after.effectiveAt);
  }
  assert.ok(after.committedAt >= issuedAt);
  assert.ok(after.instances.some(({ at }: Answered) => at === after.effectiveAt));
  assert.deepEqual(await typesOf(service, other.name), [
    'InstanceSeen',
    'DirectiveAcknowledged',
    'DirectiveAcknowledged',
  ]);
});

test('an acknowledgement without news is no event, and answers with a position all the same', async (t) => {
  const service = await started(t);
  const instanceId = randomUUID();
  const first = expecting(200, await ack(service, instanceId));
  const end = await logEnd(service);
  const again = expecting(200, await ack(service, instanceId.toUpperCase(), { unheardOf: 1 }));
  assert.equal(await logEnd(service), end);
  assert.equal(again.position, first.position);
});

test('an epoch above the head, or another root than ours at that epoch, is refused and seen as nothing', async (t) => {
  const service = await started(t);
  const roots: string[] = [];
  for (let epoch = 0; epoch < 3; epoch += 1) {
    roots.push(expecting(200, await service.call('host', 'GET', '/v1/directives')).stateRoot);
    await issue(service);
  }
  const instanceId = randomUUID();
  refused(409, 'ack_refused', await ack(service, instanceId, { epoch: 4 }));
  refused(409, 'ack_refused', await ack(service, instanceId, { stateRoot: digest('another') }));
  refused(409, 'ack_refused', await ack(service, instanceId, { epoch: 1, stateRoot: roots[2] }));
  assert.deepEqual(await typesOf(service), []);
  for (const [epoch, stateRoot] of roots.entries())
    expecting(200, await ack(service, instanceId, { epoch, stateRoot }));
  const malformed = [{ epoch: -1 }, { epoch: 1.5 }, { stateRoot: 'x' }, { appliedAt: 'now' }, { instanceId: 'me' }];
  for (const more of malformed) refused(400, 'malformed_request', await ack(service, randomUUID(), more));
});

test('an instance that gets beats on request holds a lease, even if it acknowledges nothing new', async (t) => {
  for (const way of ['http', 'grpc'] as const) {
    const clock = movableClock();
    const service = await started(t, { clock });
    const host = new GrpcHost(service);
    t.after(() => host.close());
    const [asks, silent] = [randomUUID(), randomUUID()];
    const list = (instanceId: string) =>
      way === 'grpc'
        ? host.call('host', 'Directives/List', { instanceId })
        : service.call('host', 'GET', `/v1/directives?instanceId=${instanceId}`);
    for (const instanceId of [asks, silent]) expecting(200, await ack(service, instanceId));
    const { id } = await issue(service);
    clock.advance(GRACE_MS - 1000);
    await list(asks);
    clock.advance(1500);
    const stateOf = async (instanceId: string) =>
      (await propagation(service, id)).instances.find((each: Answered) => each.instanceId === instanceId).state;
    await until('nobody was lost', async () => (await stateOf(silent)) === 'lease_expired');
    assert.deepEqual([await stateOf(asks), (await propagation(service, id)).complete], ['pending', false], way);
    refused(400, 'malformed_request', await service.call('host', 'GET', '/v1/directives?instanceId=me'));
    // A caller that is not a host has no instances.
    expecting(200, await service.call('operator', 'GET', `/v1/directives?instanceId=${randomUUID()}`));
    assert.equal((await propagation(service, id)).instances.length, 2);
  }
});

test('an instance that is silent for its lease and the skew is stale, and its directive effective from then on', async (t) => {
  const clock = movableClock();
  const service = await started(t, { clock });
  const [silent, alive] = [randomUUID(), randomUUID()];
  expecting(200, await ack(service, silent));
  expecting(200, await ack(service, alive));
  const { id } = await issue(service);
  expecting(200, await ack(service, alive));
  clock.advance(GRACE_MS - 1500);
  expecting(200, await ack(service, alive));
  await pause(300);
  assert.equal((await propagation(service, id)).complete, false);
  clock.advance(1500);
  await until('nobody was lost', async () => (await propagation(service, id)).complete);
  const { instances, committedAt, effectiveAt } = await propagation(service, id);
  const [lost, kept] = instances;
  assert.deepEqual([lost.instanceId, lost.state, kept.state], [silent, 'lease_expired', 'acknowledged']);
  assert.equal(lost.at, effectiveAt);
  const afterMs = Date.parse(effectiveAt) - Date.parse(committedAt);
  assert.ok(afterMs <= GRACE_MS && afterMs > GRACE_MS - 1000, `${afterMs} ms after the commit`);
  // A stale instance does not hold up the next directive, until it is heard again.
  const next = await issue(service);
  assert.deepEqual(
    (await propagation(service, next.id)).instances.map(({ instanceId }: Answered) => instanceId),
    [alive],
  );
  expecting(200, await ack(service, silent));
  assert.deepEqual(
    (await typesOf(service)).filter((type) => type.startsWith('Host')),
    ['HostStale', 'HostRecovered'],
  );
  assert.equal((await propagation(service, (await issue(service)).id)).instances.length, 2);
});

test('a watch makes an instance known, and its beats keep it from being stale for as long as it is open', async (t) => {
  const service = await started(t, { env: { SALLYPORT_LEASE_MS: '1500', SALLYPORT_SKEW_MS: '100' } });
  const instanceId = randomUUID();
  const watch = await watchOver(service.url, service.tokens.host, `?instanceId=${instanceId}`);
  t.after(() => watch.close());
  await watch.next();
  assert.deepEqual(await typesOf(service), ['InstanceSeen']);
  const { id } = await issue(service);
  await pause(2200);
  assert.equal((await propagation(service, id)).instances[0].state, 'pending');
  watch.close();
  await until('it was not lost', async () => (await propagation(service, id)).complete);
  assert.equal((await propagation(service, id)).instances[0].state, 'lease_expired');
});

test('a watch of an instance that gives no more signs of life is ended, and no other is', async (t) => {
  const service = await started(t, { env: { SALLYPORT_LEASE_MS: '1500', SALLYPORT_SKEW_MS: '100' } });
  const [quiet, loud, terse] = [randomUUID(), randomUUID(), randomUUID()];
  const watches = await Promise.all(
    [quiet, loud, terse].map((instanceId) => watchOver(service.url, service.tokens.host, `?instanceId=${instanceId}`)),
  );
  t.after(() => watches.forEach((watch) => watch.close()));
  // This instance acknowledges what is new to it, and owes nothing else.
  expecting(200, await ack(service, terse));
  await issue(service);
  expecting(200, await ack(service, terse));
  expecting(200, await ack(service, quiet));
  expecting(200, await ack(service, quiet));
  let ended = false;
  void watches[0]?.ended.then(() => (ended = true));
  await until('the watch goes on', async () => {
    expecting(200, await ack(service, loud));
    return ended;
  });
  await watches[1]?.next(({ event }) => event === 'heartbeat');
  const { issuedAt } = expecting(200, await service.call('host', 'GET', '/v1/directives'));
  await watches[2]?.next(({ event, data }) => event === 'heartbeat' && data.issuedAt > issuedAt);
});

test('a suspension is followed like a directive, until it is lifted', async (t) => {
  const service = await started(t);
  const instanceId = randomUUID();
  expecting(200, await ack(service, instanceId));
  const capability = await newCapability(service);
  expecting(200, await versionCommand(service, 'operator', capability, 'suspend'));
  const { active } = expecting(200, await service.call('operator', 'GET', '/v1/directives'));
  const { id, epoch } = active.find(({ target }: Answered) => target.capability === capability);
  expecting(200, await ack(service, instanceId));
  const told = await propagation(service, id);
  assert.deepEqual([told.epoch, told.state, told.complete], [epoch, 'active', true]);
  expecting(200, await versionCommand(service, 'reviewer', capability, 'reinstate'));
  expecting(200, await ack(service, instanceId));
  const over = await propagation(service, id);
  assert.deepEqual([over.epoch, over.state, over.complete], [epoch, 'lifted', false]);
  assert.deepEqual(over.instances, told.instances, 'how far it got stays on record');
  refused(404, 'not_found', await service.call('operator', 'GET', `/v1/directives/${randomUUID()}/propagation`));
});

test('after a restart the instances and what they acknowledged are known from the log', async (t) => {
  const earlier = await startService();
  const [first, second] = [randomUUID(), randomUUID()];
  expecting(200, await ack(earlier, first));
  expecting(200, await ack(earlier, second));
  const { id } = await issue(earlier);
  expecting(200, await ack(earlier, first));
  await earlier.stop('keep');
  const clock = movableClock();
  const service = await started(t, { dataDir: earlier.dataDir, clock });
  assert.deepEqual(service.service.feed.instances.counts(), { live: 2, stale: 0 });
  assert.equal((await propagation(service, (await issue(service)).id)).instances.length, 2);
  const states = async () => (await propagation(service, id)).instances.map(({ state }: Answered) => state);
  assert.deepEqual(await states(), ['acknowledged', 'pending']);
  await pause(600);
  assert.deepEqual(await states(), ['acknowledged', 'pending'], 'the start counts as the last sign');
  expecting(200, await ack(service, second));
  assert.deepEqual(await states(), ['acknowledged', 'acknowledged']);
  clock.advance(GRACE_MS + 1000);
  await until('those of before are not looked after', () => service.service.feed.instances.counts().live === 0);
});

test('the rollout of an old directive is read back from the log', async (t) => {
  const service = await started(t);
  const instanceId = randomUUID();
  expecting(200, await ack(service, instanceId));
  const { id } = await issue(service);
  expecting(200, await ack(service, instanceId));
  const { committedAt: _, instances, effectiveAt, ...kept } = await propagation(service, id);
  for (let count = 0; count < 260; count += 1) await issue(service);
  const { committedAt: __, ...back } = await propagation(service, id);
  assert.deepEqual(
    { ...kept, effectiveAt },
    { id: back.id, epoch: back.epoch, state: 'active', complete: true, effectiveAt },
  );
  assert.equal(back.instances[0].at, instances[0].at);
});

test('what could not be recorded is not acknowledged, and the next attempt is', async (t) => {
  const state = { broken: false };
  const service = await started(t, {
    wrapLog: (log: EventLog): EventLog => ({
      ...gate().wrap(log),
      append: (batch) => (state.broken ? Promise.reject(new LogUnavailable('test')) : log.append(batch)),
    }),
  });
  const instanceId = randomUUID();
  expecting(200, await ack(service, instanceId));
  const { id } = await issue(service);
  state.broken = true;
  refused(503, 'log_unavailable', await ack(service, instanceId));
  assert.equal((await propagation(service, id)).complete, false);
  state.broken = false;
  expecting(200, await ack(service, instanceId));
  assert.equal((await propagation(service, id)).complete, true);
  assert.equal((await typesOf(service)).length, 3);
});

test('a hundred acknowledgements at once are a few appends, each answered', async (t) => {
  const appends: number[] = [];
  const slow = gate();
  const service = await started(t, {
    wrapLog: (log: EventLog): EventLog => {
      const gated = slow.wrap(log);
      return {
        ...gated,
        append: (batch) => {
          if (batch.writes.some(({ stream }) => stream.startsWith('instances-'))) appends.push(1);
          return gated.append(batch);
        },
      };
    },
  });
  const ids = Array.from({ length: 100 }, () => randomUUID());
  // The others arrive while the first one is being recorded.
  const held = slow.holdNext('instances-local-host');
  const answers = ids.map((id) => ack(service, id));
  await held.arrived;
  await pause(500);
  held.release();
  for (const answer of await Promise.all(answers)) expecting(200, answer);
  assert.ok(appends.length < 60, `${appends.length} appends`);
  assert.equal((await propagation(service, (await issue(service)).id)).instances.length, 100);
});

test('the token of a removed host acknowledges nothing, not even on the way', async (t) => {
  const slow = gate();
  const service = await started(t, { wrapLog: slow.wrap });
  const host = await addPrincipal(service, ['host']);
  const held = slow.holdNext(`instances-${host.name}`);
  const sent = ack(service, randomUUID(), {}, host);
  await held.arrived;
  expecting(204, await service.call('admin', 'DELETE', `/v1/principals/${host.name}`));
  held.release();
  refused(401, 'unauthenticated', await sent);
  assert.deepEqual(await typesOf(service, host.name), []);
});

test('a host that goes while nothing can be recorded is stale as soon as something can', async (t) => {
  const clock = movableClock();
  const state = { broken: false, tries: 0 };
  const service = await started(t, {
    clock,
    wrapLog: (log: EventLog): EventLog => ({
      ...gate().wrap(log),
      append: (batch) => {
        const isLosing = batch.writes.some(({ events }) => events.some(({ type }) => type === 'HostStale'));
        if (isLosing) state.tries += 1;
        return state.broken ? Promise.reject(new LogUnavailable('test')) : log.append(batch);
      },
    }),
  });
  expecting(200, await ack(service, randomUUID()));
  const { id } = await issue(service);
  state.broken = true;
  clock.advance(GRACE_MS + 1000);
  await until('nobody was lost', () => state.tries > 0);
  await pause(50);
  state.broken = false;
  await until('it stays pending for ever', async () => (await propagation(service, id)).complete);
  assert.deepEqual((await typesOf(service)).slice(-1), ['HostStale']);
});

test('who was stale for want of beats has its lease back with the next one', async (t) => {
  const clock = movableClock();
  const state = { broken: false };
  const service = await started(t, {
    clock,
    wrapLog: (log: EventLog): EventLog => ({
      ...gate().wrap(log),
      head: (stream) => (state.broken ? Promise.reject(new LogUnavailable('test')) : log.head(stream)),
    }),
  });
  const instanceId = randomUUID();
  const watch = await watchOver(service.url, service.tokens.host, `?instanceId=${instanceId}`);
  t.after(() => watch.close());
  await watch.next();
  state.broken = true;
  clock.advance(GRACE_MS + 1000);
  await until('it was not lost', () => service.service.feed.instances.counts().stale === 1);
  state.broken = false;
  const beats = watch.told.length;
  await until('there is no beat', () => watch.told.length > beats);
  await until(
    'beats go on to somebody who is not looked after',
    () => service.service.feed.instances.counts().live === 1,
  );
  assert.deepEqual(await typesOf(service), ['InstanceSeen', 'HostStale', 'HostRecovered']);
  const { instances } = await propagation(service, (await issue(service)).id);
  assert.deepEqual(instances, [{ host: 'local-host', instanceId, state: 'pending' }]);
});
