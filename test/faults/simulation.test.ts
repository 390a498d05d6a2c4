import assert from 'node:assert/strict';
import { DEFECTS } from './defects.js';
import { explore, nameOf } from './explore.js';
import { makeGround } from './ground.js';
import { STEPS, tell } from './history.js';
import { test } from '../support/testing.js';

/** How long the bounded part looks; `npm run test:faults` looks longer. */
const BOUNDED_MS = 6_000;
/** A planted defect has to show within this many histories. */
const MAX_HISTORIES = 1_000;
const FIRST_SEED = Math.trunc(Math.random() * 2 ** 31);

const ground = await makeGround();
const wanted = process.env['SALLYPORT_SIM_SEED'];

test('no promise is broken in a simulated history', { skip: wanted !== undefined }, async (t) => {
  const deadlineMs = performance.now() + BOUNDED_MS;
  const { summary, broken } = await explore({ firstSeed: FIRST_SEED, histories: 100_000, deadlineMs, ground });
  t.diagnostic(summary);
  assert.equal(broken, undefined);
});

if (wanted !== undefined) {
  test('the history that SALLYPORT_SIM_SEED names breaks no promise', async () => {
    const { breach } = await tell(ground, nameOf(wanted));
    assert.equal(breach, undefined);
  });
}

/** Histories that once broke a promise, each by what was wrong. */
const BROKE_ONCE = {
  'a lane that was given up took its successor with it when its task was closed':
    '30010642:1,2,5,6,8,9,10,11,12,15,16,17,18,20,22,24,25,26,27,28,29,30,31,32,34,45,47,49,51,52,53,54,56,63',
};

for (const [what, name] of Object.entries(BROKE_ONCE)) {
  test(`no more: ${what}`, { skip: wanted !== undefined }, async () => {
    assert.equal((await tell(ground, nameOf(name))).breach, undefined);
  });
}

test('a history runs the same way each time', { skip: wanted !== undefined }, async () => {
  for (const seed of [11, 12, 13]) {
    const [once, again] = [await tell(ground, { seed, steps: STEPS }), await tell(ground, { seed, steps: STEPS })];
    assert.ok(once.events > 30);
    assert.deepEqual(again, once);
  }
});

test('a history that breaks is made shorter and can be run again', { skip: wanted !== undefined }, async () => {
  const defect = DEFECTS.find(({ breaks }) => breaks === 2);
  assert.ok(defect);
  const { broken } = await explore({ firstSeed: 1, histories: MAX_HISTORIES, defect, ground });
  const again = /SALLYPORT_SIM_SEED=(\S+)/.exec(broken ?? '')?.[1] ?? '';
  assert.ok(again.split(',').length < 30, again);
  assert.equal((await tell(ground, nameOf(again), defect)).breach?.promise, 2);
  assert.equal((await tell(ground, nameOf(again))).breach, undefined);
});

for (const defect of DEFECTS) {
  test(`promise ${defect.breaks} is seen to break when ${defect.name}`, { skip: wanted !== undefined }, async (t) => {
    const { histories, told, broken } = await explore({
      firstSeed: 1,
      histories: MAX_HISTORIES,
      defect,
      ground,
      shortened: false,
    });
    t.diagnostic(`after ${histories} histories: ${broken}`);
    assert.equal(told?.breach?.promise, defect.breaks);
  });
}
