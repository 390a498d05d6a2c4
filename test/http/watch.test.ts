import assert from 'node:assert/strict';
import { createPublicKey, randomUUID, type KeyObject } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Beat, verifiedContent } from '../../libs/feed/beat.js';
import { writeOf } from '../../libs/streams/facts.js';
import { LogUnavailable, type EventLog } from '../../libs/event-log/port.js';
import { addPrincipal, newCapability, versionCommand } from '../support/actors.js';
import { digest } from '../support/given.js';
import { gate } from '../support/gate.js';
import { logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestOptions, type TestService } from '../support/service.js';
import { watchOver, type Told, type Watch } from '../support/watch.js';
import { GrpcHost } from '../grpc/client.js';
import { metric } from '../overload/load.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

async function started(t: TestContext, options: TestOptions = {}): Promise<TestService> {
  const service = await startService(options);
  t.after(() => service.stop());
  return service;
}

async function watching(t: TestContext, service: TestService, query = '', headers = {}): Promise<Watch> {
  const watch = await watchOver(service.url, service.tokens.host, query, headers);
  t.after(() => watch.close());
  return watch;
}

async function issue(service: TestService, category = 'none'): Promise<Answered> {
  const body = { target: { type: 'category', category }, reason: 'test' };
  return expecting(201, await service.call('operator', 'POST', '/v1/directives', body));
}

const lift = async (service: TestService, id: string): Promise<Answered> =>
  expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'over' }));

/** If a place is never given back, the service waits for it for ever. */
const LIMIT = { timeoutMs: 20_000 };

const isChange = ({ event }: Told): boolean => event === 'directive';
const isHeartbeat = ({ event }: Told): boolean => event === 'heartbeat';

async function keysOf(service: TestService): Promise<ReadonlyMap<string, KeyObject>> {
  const { keys } = expecting(200, await service.call('nobody', 'GET', '/.well-known/jwks.json'));
  return new Map(keys.map((jwk: Answered) => [jwk.kid, createPublicKey({ key: jwk, format: 'jwk' })]));
}

test('a watch begins with a snapshot, then tells each change at once and a heartbeat each second, all signed', async (t) => {
  const service = await started(t);
  const first = await issue(service, 'before');
  const watch = await watching(t, service);
  assert.equal(watch.status, 200);
  assert.match(watch.headers['content-type'] ?? '', /^text\/event-stream/);
  const snapshot = await watch.next();
  assert.deepEqual([snapshot.event, snapshot.id], ['snapshot', String(first.epoch)]);
  assert.deepEqual(
    snapshot.data.active.map(({ id }: Answered) => id),
    [first.id],
  );
  const second = await issue(service, 'after');
  const change = await watch.next(isChange);
  const { id, epoch, state, target } = change.data.directive;
  assert.deepEqual([id, epoch, state, target], [second.id, second.epoch, 'active', second.target]);
  assert.deepEqual([change.id, change.data.position], [String(second.epoch), second.position]);
  const lifted = await lift(service, first.id);
  const over = await watch.next(isChange);
  assert.deepEqual(
    [over.data.directive.id, over.data.directive.state, over.data.epoch],
    [first.id, 'lifted', lifted.epoch],
  );
  const beats = [await watch.next(isHeartbeat), await watch.next(isHeartbeat)];
  const apartMs = (beats[1]?.atMs ?? 0) - (beats[0]?.atMs ?? 0);
  assert.ok(apartMs > 300 && apartMs < 3000, `${apartMs} ms between two heartbeats`);
  assert.equal(beats[0]?.data.stateRoot, over.data.stateRoot);
  assert.equal((await service.call('host', 'GET', '/v1/directives')).body.stateRoot, over.data.stateRoot);
  const keys = await keysOf(service);
  const times = watch.told.map(({ data }) => data.issuedAt);
  for (const { data } of watch.told) {
    const { signature: _, signed: _bytes, ...said } = data;
    assert.deepEqual(verifiedContent(data, keys), said);
    Beat.parse(data);
  }
  assert.deepEqual([...new Set(times)].sort(), times, 'issuedAt rises');
});

test('the feed also reports what a suspension stops, with its cause', async (t) => {
  const service = await started(t);
  const id = await newCapability(service);
  const watch = await watching(t, service);
  expecting(200, await versionCommand(service, 'operator', id, 'suspend'));
  const { directive } = (await watch.next(isChange)).data;
  assert.equal(directive.target.capability, id);
  assert.match(directive.cause, /^[0-9a-f-]{36}$/);
});

