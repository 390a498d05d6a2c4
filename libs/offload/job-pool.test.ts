import assert from 'node:assert/strict';
import { jobWorker, type TestJob } from '../../test/support/job-worker.js';
import { JobPool, LARGE_BYTES, PoolClosed, PoolOverloaded, type PoolOptions } from './job-pool.js';
import { test, type TestContext } from '../../test/support/testing.js';

function poolOf(t: TestContext, more: Partial<PoolOptions> = {}): JobPool {
  const pool = new JobPool({
    script: jobWorker,
    threads: 2,
    timeLimitMs: 60_000,
    heapMb: 64,
    maxWaiting: 100,
    maxBytes: 1000,
    ...more,
  });
  t.after(() => pool.close());
  return pool;
}

const run = (pool: JobPool, input: TestJob, owner = 'a', bytes = 1) => pool.run({ owner, bytes, input });
const done = (value: unknown) => ({ kind: 'done', value, part: undefined });

test('jobs are done, and nothing is held for them afterwards', async (t) => {
  const pool = poolOf(t);
  const jobs = Array.from({ length: 20 }, (_, value) => run(pool, { kind: 'echo', value }, `owner-${value % 3}`));
  assert.deepEqual(
    await Promise.all(jobs),
    Array.from({ length: 20 }, (_, value) => done(value)),
  );
  assert.deepEqual([pool.inHand, pool.heldBytes], [0, 0]);
});

test('an owner with many jobs has half of the threads, and another is served before its queue is empty', async (t) => {
  const pool = poolOf(t);
  await Promise.all([run(pool, { kind: 'echo', value: 0 }, 'a'), run(pool, { kind: 'echo', value: 0 }, 'b')]);
  const order: string[] = [];
  const noted = (owner: string) =>
    run(pool, { kind: 'echo', value: 0, busyMs: 20 }, owner).then(() => order.push(owner));
  const many = Array.from({ length: 8 }, () => noted('many'));
  await Promise.all([...many, noted('other')]);
  assert.ok(order.indexOf('other') < 3, order.join(' '));
});

test('a job that takes more processor time than it may is ended, with what it told before; the next one is done', async (t) => {
  const pool = poolOf(t, { timeLimitMs: 200 });
  assert.deepEqual(await run(pool, { kind: 'spin', part: 'read' }), {
    kind: 'failed',
    why: 'too_costly',
    part: 'read',
  });
  assert.deepEqual(await run(pool, { kind: 'echo', value: 1 }), done(1));
});

test('a job that takes no processor time is ended too', async (t) => {
  const pool = poolOf(t, { timeLimitMs: 500 });
  assert.deepEqual(await run(pool, { kind: 'stall' }), { kind: 'failed', why: 'too_costly', part: undefined });
  assert.deepEqual(await run(pool, { kind: 'echo', value: 1 }), done(1));
});

test('large jobs of several owners leave a thread for small ones, of their owners too', async (t) => {
  const pool = poolOf(t, { maxBytes: 100 * LARGE_BYTES });
  const large = ['a', 'b', 'c'].map((owner) => run(pool, { kind: 'spin' }, owner, LARGE_BYTES + 1));
  const ended = Promise.allSettled(large);
  // These would wait for ever behind the large ones.
  const small = ['a', 'b', 'd'].map((owner, value) => run(pool, { kind: 'echo', value }, owner, LARGE_BYTES));
  assert.deepEqual(await Promise.all(small), [done(0), done(1), done(2)]);
  assert.equal(pool.inHand, 3);
  await pool.close();
  await ended;
});

test('a large job does not wait for the small ones that come after it', async (t) => {
  const pool = poolOf(t, { maxBytes: 100 * LARGE_BYTES });
  await Promise.all([run(pool, { kind: 'echo', value: 0 }, 'a'), run(pool, { kind: 'echo', value: 0 }, 'b')]);
  const order: string[] = [];
  const noted = (name: string, bytes: number) =>
    run(pool, { kind: 'echo', value: 0, busyMs: 20 }, 'a', bytes).then(() => order.push(name));
  await Promise.all([
    noted('before', 1),
    noted('large', LARGE_BYTES + 1),
    ...Array.from({ length: 20 }, () => noted('after', 1)),
  ]);
  assert.ok(order.indexOf('large') < 10, order.join(' '));
});

