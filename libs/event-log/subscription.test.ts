import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import * as fc from 'fast-check';
import { write } from '../../test/contracts/facts.js';
import type { RecordedEvent, Subscription } from './port.js';
import { Subscriptions } from './subscription.js';
import { test } from '../../test/support/testing.js';

/** A log of positions: each even one in `calls`, each odd one in `directives`. Counts how often it is read. */
function makeLog(beforePage: () => Promise<void> = () => Promise.resolve()) {
  let end = 0;
  let reads = 0;
  const streamAt = (at: number): string => (at % 2 === 0 ? 'calls-1' : 'directives');
  const subscriptions = new Subscriptions(async ({ after, categories }) => {
    reads += 1;
    const seenEnd = end;
    const events: RecordedEvent[] = [];
    for (let at = Number(after) + 1; at <= seenEnd; at += 1) {
      const stream = streamAt(at);
      if (categories?.includes(stream.split('-')[0] ?? '') === false) continue;
      events.push({ position: BigInt(at), stream, revision: at, type: 'Happened', json: '{}' });
    }
    await beforePage();
    return { events, end: BigInt(seenEnd), more: false };
  });
  return {
    subscriptions,
    reads: () => reads,
    end: () => BigInt(end),
    append(known: boolean | 'untold'): void {
      end += 1;
      if (known === 'untold') return;
      const writes = [write(streamAt(end), end - 1, {})];
      subscriptions.wake(known ? [{ writes, position: BigInt(end) }] : undefined);
    },
  };
}

type Log = ReturnType<typeof makeLog>;

function follow(log: Log, options: { categories?: string[]; intervalMs?: number }) {
  const seen: bigint[] = [];
  const reached = { position: -1n };
  const subscription: Subscription = log.subscriptions.follow(
    { after: 0n, ...options },
    {
      onEvents: (events) => void seen.push(...events.map(({ position }) => position)),
      onCaughtUp: (position) => void (reached.position = position),
    },
  );
  const until = async (position: bigint): Promise<void> => {
    while (reached.position < position) await pause(1);
    await pause(1);
  };
  return { seen, until, caughtUp: () => reached.position, subscription };
}

test('whoever follows other categories has caught up without reading', async () => {
  const log = makeLog();
  const follower = follow(log, { categories: ['calls'] });
  await follower.until(0n);
  const before = log.reads();
  log.append(true);
  assert.equal(follower.caughtUp(), 1n);
  log.append(true);
  await follower.until(2n);
  assert.equal(log.reads(), before);
  assert.deepEqual(follower.seen, [2n]);
  await follower.subscription.close();
});

for (const known of [true, false]) {
  test(`what others append while events are handed over (${known ? 'known' : 'read'}) is caught up with, too`, async () => {
    const log = makeLog();
    const handed = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const reached = { position: -1n };
    const subscription = log.subscriptions.follow(
      { after: 0n, categories: ['calls'] },
      {
        onEvents() {
          handed.resolve();
          return release.promise;
        },
        onCaughtUp: (position) => void (reached.position = position),
      },
    );
    while (reached.position < 0n) await pause(1);
    log.append(true);
    log.append(known);
    await handed.promise;
    log.append(true);
    release.resolve();
    await pause(50);
    assert.equal(reached.position, 3n);
    await subscription.close();
  });
}

test('where it is not known what was appended, everybody reads', async () => {
  const log = makeLog();
  const follower = follow(log, { categories: ['calls'] });
  await follower.until(0n);
  const before = log.reads();
  log.append(false);
  await follower.until(1n);
  assert.ok(log.reads() > before);
  await follower.subscription.close();
});

test('what was never told of is found behind what is', async () => {
  const log = makeLog();
  const follower = follow(log, { categories: ['directives'] });
  await follower.until(0n);
  log.append('untold');
  log.append(true);
  await follower.until(2n);
  assert.deepEqual(follower.seen, [1n]);
  await follower.subscription.close();
});

