import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { digest, uuid } from '../../test/support/given.js';
import { directiveDecider, type DirectiveEvent } from '../directive/decider.js';
import { BeatSigner } from './beat-signer.js';
import { Broadcast, type Sent, type WatchEnd, type Watcher } from './broadcast.js';
import { test } from '../../test/support/testing.js';

/** A log of which the head is read, in the pace of the test. */
function world({ leaseMs = 5000 } = {}) {
  const state = directiveDecider.initialState();
  const clock = { ms: 1_000_000, monotonicMs: () => clock.ms };
  const log = { reads: 0, held: Promise.resolve(), broken: false };
  const known = {
    directives: () => ({ state, revision: state.epoch }),
    refresh: async () => undefined,
    position: 7n,
  };
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = { kid: 'k', privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x: '' } } as const;
  const head = async (): Promise<number> => {
    log.reads += 1;
    await log.held;
    if (log.broken) throw new Error('unreadable');
    return state.epoch;
  };
  // Time goes on while beats are made: a second one in the same millisecond would wait for the next.
  const time = { now: () => new Date(clock.ms++).toISOString() };
  const signer = new BeatSigner({ head }, known, key, time, leaseMs, 7);
  const broadcast = new Broadcast(signer, known, leaseMs, clock);
  const change = (reason = 'r'): void => {
    const event: DirectiveEvent = {
      type: 'DirectiveIssued',
      data: { id: uuid(state.epoch + 1), target: { type: 'all' }, reason, stateRoot: digest(String(state.epoch)) },
      actor: 'otto',
      time: time.now(),
    };
    directiveDecider.evolve(state, event);
    const directive = state.all.get(event.data.id);
    assert.ok(directive !== undefined);
    broadcast.changed({ directive, epoch: state.epoch, stateRoot: event.data.stateRoot, position: 7n });
  };
  return { broadcast, change, clock, log };
}

/** One that watches: reads at once unless it is told not to. */
function watcher(reads = true) {
  const sent: Sent[] = [];
  const ends: WatchEnd[] = [];
  const held: (() => void)[] = [];
  const self: Watcher = {
    send(each, taken) {
      sent.push(each);
      if (reads) taken();
      else held.push(taken);
    },
    end: (why) => ends.push(why),
  };
  const told = () => sent.map(({ kind, beat }) => `${kind} ${beat.epoch}`);
  return { self, sent, ends, told, readOne: () => held.shift()?.() };
}

test('a change that comes while the first beats are made is neither lost nor told twice', async () => {
  const { broadcast, change, log } = world();
  change();
  const release = Promise.withResolvers<void>();
  log.held = release.promise;
  const [fresh, back] = [watcher(), watcher()];
  const joined = [broadcast.join(fresh.self, undefined), broadcast.join(back.self, 1)];
  await turn();
  change();
  release.resolve();
  await Promise.all(joined);
  change();
  assert.deepEqual(fresh.told(), ['snapshot 2', 'directive 3']);
  assert.deepEqual(back.told(), ['directive 2', 'heartbeat 2', 'directive 3']);
});

test('what is sent again to who comes back has the time of then, and is not sent once that is half a lease ago', async () => {
  const { broadcast, change, clock } = world();
  const always = watcher();
  await broadcast.join(always.self, undefined);
  change();
  clock.ms += 2000;
  change();
  const back = watcher();
  await broadcast.join(back.self, 0);
  assert.deepEqual(back.told(), ['directive 1', 'directive 2', 'heartbeat 2']);
  assert.deepEqual(
    back.sent.slice(0, 2).map(({ text }) => text),
    always.sent.slice(1).map(({ text }) => text),
  );
  clock.ms += 1000;
  const late = watcher();
  await broadcast.join(late.self, 0);
  assert.deepEqual(late.told(), ['snapshot 2']);
});

test('however many changes there were, so many are kept and no more', async () => {
  const { broadcast, change } = world();
  for (let count = 0; count < 300; count += 1) change();
  const [near, far] = [watcher(), watcher()];
  await broadcast.join(near.self, 44);
  await broadcast.join(far.self, 43);
  assert.deepEqual([near.sent.length, near.told()[0], near.told().at(-1)], [257, 'directive 45', 'heartbeat 300']);
  assert.deepEqual(far.told(), ['snapshot 300']);
});

test('who does not read is ended once too much waits for it, and others are not', async () => {
  const { broadcast, change } = world();
  const [good, bad] = [watcher(), watcher(false)];
  await Promise.all([broadcast.join(good.self, undefined), broadcast.join(bad.self, undefined)]);
  for (let count = 0; count < 800 && bad.ends.length === 0; count += 1) change('x'.repeat(1900));
  assert.deepEqual(bad.ends, ['slow']);
  const waiting = bad.sent.reduce((sum, { text }) => sum + text.length, 0);
  assert.ok(waiting < 2_300_000, `${waiting} waited`);
  change();
  assert.deepEqual([good.ends, good.told().at(-1)], [[], `directive ${good.sent.length - 1}`]);
});

test('who takes nothing for ten seconds is ended, however little waits; who takes something is not', async () => {
  const { broadcast, clock } = world();
  const [stuck, slow] = [watcher(false), watcher(false)];
  await Promise.all([broadcast.join(stuck.self, undefined), broadcast.join(slow.self, undefined)]);
  for (let second = 0; second < 12; second += 1) {
    clock.ms += 1000;
    if (second % 5 === 4) slow.readOne();
    broadcast.start();
    await turn();
    broadcast.pause();
  }
  assert.deepEqual([stuck.ends, slow.ends], [['slow'], []]);
});

test('a heartbeat that a change has overtaken is not sent: hosts count no beat that is older than the last', async () => {
  const { broadcast, change, log } = world();
  const one = watcher();
  await broadcast.join(one.self, undefined);
  const release = Promise.withResolvers<void>();
  log.held = release.promise;
  broadcast.start();
  await turn();
  change();
  release.resolve();
  await turn();
  assert.deepEqual(one.told(), ['snapshot 0', 'directive 1']);
  broadcast.start();
  await turn();
  assert.deepEqual(one.told().at(-1), 'heartbeat 1');
  broadcast.stop();
});

test('one read of the log and one signature make the heartbeat of all, and none is made that was not read', async () => {
  const { broadcast, log } = world();
  const many = Array.from({ length: 50 }, () => watcher());
  await Promise.all(many.map(({ self }) => broadcast.join(self, undefined)));
  assert.equal(log.reads, 1, 'who comes at once shares a snapshot');
  broadcast.start();
  await turn();
  assert.equal(log.reads, 2);
  const texts = many.map(({ sent }) => sent.at(-1)?.text);
  assert.equal(new Set(texts).size, 1);
  log.broken = true;
  broadcast.start();
  await turn();
  assert.deepEqual(many[0]?.told(), ['snapshot 0', 'heartbeat 0']);
  await assert.rejects(broadcast.join(watcher().self, undefined), /unreadable/);
  broadcast.stop();
  assert.deepEqual(many[0]?.ends, ['leaving']);
});
