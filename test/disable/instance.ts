import { randomUUID } from 'node:crypto';
import type { DirectiveFeed } from '../../libs/feed/port.js';
import { kafkaFeed } from '../../libs/feed/kafka/kafka-feed.js';
import { sseFeed } from '../../libs/feed/watch/sse.js';
import { createClient } from '../../libs/host/service/client.js';
import { DirectiveFollower } from '../../libs/host/directives/follower.js';
import { askOverHttp } from '../../libs/host/service/http.js';
import { feedKeys } from '../../libs/host/directives/keys.js';
import type { Clock } from '../../libs/kernel/time.js';

/** The parts of a host's instance in these tests: the follower of the SDK, on the given feeds. */
export interface InstanceOptions {
  readonly url: string;
  readonly token: string;
  readonly feeds: readonly ('watch' | 'kafka')[];
  readonly brokers?: readonly string[];
  readonly instanceId?: string;
  readonly clock?: Clock;
  /** The address of the host's two questions, if it is not `url`. */
  readonly askUrl?: string;
}

const ASK_MS = 2000;

export async function startInstance(options: InstanceOptions): Promise<DirectiveFollower> {
  const { url, token, feeds, brokers = [], instanceId = randomUUID(), clock } = options;
  const clientOf = (service: string) =>
    createClient(
      askOverHttp(new URL(service), () => token),
      { instanceId, timeoutMs: ASK_MS },
    );
  const jwks = await clientOf(url).keys();
  const following: Record<'watch' | 'kafka', () => DirectiveFeed> = {
    watch: () => sseFeed({ url: new URL(url), token: () => token, instanceId }),
    kafka: () => kafkaFeed({ connection: { brokers, clientId: `host-${instanceId.slice(0, 8)}` } }),
  };
  return new DirectiveFollower({
    client: clientOf(options.askUrl ?? url),
    feeds: feeds.map((name) => following[name]()),
    keys: feedKeys(jwks),
    instanceId,
    ...(clock === undefined ? {} : { clock }),
  });
}
