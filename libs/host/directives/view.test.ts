import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { feedModel } from '../../../test/support/feed-model.js';
import { uuid } from '../../../test/support/given.js';
import { signBeat, type Beat, type FeedKey } from '../../feed/beat.js';
import { proverOf } from '../../feed/state-proof.js';
import { canonicalJson } from '../../kernel/canonical-json.js';
import { digestOf } from '../../kernel/digest.js';
import { HostView, type Asked } from './view.js';
import { test } from '../../../test/support/testing.js';

const [LEASE_MS, SKEW_MS, HOUR_MS] = [5000, 500, 3_600_000];
const stranger = generateKeyPairSync('ed25519').privateKey;

type Move =
  | { readonly do: 'wait' | 'sleep' | 'jumpHost' | 'jumpService' | 'issue' | 'lift'; readonly by: number }
  | { readonly do: 'beat' | 'ask' | 'take' | 'answer' | 'oldAnswer' | 'load' | 'restart' | 'roundTrip' | 'freshBeat' }
  | { readonly do: 'deliver'; readonly which: number; readonly forged: Forgery | undefined };
type Forgery =
  | 'issuedAt'
  | 'epoch'
  | 'root'
  | 'directive'
  | 'signature'
  | 'stranger'
  | 'unread'
  | 'older'
  | 'bytes'
  | 'algorithm'
  | 'shape';

