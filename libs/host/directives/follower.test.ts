import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { feedModel } from '../../../test/support/feed-model.js';
import { uuid } from '../../../test/support/given.js';
import type { Beat } from '../../feed/beat.js';
import { proverOf } from '../../feed/state-proof.js';
import type { DirectiveFeed, FeedListener } from '../../feed/port.js';
import type { Acknowledgement } from '../service/client.js';
import { DirectiveFollower } from './follower.js';
import { feedKeys } from './keys.js';
import { test, type TestContext } from '../../../test/support/testing.js';

/** A feed that says what the test says. */
function spokenFeed(name: DirectiveFeed['name']) {
  const listeners = new Set<FeedListener>();
  const feed: DirectiveFeed = {
    name,
    follow(_sinceEpoch, listener) {
      listeners.add(listener);
      return { close: () => Promise.resolve(void listeners.delete(listener)) };
    },
  };
  const say = (beat: Beat | Readonly<Record<string, unknown>>) => {
    for (const listener of listeners) listener.onBeat({ ...beat });
  };
  return { feed, say, listeners };
}

function followed(t: TestContext, leaseMs = 400) {
  const model = feedModel(Date.now, leaseMs);
  const service = { isUp: true, refuses: false, asked: 0, acks: [] as Acknowledgement[] };
  const [watch, kafka] = [spokenFeed('watch'), spokenFeed('kafka')];
  const follower = new DirectiveFollower({
    keys: model.keys,
    feeds: [watch.feed, kafka.feed],
    instanceId: randomUUID(),
    client: {
      async directives() {
        service.asked += 1;
        await delay(2);
        if (!service.isUp) throw new Error('down');
        return model.snapshot();
      },
      async acknowledge(ack) {
        await delay(2);
        if (!service.isUp) throw new Error('down');
        service.acks.push(ack);
        return !service.refuses;
      },
    },
  });
  t.after(() => follower.close());
  return { model, service, watch, kafka, follower };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    assert.ok(tries < 2000, 'it never came');
    await delay(5);
  }
}

test('a host is ready after one round trip, and either feed renews its lease', async (t) => {
  const { model, follower, watch, kafka, service } = followed(t, 2000);
  assert.equal(follower.stale(), 'starting');
  await follower.ready(5000);
  service.isUp = false;
  for (let beat = 0; beat < 90; beat += 1) {
    (beat < 45 ? watch : kafka).say(model.heartbeat());
    await delay(50);
    assert.equal(follower.stale(), undefined);
  }
  const { feeds, leaseUntil, lastBeat } = follower.state();
  assert.deepEqual(
    feeds.map(({ name, heardAt, interrupted }) => [name, typeof heardAt, interrupted]),
    [
      ['watch', 'string', undefined],
      ['kafka', 'string', undefined],
    ],
  );
  assert.ok(leaseUntil !== undefined && lastBeat !== undefined && leaseUntil > lastBeat);
});

test('a host that hears nothing denies within its lease, and heals with the first answer', async (t) => {
  const { follower, service } = followed(t);
  await follower.ready(5000);
  const told: unknown[] = [];
  follower.onChange(({ stale }) => void told.push(stale));
  service.isUp = false;
  await until(() => follower.stale() === 'lease_expired' && follower.isLeaseOver());
  await until(() => told.includes('lease_expired'));
  assert.equal(follower.state().leaseUntil, undefined);
  service.isUp = true;
  await until(() => follower.stale() === undefined);
  await until(() => told.at(-1) === false);
});

test('without any feed the lease is held by round trips, and not by many', async (t) => {
  const { follower, service } = followed(t, 2400);
  await follower.ready(5000);
  const before = service.asked;
  for (let times = 0; times < 30; times += 1) {
    await delay(100);
    assert.equal(follower.stale(), undefined);
  }
  assert.ok(service.asked - before <= 8, `${service.asked - before} questions in 3 s`);
});