test('who comes back gets the changes since, as they were sent, and a heartbeat at once', async (t) => {
  const service = await started(t);
  const always = await watching(t, service);
  await issue(service, 'a');
  await issue(service, 'b');
  const { epoch } = await issue(service, 'c');
  const told = [await always.next(isChange), await always.next(isChange), await always.next(isChange)];
  for (const back of [
    await watching(t, service, `?sinceEpoch=${epoch - 2}`),
    await watching(t, service, '', { 'last-event-id': String(epoch - 2) }),
    await watching(t, service, `?sinceEpoch=${epoch - 2}`, { 'last-event-id': '0' }),
  ]) {
    const since = [await back.next(), await back.next()];
    assert.deepEqual(
      since.map(({ data }) => data),
      told.slice(1).map(({ data }) => data),
    );
    const beat = await back.next();
    assert.deepEqual([beat.event, beat.data.epoch], ['heartbeat', epoch]);
  }
  const current = await watching(t, service, `?sinceEpoch=${epoch}`);
  assert.equal((await current.next(undefined, 500)).event, 'heartbeat');
  const anew = await (await watching(t, service, '?sinceEpoch=0')).next();
  assert.deepEqual([anew.event, anew.data.active.length], ['snapshot', epoch]);
});

test('a snapshot comes if the changes since are not all recent, or if the epoch is not ours', async (t) => {
  const service = await started(t, { env: { SALLYPORT_LEASE_MS: '400' } });
  const { epoch } = await issue(service);
  await pause(300);
  for (const since of [epoch - 1, epoch + 1]) {
    const { event, data } = await (await watching(t, service, `?sinceEpoch=${since}`)).next();
    assert.deepEqual([event, data.epoch, data.active.length], ['snapshot', epoch, 1]);
  }
});

/** A log whose head cannot be read while it is broken. */
function breakable() {
  const state = {
    broken: false,
    wrapLog: (log: EventLog): EventLog => ({
      ...gate().wrap(log),
      head: (stream) => (state.broken ? Promise.reject(new LogUnavailable('test')) : log.head(stream)),
    }),
  };
  return state;
}

test('while the log cannot be read there is no heartbeat, and no watch is opened', async (t) => {
  const log = breakable();
  const service = await started(t, { wrapLog: log.wrapLog });
  const watch = await watching(t, service);
  await watch.next(isHeartbeat);
  log.broken = true;
  await pause(100);
  const before = watch.told.length;
  await pause(2200);
  assert.equal(watch.told.length, before);
  refused(503, 'log_unavailable', await service.call('host', 'GET', '/v1/directives/watch'));
  refused(503, 'log_unavailable', await service.call('host', 'GET', '/v1/directives'));
  log.broken = false;
  await watch.next(isHeartbeat);
});

test('a watch ends as soon as its token is rotated or its principal removed, and no other does', async (t) => {
  const service = await started(t);
  const other = await watching(t, service);
  for (const end of ['rotate', 'remove'] as const) {
    const { name, token } = await addPrincipal(service, ['host']);
    const watch = await watchOver(service.url, token);
    t.after(() => watch.close());
    await watch.next();
    if (end === 'rotate') expecting(200, await service.call('admin', 'POST', `/v1/principals/${name}/rotate`, {}));
    else expecting(204, await service.call('admin', 'DELETE', `/v1/principals/${name}`));
    const endedMs = performance.now();
    await watch.ended;
    assert.ok(performance.now() - endedMs < 3000);
    refused(401, 'unauthenticated', await service.call({ token }, 'GET', '/v1/directives/watch'));
  }
  await issue(service);
  await other.next(isChange);
});