/** A service, a host and all that lies between them, with one true time and three clocks. */
function world() {
  let trueMs = 1_800_000_000_000;
  const start = trueMs;
  const service = { jumpedMs: 0, lastMs: 0, restarted: false };
  const host = { jumpedMs: 0, sleptMs: 0 };
  /** Never goes back while the service runs. */
  const serviceMs = () => (service.lastMs = Math.max(service.lastMs, trueMs + service.jumpedMs));
  const model = feedModel(serviceMs, LEASE_MS, () => {
    const { restarted } = service;
    service.restarted = false;
    return restarted;
  });
  const view = new HostView(
    model.keys,
    { wallMs: () => trueMs + host.jumpedMs, monotonicMs: () => trueMs - start - host.sleptMs },
    SKEW_MS,
  );
  /** Everything ever sent, with the true time of its making: each may come late, twice, or never. */
  const sent: { readonly beat: Beat; readonly atMs: number }[] = [];
  const truth = new Map<number, string[]>();
  const lastOf = new Map<string, Beat>();
  let freshestMs = Number.NEGATIVE_INFINITY;
  let asked: Asked | undefined;
  let taken: { readonly beat: Beat; readonly atMs: number } | undefined;
  let kept: Beat | undefined;
  let highestEpoch = 0;

  const note = () =>
    truth.set(
      model.epoch,
      model.active.map(({ id }) => id),
    );
  const send = (beat: Beat) => {
    note();
    const made = { beat, atMs: trueMs };
    sent.push(made);
    lastOf.set(beat.directive?.id ?? 'heartbeat', beat);
    return made;
  };
  const came = ({ atMs }: { readonly atMs: number }) => (freshestMs = Math.max(freshestMs, atMs));
  note();

  const moves = {
    wait: (ms: number) => void (trueMs += ms),
    /** The monotonic clock stands still, as on a machine that is suspended. */
    sleep(ms: number) {
      trueMs += ms;
      host.sleptMs += ms;
    },
    jumpHost: (ms: number) => void (host.jumpedMs += ms),
    jumpService: (ms: number) => void (service.jumpedMs += ms),
    /** Only a restart lets the service's time go back; it is at least that of its last event, and heartbeats are none. */
    restart: () => void Object.assign(service, { lastMs: 0, restarted: true }),
    issue: (number: number) => void send(model.issue(randomUUID(), { type: 'category', category: `c${number % 3}` })),
    lift(number: number) {
      const directive = model.active[number % Math.max(1, model.active.length)];
      if (directive !== undefined) send(model.lift(directive.id));
    },
    beat: () => void send(model.heartbeat()),
    deliver(which: number, forged: Forgery | undefined) {
      const found = sent[which % Math.max(1, sent.length)];
      if (found === undefined) return;
      if (forged !== undefined) {
        view.heard(forge(found.beat, forged));
        assert.notEqual(view.stale(), undefined, `a forged ${forged} is denied at once`);
        return;
      }
      view.heard(found.beat);
      came(found);
    },
    load() {
      if (lastOf.size === 0) return;
      view.loaded([...lastOf.values()]);
      const newest = new Set([...lastOf.values()].map(({ issuedAt }) => issuedAt));
      for (const each of sent) if (newest.has(each.beat.issuedAt)) came(each);
    },
    ask: () => void (asked ??= view.asking()),
    take() {
      if (asked !== undefined) taken ??= { beat: model.snapshot(), atMs: trueMs };
    },
    answer() {
      if (asked === undefined || taken === undefined) return;
      view.answered(taken.beat, asked);
      came(taken);
      [asked, taken, kept] = [undefined, undefined, kept ?? taken.beat];
    },
    /** Something between the two gives the first answer again. */
    oldAnswer() {
      if (kept !== undefined) view.answered(kept, view.asking());
    },
    roundTrip() {
      [asked, taken] = [undefined, undefined];
      moves.ask();
      moves.wait(5);
      moves.take();
      moves.wait(5);
      moves.answer();
    },
    freshBeat() {
      moves.beat();
      moves.deliver(sent.length - 1, undefined);
    },
  };

  const check = () => {
    const { epoch } = view.state();
    if (epoch !== undefined) {
      assert.ok(epoch >= highestEpoch, 'an epoch is never gone back on');
      highestEpoch = epoch;
      assert.deepEqual([...view.directives().keys()].sort(), truth.get(epoch), 'the state is that of its epoch');
    }
    if (view.stale() !== undefined) return;
    assert.ok(
      trueMs < freshestMs + LEASE_MS + SKEW_MS,
      `a lease ${trueMs - freshestMs} ms after the last beat was issued`,
    );
  };

  /** Beats flow again, and the host asks when it wants to: from its first answer on the lease holds. */
  const heals = () => {
    // Where the service's clock was set back, the second answer shows that the first was no old one.
    moves.roundTrip();
    moves.roundTrip();
    for (let second = 0; second < 12; second += 1) {
      assert.equal(view.stale(), undefined, `it heals, and holds ${second} s later`);
      moves.wait(1000);
      moves.freshBeat();
      if (view.wantsRoundTrip()) moves.roundTrip();
      check();
    }
    assert.equal(view.state().epoch, model.epoch);
  };
  return { moves, check, heals, view, model };
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

/** The beat as a service of before `signed` would have sent it. */
function asOlder({ signature: _, signed: _jws, ...content }: Beat, { privateKey }: FeedKey): Omit<Beat, 'signed'> {
  const signature = sign(null, Buffer.from(canonicalJson(content)), privateKey).toString('base64url');
  return { ...content, signature };
}

function forge(beat: Beat, how: Forgery): Readonly<Record<string, unknown>> {
  const { signature, signed = '', ...content } = beat;
  const [header, payload, proof = ''] = signed.split('.');
  const saying = (more: object) => {
    const said = { ...content, ...more };
    return { ...said, signature, signed: `${header}.${base64url(canonicalJson(said))}.${proof}` };
  };
  switch (how) {
    case 'issuedAt':
      return saying({ issuedAt: new Date(Date.parse(beat.issuedAt) + 1000).toISOString() });
    case 'epoch':
      return saying({ epoch: beat.epoch + 1 });
    case 'root':
      return saying({ stateRoot: digestOf('else') });
    case 'directive':
      return saying(
        beat.directive === undefined
          ? { active: [] }
          : { directive: { ...beat.directive, state: 'lifted', reason: 'forged' } },
      );
    case 'signature':
      return { ...beat, signed: `${header}.${payload}.${proof.startsWith('A') ? 'B' : 'A'}${proof.slice(1)}` };
    case 'algorithm':
      return { ...beat, signed: `${base64url(JSON.stringify({ alg: 'none', kid: beat.kid }))}.${payload}.` };
    case 'stranger':
      return signBeat(content, { kid: beat.kid, privateKey: stranger, jwk: { kty: 'OKP', crv: 'Ed25519', x: '' } });
    case 'unread':
      return saying({ hidden: true });
    case 'older':
      return { ...content, signature, hidden: true };
    case 'bytes':
      return { ...beat, signed: 7 };
    case 'shape':
      return { signature, kid: beat.kid, nested: { number: Number.POSITIVE_INFINITY } };
    default:
      return how satisfies never;
  }
}

const forgeries: readonly Forgery[] = [
  'issuedAt',
  'epoch',
  'root',
  'directive',
  'signature',
  'stranger',
  'unread',
  'older',
  'bytes',
  'algorithm',
  'shape',
];

const moves: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), by: fc.constantFrom(1, 200, 1000, 2500, 4999) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wait' as const), by: fc.constantFrom(6000, HOUR_MS, HOUR_MS - 2000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sleep' as const), by: fc.constantFrom(2000, 4_620_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('jumpHost' as const, 'jumpService' as const),
      by: fc.constantFrom(HOUR_MS, -HOUR_MS),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('issue' as const, 'lift' as const), by: fc.nat(5) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'beat',
        'ask',
        'take',
        'answer',
        'oldAnswer',
        'roundTrip',
        'freshBeat',
      ) as fc.Arbitrary<'beat'>,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('load', 'restart') as fc.Arbitrary<'load'> }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      which: fc.nat(40),
      forged: fc.option(fc.constantFrom(...forgeries), { nil: undefined, freq: 8 }),
    }),
  },
);

const RUNS = Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? 300);