test('each epoch is acknowledged, and an instance that has nothing new says that it lives', async (t) => {
  const { follower, service, watch, model } = followed(t);
  await follower.ready(5000);
  watch.say(model.issue(uuid(1), { type: 'all' }));
  await until(() => follower.state().acknowledgedEpoch === 1);
  const {
    epoch,
    stateRoot,
    instanceId,
    appliedAt,
    nonce = '',
    proof,
  } = service.acks.at(-1) ?? assert.fail('no acknowledgement');
  assert.deepEqual([epoch, stateRoot], [1, model.heartbeat().stateRoot]);
  assert.equal(instanceId, follower.state().instanceId);
  assert.equal(proof, proverOf(model.active.map((each) => ({ epoch, ...each })))(instanceId, nonce));
  assert.match(appliedAt, /Z$/);
  const count = service.acks.length;
  await until(() => service.acks.length >= count + 2);
  assert.ok(service.acks.slice(count).every((ack) => ack.epoch === 1 && ack.appliedAt === appliedAt));
});

test('a state that the service does not know denies until a snapshot agrees', async (t) => {
  const { follower, service, watch, model } = followed(t);
  await follower.ready(5000);
  await until(() => follower.state().acknowledgedEpoch === 0);
  const told: unknown[] = [];
  follower.onChange(({ stale }) => void told.push(stale));
  service.refuses = true;
  watch.say(model.issue(uuid(1), { type: 'all' }));
  await until(() => told.includes('ack_refused'));
  service.refuses = false;
  await until(() => follower.stale() === undefined && follower.state().acknowledgedEpoch === 1);
});

test('a gap denies at once, asks at once, and is over with the answer', async (t) => {
  const { follower, service, watch, model } = followed(t, 5000);
  await follower.ready(5000);
  await delay(60);
  model.issue(uuid(1), { type: 'category', category: 'a' });
  const { asked } = service;
  watch.say(model.issue(uuid(2), { type: 'category', category: 'b' }));
  assert.equal(follower.stale(), 'epoch_gap');
  await until(() => follower.stale() === undefined);
  assert.equal(follower.state().epoch, 2);
  assert.equal(service.asked, asked + 1);
  assert.ok(follower.isVoid({ epoch: 0, targets: ['category:b'] }));
});

test('forged beats without end are no flood of questions', async (t) => {
  const { follower, service, watch, model } = followed(t, 5000);
  await follower.ready(5000);
  const { asked } = service;
  for (let times = 0; times < 200; times += 1) {
    watch.say({ ...model.heartbeat(), signed: 'e30.e30.e30' });
    assert.equal(follower.stale(), 'bad_signature');
    await delay(5);
  }
  assert.ok(service.asked - asked < 15, `${service.asked - asked} questions`);
  await until(() => follower.stale() === undefined);
});

test('a listener that throws stops neither the others nor the follower', async (t) => {
  const { follower, watch, model } = followed(t);
  await follower.ready(5000);
  const thrown: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void thrown.push(error));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  const told: unknown[] = [];
  follower.onChange(() => {
    throw new Error('mine');
  });
  const stop = follower.onChange(({ epoch }) => void told.push(epoch));
  watch.say(model.issue(uuid(1), { type: 'all' }));
  await until(() => follower.state().acknowledgedEpoch === 1);
  assert.deepEqual(told, [1]);
  stop();
  watch.say(model.lift(uuid(1)));
  assert.deepEqual(told, [1]);
  await until(() => thrown.length === 2);
});

test('a closed host denies, says so, and asks and hears nothing more', async (t) => {
  const { follower, service, watch } = followed(t);
  await follower.ready(5000);
  const told: unknown[] = [];
  follower.onChange(({ stale }) => void told.push(stale));
  await follower.close();
  assert.deepEqual(told, ['closed']);
  assert.equal(follower.stale(), 'closed');
  assert.equal(follower.state().leaseUntil, undefined);
  assert.equal(watch.listeners.size, 0);
  const { asked } = service;
  await delay(500);
  assert.equal(service.asked, asked);
  await assert.rejects(follower.ready(1000), /closed/);
  await follower.close();
});

test('a key set is taken for its Ed25519 keys, and refused without one', () => {
  const { key } = feedModel();
  const other = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'k0' };
  assert.deepEqual([...feedKeys({ keys: [other, { ...key.jwk, kid: key.kid, use: 'sig' }] }).keys()], [key.kid]);
  for (const jwks of [{ keys: [other] }, { keys: [] }, {}, 'x', { keys: [{ ...key.jwk, kid: 'k', x: 'AA' }] }]) {
    assert.throws(() => feedKeys(jwks));
  }
});
