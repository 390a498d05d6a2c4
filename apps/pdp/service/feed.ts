import type { Authenticator } from '../../../libs/authentication/authenticator.js';
import { incarnationOf } from '../../../libs/backup/incarnation.js';
import { BeatSigner } from '../../../libs/feed/beat-signer.js';
import { Broadcast } from '../../../libs/feed/broadcast.js';
import { feedKeyOf } from '../../../libs/feed/feed-key.js';
import { Instances } from '../../../libs/fleet/instances.js';
import type { Clock } from '../../../libs/kernel/time.js';
import type { LaneName } from '../../../libs/streams/relay-events.js';
import { Watches } from '../directives/watches.js';
import { registerFeedGauges } from '../observability/gauges.js';
import type { Metrics } from '../observability/metrics.js';
import type { Bounds } from '../overload/bounds.js';
import type { Relay } from '../relay/relay.js';
import type { Settings } from '../settings.js';
import type { Control } from './control.js';
import type { Stores } from './stores.js';

/** How directives reach hosts, and how far each host has applied them. */
export interface Feed {
  readonly beatSigner: BeatSigner;
  readonly watches: Watches;
  readonly instances: Instances;
  /** Undefined if no brokers are named. */
  readonly relay: Relay | undefined;
}

interface FeedParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly bounds: Pick<Bounds, 'watches'>;
  readonly authenticator: Authenticator;
  /** Called when a lane to Kafka meets a new failure. The text holds no secret. */
  readonly onRelayTrouble?: ((lane: LaneName, reason: string) => void) | undefined;
  readonly onRelayRecovered?: ((lane: LaneName) => void) | undefined;
}

/** Starts watches, the lookout for silent instances and the relay to Kafka. `closing` stops them. */
export async function openFeed(
  { leaseMs, skewMs, ackProof, kafka, publicUrl }: Settings,
  { log, keys }: Stores,
  { view, time }: Control,
  { clock, metrics, bounds, authenticator, onRelayTrouble, onRelayRecovered }: FeedParts,
  closing: AsyncDisposableStack,
): Promise<Feed> {
  const { registry } = metrics;
  const feedKey = feedKeyOf(await keys.signingKey('directive-feed'));
  const incarnation = await incarnationOf(log);
  const beatSigner = new BeatSigner(log, view, feedKey, time, leaseMs, incarnation);
  const instances = new Instances(log, view, time, {
    leaseMs,
    skewMs,
    ackProof,
    isCurrent: (nonce, epoch) => beatSigner.isCurrent(nonce, epoch),
    onAcknowledged: (latencyMs) => metrics.propagationSeconds.observe(latencyMs / 1000),
  });
  await instances.start();
  closing.defer(() => instances.stop());
  const broadcast = new Broadcast(beatSigner, view, leaseMs, clock);
  registerFeedGauges(registry, instances, broadcast);
  const told = { onTrouble: onRelayTrouble, onRecovered: onRelayRecovered };
  const relayed = { log, incarnation, clock, time, beatSigner, view, registry, publicUrl, ...told };
  // Loaded only if it is used: the client library has many modules.
  const relay = kafka && (await import('../relay/relay.js')).startRelay(kafka, relayed);
  if (relay !== undefined) closing.defer(() => relay.stop());
  const watches = new Watches(view, authenticator, broadcast, bounds.watches, instances);
  watches.start();
  closing.defer(() => watches.drain());
  return { beatSigner, watches, instances, relay };
}