test('whatever is forged, replayed, reordered or delayed, and whichever clock jumps, the promises hold and it heals', () => {
  let held = 0;
  fc.assert(
    fc.property(fc.array(moves, { minLength: 5, maxLength: 60 }), (wanted) => {
      const { moves, check, heals, view } = world();
      for (const move of wanted) {
        if (move.do === 'deliver') moves.deliver(move.which, move.forged);
        else if ('by' in move) moves[move.do](move.by);
        else moves[move.do]();
        check();
        if (view.stale() === undefined) held += 1;
      }
      heals();
    }),
    { numRuns: RUNS },
  );
  assert.ok(held > RUNS, `leases were held on the way, ${held} times`);
});

test('a fault denies at once, and ends with a snapshot that was asked for after it', () => {
  const { moves, view, heals } = world();
  heals();
  moves.beat();
  moves.ask();
  moves.take();
  moves.deliver(0, 'root');
  assert.equal(view.stale(), 'bad_signature');
  moves.answer();
  assert.equal(view.stale(), 'bad_signature', 'that answer may be older than what was wrong');
  moves.ask();
  moves.take();
  moves.answer();
  assert.equal(view.stale(), undefined);
});

test('a beat of an epoch that the answer does not know yet keeps the host from relying on it', () => {
  const { view, model, heals } = world();
  heals();
  model.issue(uuid(1), { type: 'all' });
  const behind = model.snapshot();
  model.issue(uuid(2), { type: 'category', category: 'a' });
  view.heard(model.heartbeat());
  assert.equal(view.stale(), 'epoch_gap');
  view.answered(behind, view.asking());
  assert.equal(view.stale(), 'epoch_gap');
  view.answered(model.snapshot(), view.asking());
  assert.equal(view.stale(), undefined);
});

test('an old answer that is given again begins no lease, however often', () => {
  const { view, model, moves, heals } = world();
  const old = model.snapshot();
  view.answered(old, view.asking());
  assert.equal(view.stale(), undefined);
  moves.wait(60_000);
  for (let times = 0; times < 3; times += 1) {
    view.answered(old, view.asking());
    assert.equal(view.stale(), 'lease_expired');
    assert.equal(view.serviceMs(), Number.POSITIVE_INFINITY, 'nor does it tell the time');
    moves.wait(100);
  }
  heals();
});

test('an answer that did not count, because of a fault, begins no lease when it is given again', () => {
  const { view, model, moves, heals } = world();
  const asked = view.asking();
  const old = model.snapshot();
  moves.wait(6000);
  view.heard({ ...model.heartbeat(), signed: 7 });
  view.answered(old, asked);
  assert.equal(view.stale(), 'bad_signature', 'the question is older than the fault');
  view.answered(old, view.asking());
  assert.notEqual(view.stale(), undefined);
  heals();
});

test('a beat may have a member that this host does not know, and its other members count for nothing', () => {
  const { view, model, heals } = world();
  heals();
  const { kid, signature: _, signed: _bytes, ...content } = model.issue(uuid(1), { type: 'category', category: 'a' });
  const grown = signBeat({ ...content, region: { of: 'later' } } as typeof content, model.key);
  view.heard({ ...grown, ...model.lift(uuid(1)), signature: grown.signature, signed: grown.signed, position: 'x' });
  assert.equal(view.stale(), undefined);
  assert.equal(view.state().epoch, content.epoch);
  assert.deepEqual([...view.directives().keys()], [uuid(1)]);
  view.heard({ kid, signature: grown.signature, signed: grown.signed });
  assert.equal(view.stale(), undefined, 'the signed bytes are enough');
});

test('a beat without signed bytes counts if its signature covers every member', () => {
  const { view, model, heals } = world();
  heals();
  view.heard(asOlder(model.issue(uuid(1), { type: 'all' }), model.key));
  assert.deepEqual([view.stale(), view.state().epoch], [undefined, 1]);
  view.heard({ ...asOlder(model.lift(uuid(1)), model.key), hidden: true });
  assert.deepEqual([view.stale(), view.state().epoch], ['bad_signature', 1]);
});

test('a host proves its state with the newest nonce of its epoch, whichever feed it came by', () => {
  const { view, model, heals } = world();
  heals();
  const instanceId = randomUUID();
  const proofWith = ({ nonce = '' }: Beat) => ({
    nonce,
    proof: proverOf(model.active.map(({ id, target }) => ({ id, target, epoch: 1 })))(instanceId, nonce),
  });
  const issued = model.issue(uuid(1), { type: 'all' });
  const [heartbeat, newest] = [model.heartbeat(), model.heartbeat()];
  view.heard(heartbeat);
  const snapshot = model.snapshot();
  view.answered(snapshot, view.asking());
  view.loaded([issued, newest]);
  assert.deepEqual(view.proof(instanceId.toUpperCase()), proofWith(snapshot), 'it was issued later');
  const last = model.heartbeat();
  view.loaded([issued, last]);
  assert.deepEqual(view.proof(instanceId), proofWith(last));
  view.heard(heartbeat);
  assert.deepEqual(view.proof(instanceId), proofWith(last), 'an old beat does not bring back its nonce');
});