test('what was appended unseen is not passed over by what is known', async () => {
  const log = makeLog();
  const follower = follow(log, { categories: ['calls'] });
  await follower.until(0n);
  log.append(false);
  log.append(false);
  log.append(true);
  await follower.until(3n);
  assert.deepEqual(follower.seen, [2n]);
  await follower.subscription.close();
});

test('reads at most once an interval, unless it is told to hurry', async () => {
  const log = makeLog();
  const follower = follow(log, { intervalMs: 60_000 });
  await follower.until(0n);
  const before = log.reads();
  log.append(true);
  log.append(true);
  await pause(30);
  assert.equal(log.reads(), before);
  follower.subscription.hurry();
  await follower.until(2n);
  assert.deepEqual(follower.seen, [1n, 2n]);
  await follower.subscription.close();
});

test('what was committed here is handed over without reading it back', async () => {
  const log = makeLog();
  const follower = follow(log, {});
  await follower.until(0n);
  const before = log.reads();
  for (let at = 0; at < 1200; at += 1) log.append(true);
  await follower.until(1200n);
  assert.deepEqual(
    follower.seen,
    Array.from({ length: 1200 }, (_, index) => BigInt(index + 1)),
  );
  assert.equal(log.reads(), before);
  await follower.subscription.close();
});

test('what a slow follower would have to keep is read back instead', async () => {
  const log = makeLog();
  const follower = follow(log, { intervalMs: 60_000 });
  await follower.until(0n);
  const before = log.reads();
  for (let at = 0; at < 10_000; at += 1) log.append(true);
  follower.subscription.hurry();
  await follower.until(10_000n);
  assert.equal(follower.seen.length, 10_000);
  assert.ok(log.reads() > before);
  await follower.subscription.close();
});

test('whatever is told, late, twice or not at all, a follower sees each event in order and none is missing', async () => {
  const step = fc.constantFrom('known', 'known', 'known', 'unknown', 'untold', 'turn', 'fail');
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 60 }),
    fc.constantFrom<string[] | undefined>(['calls'], ['directives'], undefined),
    async (steps, categories) => {
      const log = makeLog(() => new Promise(setImmediate));
      const seen: bigint[] = [];
      let reached = -1n;
      let failing = false;
      const subscription = log.subscriptions.follow(
        { after: 0n, intervalMs: 0, ...(categories === undefined ? {} : { categories }) },
        {
          async onEvents(events) {
            await new Promise(setImmediate);
            if (failing) {
              failing = false;
              throw new Error('a handler that fails');
            }
            seen.push(...events.map(({ position }) => position));
          },
          onCaughtUp: (position) => void (reached = position),
        },
      );
      for (const each of steps) {
        if (each === 'turn') await new Promise(setImmediate);
        else if (each === 'fail') failing = true;
        else log.append(each === 'untold' ? each : each === 'known');
      }
      // Of what is untold nobody knows before the next word.
      if (steps.findLast((each) => each !== 'turn' && each !== 'fail') === 'untold') log.append(false);
      const deadlineMs = performance.now() + 5000;
      while (reached < log.end() && performance.now() < deadlineMs) await pause(1);
      const wanted = Array.from({ length: Number(log.end()) }, (_, index) => index + 1)
        .filter((at) => categories?.includes(at % 2 === 0 ? 'calls' : 'directives') !== false)
        .map(BigInt);
      assert.deepEqual([seen, reached], [wanted, log.end()]);
      await subscription.close();
    },
  );
  await fc.assert(property, { numRuns: 150 });
});

test('a hurry that comes before the append counts for it', async () => {
  const log = makeLog();
  const follower = follow(log, { intervalMs: 60_000 });
  await follower.until(0n);
  follower.subscription.hurry();
  log.append(true);
  await follower.until(1n);
  await follower.subscription.close();
});
