import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { directiveDecider, stateRoot, type DirectiveState } from '../directive/decider.js';
import { digestOf } from '../kernel/digest.js';
import { toInstant } from '../kernel/time.js';
import { verifiedContent } from './beat.js';
import { BeatSigner, type DatedChange } from './beat-signer.js';
import { test } from '../../test/support/testing.js';

/** Beats that are published some time after what they tell of. */

const LEASE_MS = 5_000;
const START_MS = Date.parse('2026-11-23T02:00:00.000Z');
const { privateKey, publicKey } = generateKeyPairSync('ed25519');

function ground(head: number, nowMs: number) {
  const time = { now: () => toInstant(START_MS + nowMs) };
  const known = {
    directives: () => ({ state: directiveDecider.initialState(), revision: 0 }),
    refresh: () => Promise.resolve(),
    position: 9n,
  };
  const key = { kid: 'k', privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x: '' } } as const;
  return new BeatSigner({ head: () => Promise.resolve(head) }, known, key, time, LEASE_MS, 7);
}

test('however often it is asked, what it dates stays with the clock', async () => {
  const known = {
    directives: () => ({ state: directiveDecider.initialState(), revision: 0 }),
    refresh: () => Promise.resolve(),
    position: 9n,
  };
  const key = { kid: 'k', privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x: '' } } as const;
  const time = { now: () => toInstant(Date.now()) };
  const signer = new BeatSigner({ head: () => Promise.resolve(0) }, known, key, time, LEASE_MS, 7);
  for (let asked = 0; asked < 100; asked += 1) {
    const { issuedAt } = await (asked % 2 === 0 ? signer.snapshot() : signer.heartbeat());
    const aheadMs = Date.parse(issuedAt) - Date.now();
    assert.ok(aheadMs <= 2, `${aheadMs} ms ahead`);
  }
});

const change = (epoch: number, atMs: number): DatedChange => ({
  directive: {
    id: `00000000-0000-4000-8000-00000000000${epoch}`,
    epoch,
    target: { type: 'all' },
    reason: 'test',
    issuedBy: 'operator',
    issuedAt: toInstant(START_MS + atMs),
    state: 'active',
  } satisfies DirectiveState,
  epoch,
  stateRoot: digestOf(epoch),
  position: BigInt(epoch),
  time: toInstant(START_MS + atMs),
});

test('a change that is still the head grants the whole lease, however late it is told', async () => {
  const [beat] = await ground(1, 60_000).changes([change(1, 0)]);
  assert.equal(beat?.leaseMs, LEASE_MS);
  assert.ok(verifiedContent(beat, new Map([['k', publicKey]])));
});

test('a change that others have followed grants what is left from that moment on', async () => {
  const beats = await ground(3, 2_000).changes([change(1, 0), change(2, 500), change(3, 1_900)]);
  // Each beat is dated a millisecond after the one before it.
  assert.deepEqual(
    beats.map(({ leaseMs }) => leaseMs),
    [LEASE_MS - 1_500, LEASE_MS - 101, LEASE_MS],
  );
  const dates = beats.map(({ issuedAt }) => issuedAt);
  assert.deepEqual(dates, [...new Set(dates)].sort());
});

test('one that the log says was followed, nobody knows when, counts from its own time; never less than nothing', async () => {
  const [followed] = await ground(2, 2_000).changes([change(1, 500)]);
  assert.equal(followed?.leaseMs, LEASE_MS - 1_500);
  const [old] = await ground(2, 60_000).changes([change(1, 0)]);
  assert.equal(old?.leaseMs, 1);
});

test('a snapshot agrees with its own root, also where a directive is folded in while it is made', async () => {
  const state = directiveDecider.initialState();
  const issue = () => {
    const id = `00000000-0000-4000-8000-0000000000${state.epoch + 10}`;
    const command = { type: 'issue', id, target: { type: 'all' }, reason: 'r', actor: 'otto' } as const;
    const made = directiveDecider.decide({ ...command, time: toInstant(START_MS) }, state);
    assert.ok(made.ok);
    for (const event of made.value) directiveDecider.evolve(state, event);
  };
  for (let microtasks = 0; microtasks < 12; microtasks += 1) {
    const before = state.epoch;
    const known = {
      directives: () => ({ state, revision: state.epoch }),
      refresh: () => Promise.resolve(),
      position: 9n,
    };
    const log = {
      async head() {
        const head = state.epoch;
        // A commit that is told in the same turn as the head that was read.
        void (async () => {
          for (let turn = 0; turn < microtasks; turn += 1) await Promise.resolve();
          if (state.epoch === before) issue();
        })();
        return head;
      },
    };
    const key = { kid: 'k', privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x: '' } } as const;
    const signer = new BeatSigner(log, known, key, { now: () => toInstant(START_MS) }, LEASE_MS, 7);
    const { active = [], stateRoot: signed, epoch } = await signer.snapshot();
    assert.equal(stateRoot(active), signed, `at epoch ${epoch}, after ${microtasks} microtasks`);
  }
});
