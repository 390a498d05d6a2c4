import { randomUUID } from 'node:crypto';
import type { DirectiveFeed } from '#libs/feed/port.js';
import { kafkaFeed } from '#libs/feed/kafka/kafka-feed.js';
import { sseFeed } from '#libs/feed/watch/sse.js';
import { Follower, type DirectivesClient } from '../../libs/host/follower.js';
import { feedKeys } from '../../libs/host/keys.js';
import type { Clock } from '#libs/kernel/time.js';

/** What an instance of a host is made of in these tests: the follower of the SDK, on the feeds that are asked for. */
export interface InstanceOptions {
  readonly url: string;
  readonly token: string;
  readonly feeds: readonly ('watch' | 'kafka')[];
  readonly brokers?: readonly string[];
  readonly instanceId?: string;
  readonly clock?: Clock;
  /** Where the two questions of the host go, where not to `url`. */
  readonly askUrl?: string;
}

const ASK_MS = 2000;

export async function startInstance(options: InstanceOptions): Promise<Follower> {
  const { url, token, feeds, brokers = [], instanceId = randomUUID(), clock } = options;
  const jwks: unknown = await (await fetch(`${url}/.well-known/jwks.json`)).json();
  const following: Record<'watch' | 'kafka', () => DirectiveFeed> = {
    watch: () => sseFeed({ url: new URL(url), token: () => token, instanceId }),
    kafka: () => kafkaFeed({ connection: { brokers, clientId: `host-${instanceId.slice(0, 8)}` } }),
  };
  return new Follower({
    client: directivesClient(options.askUrl ?? url, token),
    feeds: feeds.map((name) => following[name]()),
    keys: feedKeys(jwks),
    instanceId,
    ...(clock === undefined ? {} : { clock }),
  });
}

function directivesClient(url: string, token: string): DirectivesClient {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const within = (signal: AbortSignal | undefined): AbortSignal =>
    AbortSignal.any([AbortSignal.timeout(ASK_MS), ...(signal === undefined ? [] : [signal])]);
  return {
    async directives(signal) {
      const response = await fetch(`${url}/v1/directives`, { headers, signal: within(signal) });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return (await response.json()) as Record<string, unknown>;
    },
    async acknowledge(ack, signal) {
      const init = { method: 'POST', headers, body: JSON.stringify(ack), signal: within(signal) };
      const response = await fetch(`${url}/v1/directives/acks`, init);
      await response.body?.cancel();
      if (response.status === 409) return false;
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return true;
    },
  };
}
