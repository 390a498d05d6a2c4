import assert from 'node:assert/strict';
import { Lease } from './lease.js';
import { test } from '../../../test/support/testing.js';

const [LEASE_MS, SKEW_MS] = [5000, 500];
/** What the service's clock is ahead of this host's monotonic one. */
const AHEAD_MS = 1_000_000;

function held() {
  const time = { monotonicMs: 0, wallMs: 77_000 };
  const pass = (ms: number) => {
    time.monotonicMs += ms;
    time.wallMs += ms;
  };
  const lease = new Lease({ monotonicMs: () => time.monotonicMs, wallMs: () => time.wallMs }, SKEW_MS);
  /** A beat that the service issues now, or so many milliseconds ago. */
  const beat = (agoMs = 0) => ({ issuedAtMs: time.monotonicMs + AHEAD_MS - agoMs, leaseMs: LEASE_MS });
  const roundTrip = (toMs = 0, fromMs = 0) => {
    const sent = lease.now();
    pass(toMs);
    const answer = beat();
    pass(fromMs);
    lease.measured(sent, answer.issuedAtMs);
    lease.grant(sent, answer);
  };
  return { time, pass, lease, beat, roundTrip };
}

test('a lease begins with a round trip, at the moment of asking, and nothing pushed begins it', () => {
  const { lease, beat, roundTrip } = held();
  assert.equal(lease.standing(), 'lease_expired');
  assert.equal(lease.renew(beat()), 'unmeasured');
  assert.ok(lease.wantsMeasuring());
  roundTrip(300, 700);
  assert.equal(lease.standing(), 'held');
  assert.equal(lease.remainingMs(), LEASE_MS - 1000);
});

test('it ends leaseMs after the beat was issued, however late that came', () => {
  const { lease, beat, roundTrip, pass } = held();
  roundTrip();
  pass(3000);
  assert.equal(lease.renew(beat(1200)), 'renewed');
  assert.equal(lease.remainingMs(), LEASE_MS - 1200);
  assert.equal(lease.untilMs(), AHEAD_MS + 3000 - 1200 + LEASE_MS);
  pass(LEASE_MS - 1200 - 1);
  assert.equal(lease.standing(), 'held');
  pass(1);
  assert.equal(lease.standing(), 'lease_expired');
  assert.equal(lease.untilMs(), undefined);
});

test('a slow round trip makes it end early, never late', () => {
  const { lease, beat, roundTrip, pass } = held();
  roundTrip(0, 2000);
  assert.equal(lease.renew(beat()), 'renewed');
  assert.equal(lease.remainingMs(), LEASE_MS);
  const other = held();
  other.roundTrip(2000, 0);
  // The estimate is two seconds ahead, so this beat seems two seconds old.
  assert.equal(other.lease.renew(other.beat(-1)), 'renewed');
  assert.equal(other.lease.remainingMs(), LEASE_MS - 2000 + 1);
  pass(0);
});

test('a beat counts once, and none that is not newer', () => {
  const { lease, beat, roundTrip, pass } = held();
  roundTrip();
  pass(1000);
  const again = beat();
  assert.equal(lease.renew(again), 'renewed');
  pass(1000);
  assert.equal(lease.renew(again), 'not_newer');
  assert.equal(lease.renew(beat(1001)), 'not_newer');
  assert.equal(lease.remainingMs(), LEASE_MS - 1000);
  assert.equal(lease.renew(beat(999)), 'renewed');
});

test('what lay in a queue for as long as the lease renews nothing', () => {
  const { lease, beat, roundTrip, pass } = held();
  roundTrip();
  pass(4999);
  // The only way to be this old, and newer than the last that counted, is a service whose clock was set back.
  assert.equal(lease.renew({ ...beat(4998), leaseMs: 4998 }), 'too_old');
  pass(1);
  assert.equal(lease.renew(beat()), 'unmeasured', 'and after the end, not even one that seems fresh');
  roundTrip();
  pass(1);
  assert.equal(lease.renew(beat()), 'renewed');
});

test('a beat that is too far ahead makes the clock unsure until the next round trip', () => {
  const { lease, beat, roundTrip, pass } = held();
  roundTrip();
  pass(100);
  assert.equal(lease.renew(beat(-SKEW_MS)), 'renewed');
  assert.equal(lease.remainingMs(), LEASE_MS, 'it cannot have been issued later than now');
  assert.equal(lease.renew(beat(-SKEW_MS - 1)), 'too_far_ahead');
  assert.equal(lease.standing(), 'clock_unsure');
  assert.equal(lease.renew(beat(-SKEW_MS + 1)), 'unmeasured');
  assert.ok(lease.wantsMeasuring());
  roundTrip();
  assert.equal(lease.standing(), 'held');
});

for (const jumpMs of [3_600_000, -3_600_000, SKEW_MS + 1]) {
  test(`a wall clock that jumps ${jumpMs} ms against the monotonic one makes it unsure`, () => {
    const { lease, beat, roundTrip, pass, time } = held();
    roundTrip();
    time.wallMs += SKEW_MS;
    assert.equal(lease.standing(), 'held');
    time.wallMs += jumpMs - SKEW_MS;
    assert.equal(lease.standing(), 'clock_unsure');
    time.wallMs -= jumpMs;
    assert.equal(lease.standing(), 'clock_unsure', 'also when it jumps back');
    pass(1000);
    assert.equal(lease.renew(beat()), 'unmeasured');
    roundTrip();
    assert.equal(lease.standing(), 'held');
  });
}

test('a service whose clock was set back is followed by round trips until its time has come round', () => {
  const { lease, beat, roundTrip, pass } = held();
  roundTrip();
  pass(1000);
  const notHeardYet = beat();
  pass(1000);
  const back = 60_000;
  const roundTripBack = () => {
    const answer = beat(back);
    lease.measured(lease.now(), answer.issuedAtMs);
    lease.grant(lease.now(), answer);
  };
  roundTripBack();
  assert.equal(lease.remainingMs(), LEASE_MS);
  for (let ms = 0; ms < back; ms += 1000) {
    pass(1000);
    // It would seem fresh once its time has come again.
    assert.ok(['not_newer', 'unmeasured'].includes(lease.renew(notHeardYet)));
    roundTripBack();
    assert.equal(lease.standing(), 'held');
  }
  pass(1000);
  assert.equal(lease.renew(beat(back)), 'renewed');
});

test('a measurement is renewed in time, and does not count for ever', () => {
  const { lease, beat, roundTrip, pass } = held();
  roundTrip();
  for (let second = 1; second <= 60; second += 1) {
    pass(1000);
    assert.equal(lease.renew(beat()), 'renewed');
    assert.ok(!lease.wantsMeasuring(), `after ${second} s`);
  }
  pass(1000);
  assert.equal(lease.renew(beat()), 'renewed');
  assert.ok(lease.wantsMeasuring());
  for (let second = 62; second <= 300; second += 1) {
    pass(1000);
    assert.equal(lease.renew(beat()), 'renewed');
  }
  pass(1000);
  assert.equal(lease.renew(beat()), 'unmeasured');
});
