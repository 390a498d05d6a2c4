import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { everyEvent } from '../../libs/event-log/every-event.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import type { Clock } from '../../libs/kernel/time.js';
import { freePort } from '../bench/running.js';
import { ended, place } from '../process/child.js';
import { brokenBy } from '../process/verifier.js';
import { seenEvent, type SeenEvent } from '../support/events.js';
import { startProxy } from '../support/proxy.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import {
  allRefuse,
  callsAgain,
  disable,
  fleetWorld,
  LEASE_MS,
  noneSince,
  RUNNING,
  SKEW_MS,
  startCaller,
  STOPPED,
  until,
  type Caller,
} from './fleet.js';
import { test } from '../support/testing.js';

/**
 * Emergency disable during faults. In each of them, a call that a directive stops is made at most a lease and a skew
 * after the commit, and none is recorded as allowed. Everything recovers without help.
 */

const SETTINGS = { SALLYPORT_LEASE_MS: String(LEASE_MS), SALLYPORT_SKEW_MS: String(SKEW_MS) };
const HOUR_MS = 3_600_000;
const BOUND_MS = LEASE_MS + SKEW_MS;

async function withFleet(
  service: TestService,
  body: (task: Answered, callers: Caller[]) => Promise<void>,
): Promise<void> {
  const callers: Caller[] = [];
  try {
    const task = await fleetWorld(service);
    await body(task, callers);
  } finally {
    await Promise.all(callers.map((caller) => caller.stop()));
    await service.stop();
  }
}

const follows = (service: { url: string; tokens: Record<string, string> }, clock?: Clock) =>
  ({ url: service.url, token: service.tokens['host'] ?? '', feeds: ['watch'], ...(clock ? { clock } : {}) }) as const;

/** By what was recorded, no allow lies behind the directive that stops it. */
async function recordedRight(dataDir: string): Promise<void> {
  const log = await openSqliteLog({ file: `${dataDir}/sallyport.db` });
  try {
    const seen: SeenEvent[] = [];
    for await (const event of everyEvent(log)) seen.push(seenEvent(event));
    // The policy of this world names itself otherwise than those of the races do.
    assert.deepEqual(
      brokenBy(seen).filter(({ because }) => !because.endsWith('is not in force')),
      [],
    );
  } finally {
    await log.close();
  }
}

for (const way of ['cut', 'swallow'] as const) {
  test(`a host that is cut off from everything (${way}) ends its calls with its lease, and catches up first`, async (t) => {
    const service = await startService({ env: SETTINGS });
    const proxy = await startProxy(new URL(service.url).host);
    t.after(() => proxy.close());
    await withFleet(service, async (task, callers) => {
      const through = { ...follows(service), url: `http://${proxy.address}` };
      callers.push(await startCaller(through, task), await startCaller(follows(service), task));
      const [cutOff, other] = callers as [Caller, Caller];
      await callsAgain(callers, STOPPED);
      // Of one that has never said without need that it lives, the service cannot know that it is gone.
      await until(
        () => callers.every(({ follower }) => follower.state().acknowledgedEpoch !== undefined),
        () => 'not acknowledged',
      );
      await pause(LEASE_MS);
      proxy[way]();
      const cutMs = performance.now();
      const { atMs, id } = await disable(service);
      const tookMs = await allRefuse([cutOff]);
      assert.ok(tookMs <= BOUND_MS, `it took ${tookMs} ms`);
      await pause(BOUND_MS);
      noneSince([cutOff], Math.max(cutMs, atMs) + BOUND_MS, RUNNING);
      // The other one heard of it, and did not stop for anything else.
      noneSince([other], atMs + LEASE_MS);
      assert.equal(other.follower.stale(), undefined);
      await until(
        async () => (await propagation(service, id)).complete,
        () => 'not complete',
      );
      const { instances } = await propagation(service, id);
      assert.deepEqual(instances.map(({ state }: Answered) => state).sort(), ['acknowledged', 'lease_expired']);
      proxy.heal();
      const healedMs = performance.now();
      await callsAgain([cutOff]);
      noneSince([cutOff], healedMs);
      assert.equal(cutOff.follower.state().epoch, 1);
    });
  });
}