test('a client that has gone while its watch waited for a position holds no place', LIMIT, async (t) => {
  const service = await started(t);
  const open = () => metric(service, 'sallyport_watches');
  const ahead = (await logEnd(service)) + 1n;
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${service.tokens.host}` };
  const asked = fetch(`${service.url}/v1/directives/watch?minPosition=${ahead}`, { headers, signal: leaving.signal });
  await pause(100);
  leaving.abort();
  await assert.rejects(asked);
  await pause(100);
  await issue(service);
  // By now the service would have admitted it.
  await pause(300);
  assert.equal(await open(), 0);
  assert.equal((await watching(t, service)).status, 200);
  assert.equal(await open(), 1);
});

test('a shutdown ends all watches at once', async (t) => {
  const service = await startService();
  const watches = await Promise.all([watching(t, service), watching(t, service, '?sinceEpoch=0')]);
  const startedMs = performance.now();
  await Promise.all([service.stop(), ...watches.map(({ ended }) => ended)]);
  assert.ok(performance.now() - startedMs < 3000, 'the shutdown waited for watches');
});

test('watches are bounded, half of them for one host; a closed watch makes room', async (t) => {
  const service = await started(t, { env: { SALLYPORT_WATCHES: '4' } });
  const [first] = [await watching(t, service), await watching(t, service)];
  refused(429, 'overloaded', await service.call('host', 'GET', '/v1/directives/watch'));
  const { token } = await addPrincipal(service, ['host']);
  const another = await watchOver(service.url, token);
  t.after(() => another.close());
  assert.equal(another.status, 200);
  first?.close();
  for (let tries = 0; tries < 100; tries += 1) {
    const again = await watching(t, service);
    if (again.status === 200) return;
    await pause(20);
  }
  assert.fail('the place was not given back');
});

test('a watcher that does not read loses its connection, and others go on', async (t) => {
  const service = await started(t);
  const { hostname, port } = new URL(service.url);
  const socket = connect({ host: hostname, port: Number(port) });
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  const authorization = `authorization: Bearer ${service.tokens.host}`;
  socket.write(`GET /v1/directives/watch HTTP/1.1\r\nhost: x\r\n${authorization}\r\n\r\n`);
  await new Promise((resolve) => socket.once('readable', resolve));
  socket.pause();
  let stopped = '';
  const open = () => metric(service, 'sallyport_watches');
  assert.equal(await open(), 1);
  const other = await watching(t, service);
  const { view } = service.service.control;
  // More than any kernel buffer holds, published as if each had just been committed.
  for (let epoch = 1; epoch < 20_000 && (await open()) > 1; epoch += 200) {
    for (let revision = epoch; revision < epoch + 200; revision += 1) {
      const data = {
        id: randomUUID() as string,
        target: { type: 'all' },
        reason: 'x'.repeat(2000),
        stateRoot: digest('any'),
      };
      const time = new Date().toISOString();
      const fact = { type: revision === 1 ? 'DirectiveIssued' : 'DirectiveLifted', data, actor: 'test', time };
      if (revision > 1) data.id = stopped;
      else stopped = data.id;
      view.applyCommitted([writeOf('directives', revision - 1, [fact])], view.position);
      await other.next(isChange);
    }
  }
  assert.equal(await open(), 1);
});

test('the time limits of requests and answers do not end a watch, over HTTP or gRPC', async (t) => {
  const service = await started(t, { env: { SALLYPORT_CLIENT_MS: '500' } });
  const host = new GrpcHost(service);
  t.after(() => host.close());
  const over = host.watch('host');
  const watch = await watching(t, service);
  await pause(2500);
  await issue(service);
  await watch.next(isChange);
  let beat = await over.next();
  while (beat !== undefined && beat.directive === undefined) beat = await over.next();
  assert.equal(beat?.epoch, 1);
  over.call.cancel();
});

test('a service that is full of calls lets hosts watch and acknowledge', async (t) => {
  const slow = gate();
  const service = await started(t, { wrapLog: slow.wrap, env: { SALLYPORT_CALLS_IN_FLIGHT: '1' } });
  await readyWorld(service);
  const task = await openTask(service);
  const held = slow.holdNext('calls-');
  const asked = service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
  await held.arrived;
  refused(429, 'overloaded', await service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
  const watch = await watching(t, service);
  const { epoch, stateRoot } = (await watch.next()).data;
  const body = { instanceId: randomUUID(), epoch, stateRoot, appliedAt: new Date().toISOString() };
  expecting(200, await service.call('host', 'POST', '/v1/directives/acks', body));
  held.release();
  expecting(200, await asked);
});

test('a query that is none is a 400, and a HEAD opens nothing', async (t) => {
  const service = await started(t);
  for (const query of ['?sinceEpoch=-1', '?sinceEpoch=x', '?sinceEpoch=1e3', '?instanceId=me', '?sinceEpoch=']) {
    refused(400, 'malformed_request', await service.call('host', 'GET', `/v1/directives/watch${query}`));
  }
  const headers = { 'last-event-id': 'x' };
  refused(400, 'malformed_request', await service.call('host', 'GET', '/v1/directives/watch', undefined, headers));
  assert.equal((await service.call('host', 'HEAD', `/v1/directives/watch?instanceId=${randomUUID()}`)).status, 200);
});

test('a change reaches who watches within a few milliseconds of its commit', async (t) => {
  const service = await started(t);
  const watch = await watching(t, service);
  await watch.next();
  const tookMs: number[] = [];
  let committedMs = 0;
  t.after(
    service.service.control.view.listen(({ stream }) =>
      stream === 'directives' ? (committedMs = performance.now()) : 0,
    ),
  );
  for (let round = 0; round < 20; round += 1) {
    await issue(service);
    tookMs.push((await watch.next(isChange)).atMs - committedMs);
  }
  tookMs.sort((a, b) => a - b);
  t.diagnostic(
    `from the commit to the watcher: median ${tookMs[10]?.toFixed(2)} ms, slowest ${tookMs[19]?.toFixed(2)} ms`,
  );
  assert.ok((tookMs[10] ?? Infinity) < 50);
});
