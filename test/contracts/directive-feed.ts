import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Beat } from '../../libs/feed/beat.js';
import type { DirectiveFeed, FeedSubscription } from '../../libs/feed/port.js';
import { feedModel, type FeedModel } from '../support/feed-model.js';
import { uuid } from '../support/given.js';
import { describe, test } from '../support/testing.js';

/** A feed, and the service's end of it. */
export interface FeedUnderTest {
  readonly feed: DirectiveFeed;
  /** Sends a beat to all followers, and to later ones as far as the transport keeps it. */
  publish(beat: Beat): Promise<void>;
  /** Disconnects the present followers. The feed has to reconnect without help. */
  interrupt(): Promise<void>;
  /** Leaves nothing behind. */
  dispose(): Promise<void>;
}

type RawBeat = Readonly<Record<string, unknown>>;

interface Heard {
  /** Each beat in order, with the callback that delivered it. */
  readonly beats: { readonly by: 'beat' | 'loaded'; readonly beat: RawBeat }[];
  readonly interruptions: string[];
  readonly asked: number;
}

/**
 * The meaning of the directive feed port. Every adapter runs all of it. `make` gets the model of the service whose
 * directives are sent. A transport with snapshots takes them from there.
 */
export function directiveFeedContract(name: string, make: (model: FeedModel) => Promise<FeedUnderTest>): void {
  const on = (title: string, body: (model: FeedModel, under: FeedUnderTest, follow: Follow) => Promise<void>) =>
    test(title, { timeoutMs: 60_000 }, async () => {
      const model = feedModel();
      const under = await make(model);
      const subscriptions: FeedSubscription[] = [];
      try {
        await body(model, under, (sinceEpoch = () => undefined) => {
          const heard = { beats: [], interruptions: [], asked: 0 } as Heard & { asked: number };
          const since = () => ((heard.asked += 1), sinceEpoch());
          const subscription = under.feed.follow(since, {
            onBeat: (beat) => void heard.beats.push({ by: 'beat', beat }),
            onLoaded: (beats) => void heard.beats.push(...beats.map((beat) => ({ by: 'loaded' as const, beat }))),
            onInterrupted: (reason) => void heard.interruptions.push(reason),
          });
          subscriptions.push(subscription);
          return { heard, subscription };
        });
      } finally {
        await Promise.all(subscriptions.map((subscription) => subscription.close()));
        await under.dispose();
      }
    });

  describe(`directive feed contract: ${name}`, () => {
    on('hands over the whole state before anything else', async (model, { publish }, follow) => {
      await publish(model.issue(uuid(1), { type: 'category', category: 'a' }));
      await publish(model.issue(uuid(2), { type: 'category', category: 'b' }));
      await publish(model.heartbeat());
      const { heard } = follow();
      await until(() => heard.beats.length > 0);
      const [first] = heard.beats;
      const loaded = heard.beats.filter(({ by }) => by === 'loaded').map(({ beat }) => beat);
      const told = first?.by === 'loaded' ? loaded.flatMap(idOf) : idsIn(first?.beat['active']);
      assert.deepEqual(told.sort(), [uuid(1), uuid(2)]);
    });

    on('hands beats over as they were sent, each once and in order', async (model, { publish }, follow) => {
      await publish(model.heartbeat());
      const { heard } = follow();
      await until(() => heard.beats.length > 0);
      const sent: Beat[] = [];
      for (let number = 1; number <= 20; number += 1) {
        sent.push(model.issue(uuid(number), { type: 'category', category: `c${number}` }), model.heartbeat());
      }
      for (const beat of sent) await publish(beat);
      const since = () => heard.beats.map(({ beat }) => beat).filter(({ issuedAt }) => newer(issuedAt, sent[0]));
      await until(() => since().length >= sent.length);
      assert.deepEqual(since(), sent);
      assert.deepEqual(heard.interruptions, []);
    });

    on('comes back by itself after an interruption, and says so', async (model, under, follow) => {
      await under.publish(model.issue(uuid(1), { type: 'all' }));
      const { heard } = follow(() => 1);
      await until(() => heard.beats.length > 0);
      for (let round = 1; round <= 2; round += 1) {
        await under.interrupt();
        await until(() => heard.interruptions.length >= round);
        // The feed reports a change during an outage afterwards, by a snapshot or as it was sent.
        await under.publish(model.issue(uuid(1 + round), { type: 'category', category: `c${round}` }));
        await until(() => heard.beats.some(({ beat }) => beat['epoch'] === 1 + round));
        assert.ok(heard.asked > round, 'it asks anew what the host has');
      }
      for (const reason of heard.interruptions) assert.match(reason, /^.{1,500}$/);
    });

    on('hands over nothing after it is closed', async (model, { publish }, follow) => {
      await publish(model.heartbeat());
      const [one, other] = [follow(), follow()];
      await until(() => one.heard.beats.length > 0 && other.heard.beats.length > 0);
      const closing = one.subscription.close();
      const told = one.heard.beats.length;
      await publish(model.issue(uuid(1), { type: 'all' }));
      await until(() => other.heard.beats.some(({ beat }) => beat['epoch'] === 1));
      await closing;
      await delay(50);
      assert.equal(one.heard.beats.length, told);
      assert.deepEqual(one.heard.interruptions, [], 'what is closed was not interrupted');
      await one.subscription.close();
    });

    on('is closed also while it is interrupted, and before it ever was connected', async (model, under, follow) => {
      const { subscription } = follow();
      await subscription.close();
      await under.publish(model.heartbeat());
      const later = follow();
      await until(() => later.heard.beats.length > 0);
      await under.interrupt();
      await later.subscription.close();
    });
  });
}

type Follow = (sinceEpoch?: () => number | undefined) => {
  readonly heard: Heard;
  readonly subscription: FeedSubscription;
};

const newer = (issuedAt: unknown, beat: Beat | undefined) => String(issuedAt) >= (beat?.issuedAt ?? '');

function idOf(beat: RawBeat): string[] {
  const directive = beat['directive'] as { id: string } | undefined;
  return directive === undefined ? [] : [directive.id];
}

const idsIn = (active: unknown) => (active as { id: string }[]).map(({ id }) => id);

/** Waits for the expected event. If it does not arrive, the test's own time limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}