test('the service is killed with -9 and comes back: hosts end their calls with the lease and go on by themselves', async (t) => {
  const { dataDir, start } = place(t);
  const env = { ...SETTINGS, SALLYPORT_HTTP: `127.0.0.1:${await freePort()}` };
  let service = await start({ env });
  const task = await fleetWorld(service);
  const callers = await Promise.all([0, 1, 2].map(() => startCaller(follows(service), task)));
  try {
    await callsAgain(callers, STOPPED);
    service.kill('SIGKILL');
    await ended(service);
    const deadMs = performance.now();
    await allRefuse(callers);
    noneSince(callers, deadMs + BOUND_MS, RUNNING);
    service = await start({ env });
    // Before any of them may have caught up.
    const { atMs } = await disable(service);
    await callsAgain(callers);
    await pause(500);
    noneSince(callers, atMs + BOUND_MS);
    t.diagnostic(JSON.stringify(callers.map(({ made, refused }) => [made.length, ...refused])));
  } finally {
    await Promise.all(callers.map((caller) => caller.stop()));
  }
  service.kill('SIGTERM');
  assert.equal((await ended(service)).code, 0);
  await recordedRight(dataDir);
});

test('a disk that takes longer than the lease: beats that come late renew nothing', async () => {
  let slowMs = 0;
  // Shorter than the time-out of an append: the operator's directive still passes.
  const leaseMs = 1000;
  const service = await startService({
    env: { ...SETTINGS, SALLYPORT_LEASE_MS: String(leaseMs) },
    wrapLog: (log) => ({
      ...log,
      append: async (batch) => {
        await pause(slowMs);
        return log.append(batch);
      },
      head: async (stream) => {
        await pause(slowMs);
        return log.head(stream);
      },
    }),
  });
  await withFleet(service, async (task, callers) => {
    callers.push(await startCaller(follows(service), task), await startCaller(follows(service), task));
    await callsAgain(callers, STOPPED);
    slowMs = leaseMs + 300;
    const slowFromMs = performance.now();
    await allRefuse(callers);
    noneSince(callers, slowFromMs + leaseMs + SKEW_MS, RUNNING);
    const { atMs } = await disable(service);
    slowMs = 0;
    await callsAgain(callers);
    // Time enough for what the directive stops to be tried.
    await pause(200);
    noneSince(callers, atMs);
  });
});

for (const side of ['service', 'host'] as const) {
  for (const jumpMs of [HOUR_MS, -HOUR_MS]) {
    test(`the clock of the ${side} jumps by ${jumpMs / HOUR_MS} h: hosts go on, and a directive still stops them`, async () => {
      let aheadMs = 0;
      const jumping: Clock = {
        wallMs: () => Date.now() + aheadMs,
        monotonicMs: () => performance.now(),
      };
      const service = await startService({ env: SETTINGS, ...(side === 'service' ? { clock: jumping } : {}) });
      await withFleet(service, async (task, callers) => {
        const instance = side === 'host' ? follows(service, jumping) : follows(service);
        callers.push(await startCaller(instance, task), await startCaller(instance, task));
        await callsAgain(callers, STOPPED);
        aheadMs = jumpMs;
        await pause(100);
        // The task of an hour is over by a clock that is an hour ahead.
        const after = side === 'service' && jumpMs > 0 ? 'expired' : 'called';
        if (after === 'called') await callsAgain(callers);
        else
          await until(
            () => callers.every(({ refused }) => refused.has('task_expired')),
            () => 'the task is not over',
          );
        const { atMs } = await disable(service);
        await until(
          () => callers.every(({ follower }) => follower.state().epoch === 1 && follower.stale() === undefined),
          () => JSON.stringify(callers.map(({ follower }) => follower.state())),
        );
        await pause(300);
        noneSince(callers, atMs + BOUND_MS);
        noneSince(callers, performance.now() - 200);
        aheadMs = 0;
        await pause(100);
        await until(
          () => callers.every(({ follower }) => follower.stale() === undefined),
          () => JSON.stringify(callers.map(({ follower }) => follower.state())),
        );
      });
    });
  }
}

test('a host that was off during the disable makes no call before it has caught up', async () => {
  const service = await startService({ env: SETTINGS });
  await withFleet(service, async (task, callers) => {
    const first = await startCaller(follows(service), task);
    await callsAgain([first], STOPPED);
    await first.stop();
    const { epoch } = await disable(service);
    const again = await startCaller(follows(service), task);
    callers.push(again);
    await callsAgain([again]);
    noneSince([again], 0);
    assert.equal(again.follower.state().epoch, epoch);
  });
});

async function propagation(service: TestService, id: string): Promise<Answered> {
  return (await service.call('operator', 'GET', `/v1/directives/${id}/propagation`)).body;
}
