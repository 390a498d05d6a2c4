import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { RecordedEvent, Subscription } from './port.js';
import { Subscriptions, type Appended } from './subscription.js';

/** A log of positions: each even one in `calls`, each odd one in `directives`. Counts how often it is read. */
function makeLog() {
  let end = 0;
  let reads = 0;
  const subscriptions = new Subscriptions(async ({ after, categories }) => {
    reads += 1;
    const events: RecordedEvent[] = [];
    for (let at = Number(after) + 1; at <= end; at += 1) {
      const stream = at % 2 === 0 ? 'calls-1' : 'directives';
      if (categories?.includes(stream.split('-')[0] ?? '') === false) continue;
      events.push({ position: BigInt(at), stream, revision: at, type: 'T', json: '{}' });
    }
    return { events, end: BigInt(end), more: false };
  });
  return {
    subscriptions,
    reads: () => reads,
    append(known: boolean | 'untold'): void {
      end += 1;
      if (known === 'untold') return;
      const appended: Appended = {
        categories: new Set([end % 2 === 0 ? 'calls' : 'directives']),
        events: 1,
        position: BigInt(end),
      };
      subscriptions.wake(known ? appended : undefined);
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
  assert.equal(log.reads(), before);
  log.append(true);
  await follower.until(2n);
  assert.deepEqual(follower.seen, [2n]);
  await follower.subscription.close();
});

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
  assert.equal(log.reads(), before + 1);
  await follower.subscription.close();
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
