import assert from 'node:assert/strict';
import type { EventLog, RecordedEvent, Subscription } from '../../libs/event-log/port.js';
import { withLog, type MakeLog } from './log-under-test.js';
import { committed, dataOf, namesOf, write } from './facts.js';
import { test } from '../support/testing.js';

export function following(makeLog: MakeLog): void {
  const on = (name: string, body: Parameters<typeof withLog>[1]) => test(name, withLog(makeLog, body));

  on('hands over present and future events, in order, each event once', async (log) => {
    await committed(log, write('calls-1', 0, 1, 2));
    const follower = follow(log);
    await follower.caughtUpTo(await log.end());
    for (let revision = 2; revision < 40; revision += 1) await committed(log, write('calls-1', revision, revision + 1));
    await follower.caughtUpTo(await log.end());
    assert.deepEqual(
      follower.events.map(dataOf),
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
    await follower.close();
  });

  on('says that it has caught up, in an empty log too', async (log) => {
    const follower = follow(log);
    await follower.caughtUpTo(0n);
    assert.deepEqual(follower.events, []);
    await follower.close();
  });

  on('goes on after the position that it is given', async (log) => {
    await committed(log, write('a-1', 0, 1));
    const after = await committed(log, write('a-1', 1, 2));
    await committed(log, write('a-1', 2, 3));
    const follower = follow(log, { after });
    await follower.caughtUpTo(await log.end());
    assert.deepEqual(namesOf(follower.events), ['a-1@3']);
    await follower.close();
  });

  on('follows categories, and catches up past what it does not hand over', async (log) => {
    const follower = follow(log, { categories: ['directives'] });
    await committed(log, write('directives', 0, 1));
    await committed(log, write('calls-1', 0, 1, 2, 3));
    await follower.caughtUpTo(await log.end());
    await committed(log, write('directives', 1, 2));
    await follower.caughtUpTo(await log.end());
    assert.deepEqual(namesOf(follower.events), ['directives@1', 'directives@2']);
    await follower.close();
  });

  on('hands over nothing more while a handler is at work', async (log) => {
    let atWork = 0;
    let most = 0;
    const follower = follow(log, {
      handle: async () => {
        most = Math.max(most, (atWork += 1));
        await new Promise((resolve) => setTimeout(resolve, 2));
        atWork -= 1;
      },
    });
    for (let revision = 0; revision < 30; revision += 1) await committed(log, write('a-1', revision, revision + 1));
    await follower.caughtUpTo(await log.end());
    assert.equal(most, 1);
    assert.equal(follower.events.length, 30);
    await follower.close();
  });

  on('hands the same events over again after a handler has thrown, and tells of it', async (log) => {
    let failures = 2;
    const follower = follow(log, {
      handle: async () => {
        if ((failures -= 1) >= 0) throw new Error('not now');
      },
    });
    await committed(log, write('a-1', 0, 1, 2));
    await follower.caughtUpTo(await log.end());
    assert.deepEqual(namesOf(follower.events), ['a-1@1', 'a-1@2']);
    assert.equal(follower.errors.length, 2);
    await follower.close();
  });

  on('several followers go each at their own pace', async (log) => {
    const slow = follow(log, { handle: () => new Promise((resolve) => setTimeout(resolve, 15)) });
    const quick = follow(log);
    for (let revision = 0; revision < 10; revision += 1) await committed(log, write('a-1', revision, revision + 1));
    const end = await log.end();
    await quick.caughtUpTo(end);
    await slow.caughtUpTo(end);
    assert.deepEqual(namesOf(slow.events), namesOf(quick.events));
    await Promise.all([slow.close(), quick.close()]);
  });

  on('hands over nothing after it was closed', async (log) => {
    const follower = follow(log);
    await committed(log, write('a-1', 0, 1));
    await follower.caughtUpTo(await log.end());
    await follower.close();
    await committed(log, write('a-1', 1, 2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(follower.events.length, 1);
  });
}

interface FollowOptions {
  readonly after?: bigint;
  readonly categories?: readonly string[];
  /** Runs before the events count as handed over; may throw. */
  readonly handle?: (events: readonly RecordedEvent[]) => Promise<void>;
}

function follow(log: EventLog, { after = 0n, categories, handle }: FollowOptions = {}) {
  const events: RecordedEvent[] = [];
  const errors: unknown[] = [];
  const waiting: { readonly position: bigint; readonly resolve: () => void }[] = [];
  let reached = -1n;
  const subscription: Subscription = log.subscribe(categories === undefined ? { after } : { after, categories }, {
    async onEvents(page) {
      await handle?.(page);
      events.push(...page);
    },
    onCaughtUp(position) {
      reached = position;
      for (const one of waiting) if (reached >= one.position) one.resolve();
    },
    onError: (error) => errors.push(error),
  });
  return {
    events,
    errors,
    close: () => subscription.close(),
    async caughtUpTo(position: bigint): Promise<void> {
      if (reached >= position) return;
      await new Promise<void>((resolve) => waiting.push({ position, resolve }));
    },
  };
}