test('a job that is done about when its time is up fails no job after it', async (t) => {
  const pool = poolOf(t, { timeLimitMs: 150 });
  for (const over of [-20, -10, -5, 0, 5, 10]) {
    const finished = await run(pool, { kind: 'echo', value: 0, busyMs: 150 + over });
    assert.ok(finished.kind === 'done' || finished.why === 'too_costly');
    assert.deepEqual(await run(pool, { kind: 'echo', value: over }), done(over));
  }
});

test('a job that cannot be sent to a thread fails alone', async (t) => {
  const pool = poolOf(t);
  const unsent = pool.run({ owner: 'a', bytes: 1, input: () => undefined });
  assert.deepEqual(await unsent, { kind: 'failed', why: 'died', part: undefined });
  assert.deepEqual(await run(pool, { kind: 'echo', value: 1 }), done(1));
  assert.equal(pool.heldBytes, 0);
});

for (const [kind, why] of [
  ['throw', 'died'],
  ['grow', 'too_costly'],
] as const) {
  test(`a thread that ends by itself (${kind}) fails its job alone, and is replaced`, async (t) => {
    const pool = poolOf(t);
    const other = run(pool, { kind: 'echo', value: 'other', busyMs: 100 }, 'b');
    assert.deepEqual(await run(pool, { kind }), { kind: 'failed', why, part: undefined });
    assert.deepEqual(await other, done('other'));
    assert.deepEqual(await run(pool, { kind: 'echo', value: 2 }), done(2));
  });
}

test('past the bytes and the queue of one owner jobs are refused, while others still find room', async (t) => {
  const pool = poolOf(t, { maxWaiting: 4 });
  const [first, second] = [500, 1].map((bytes) => run(pool, { kind: 'echo', value: 0, busyMs: 50 }, 'a', bytes));
  await assert.rejects(second ?? Promise.resolve(), PoolOverloaded);
  assert.deepEqual(await run(pool, { kind: 'echo', value: 0 }, 'b', 500), done(0));
  await first;
  const queue = Array.from({ length: 4 }, () => run(pool, { kind: 'echo', value: 0, busyMs: 20 }));
  assert.deepEqual(
    (await Promise.allSettled(queue)).map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  );
  assert.equal(pool.refused, 2);
});

test('an urgent job goes before the queue of its owner, and a full queue does not refuse it', async (t) => {
  const pool = poolOf(t, { maxWaiting: 16 });
  await Promise.all([run(pool, { kind: 'echo', value: 0 }, 'a'), run(pool, { kind: 'echo', value: 0 }, 'b')]);
  const order: string[] = [];
  const queue = Array.from({ length: 9 }, (_, value) =>
    run(pool, { kind: 'echo', value, busyMs: 100 }).then(() => order.push('usual')),
  );
  await assert.rejects(run(pool, { kind: 'echo', value: 9 }), PoolOverloaded);
  const input: TestJob = { kind: 'echo', value: 'urgent' };
  const urgent = pool.run({ owner: 'a', bytes: 0, urgent: true, input }).then((finished) => {
    order.push('urgent');
    return finished;
  });
  assert.deepEqual(await urgent, done('urgent'));
  await Promise.all(queue);
  assert.deepEqual([order[0], order.length, pool.inHand, pool.heldBytes], ['urgent', 10, 0, 0]);
});

test('an owner that holds nothing is refused what the pool has no room for', async (t) => {
  const pool = poolOf(t);
  const held = ['a', 'b'].map((owner) => run(pool, { kind: 'echo', value: 0, busyMs: 50 }, owner, 500));
  await assert.rejects(run(pool, { kind: 'echo', value: 0 }, 'c'), PoolOverloaded);
  await Promise.all(held);
  assert.deepEqual(await run(pool, { kind: 'echo', value: 0 }, 'c', 5000), done(0));
});

test('what is not done when the pool is closed is not going to be', async (t) => {
  const pool = poolOf(t);
  const jobs = ['a', 'a', 'b'].map((owner) => run(pool, { kind: 'spin' }, owner));
  const ended = Promise.allSettled(jobs);
  await pool.close();
  for (const each of await ended) assert.ok(each.status === 'rejected' && each.reason instanceof PoolClosed);
  await assert.rejects(run(pool, { kind: 'echo', value: 0 }), PoolClosed);
});
