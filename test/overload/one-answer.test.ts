import assert from 'node:assert/strict';
import { test } from 'node:test';
import { place } from '../process/child.js';
import { expecting, readyWorld } from '../support/world.js';
import { COSTLY, decisionsAt, registerCostly, stopsAt, underAttack } from './costly.js';

/**
 * Two hosts send 16 answers of one malicious server at once, each about 8 MB and as costly as the bounds let it be. What
 * others notice is judged against what they noticed before: the machine may be busy. `npm run bench` has the figures.
 */

const LEASE_MS = 5000;
const EACH = 8;
const QUIET_MS = 2500;
/** A quiet machine that is quicker than this is taken for one of this speed: a few milliseconds are a matter of chance. */
const LEAST_MS = 50;
const SHARE = 0.95;
const MAX_RESIDENT_MIB = 1144;

/** One that passes all bounds and one that does not; the bench goes over all of them. */
const KINDS = ['members out of order', 'more values than are taken'] as const;

for (const name of KINDS) {
  const result = COSTLY[name];
  test(`costly answers of one server harm nobody else: ${name}`, { timeout: 240_000 }, async (t) => {
    const service = await place(t).start({ env: { SALLYPORT_LEASE_MS: String(LEASE_MS) } });
    await readyWorld(service);
    await registerCostly(service);
    const newHost = async (host: string): Promise<string> =>
      expecting(201, await service.call('admin', 'POST', '/v1/principals', { name: host, roles: ['host'] })).token;
    const attackers = [await newHost('evil-1'), await newHost('evil-2')] as const;
    const { quiet, busy, given } = await underAttack(service, service.tokens, attackers, result, EACH, QUIET_MS);
    const told = JSON.stringify({
      stops: [stopsAt(quiet, SHARE), stopsAt(busy, SHARE)],
      decisions: [decisionsAt(quiet, SHARE), decisionsAt(busy, SHARE)],
      silenceMs: busy.silenceMs,
      residentMib: busy.residentMib,
      given,
    });
    t.diagnostic(told);
    // Each got an answer of its own: recorded, or refused by a bound.
    for (const each of given) assert.match(each, /^(200 (accepted|rejected)|413 too_large|429 overloaded)$/, told);
    // Every stop was a 201 and every decision a 200, or `underAttack` would have thrown.
    assert.ok(stopsAt(busy, SHARE) <= 8 * Math.max(stopsAt(quiet, SHARE), LEAST_MS), told);
    assert.ok(decisionsAt(busy, SHARE) <= 8 * Math.max(decisionsAt(quiet, SHARE), LEAST_MS), told);
    assert.ok(busy.silenceMs < LEASE_MS, told);
    assert.ok(busy.residentMib < MAX_RESIDENT_MIB, told);
  });
}
