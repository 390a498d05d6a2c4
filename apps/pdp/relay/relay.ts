import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { SettledLog } from '../../../libs/event-log/settled.js';
import type { BeatSigner } from '../../../libs/feed/beat-signer.js';
import { runDirectivesLane, type ObservedDirectives } from '../../../libs/relay/directives-lane.js';
import { sourceOf } from '../../../libs/relay/cloud-event.js';
import { runEventsLane } from '../../../libs/relay/events-lane.js';
import type { KafkaLaneName } from '../../../libs/streams/relay-events.js';
import type { RelayParts } from '../../../libs/relay/lane.js';
import { directivesOutlet, eventsOutlet } from '../../../libs/relay/outlets.js';
import type { KafkaSettings } from '../settings/kafka.js';
import { addGauge, addTotal } from '../observability/gauges.js';
import { lagOf, laneDetail, type LaneDetail } from '../observability/lane-detail.js';

export interface Relay {
  details(): Record<KafkaLaneName, LaneDetail>;
  /** Disconnects from the brokers immediately. Unsent events stay in the log. */
  stop(): Promise<void>;
}

export interface Relayed extends Pick<RelayParts, 'clock' | 'time' | 'onTrouble' | 'onRecovered'> {
  readonly log: SettledLog & { latestCommit(): bigint };
  readonly beatSigner: BeatSigner;
  readonly incarnation: number;
  readonly view: ObservedDirectives & { readonly position: bigint };
  readonly registry: Registry;
  readonly publicUrl: string | undefined;
}

/** Starts both lanes. They find the brokers on their own, now or later: a service without Kafka still decides. */
export function startRelay({ connection, ...sizes }: KafkaSettings, relayed: Relayed): Relay {
  const { log, beatSigner, incarnation, view, registry, publicUrl } = relayed;
  const { kid } = beatSigner.publicKey();
  // The embedded store admits one process, so an earlier holder of the lanes is gone.
  const parts: RelayParts = { ...relayed, holder: randomUUID(), exclusive: true };
  const lanes = {
    events: runEventsLane(parts, eventsOutlet(connection, sizes), { source: sourceOf(kid, incarnation), publicUrl }),
    directives: runDirectivesLane(parts, directivesOutlet(connection, sizes), beatSigner, view),
  };

  const newest = (): bigint => (view.position > log.latestCommit() ? view.position : log.latestCommit());
  const detailOf = (name: KafkaLaneName): LaneDetail => {
    const status = lanes[name].status();
    return laneDetail(status, name === 'events' ? lagOf(newest(), status.position) : lanes.directives.status().waiting);
  };
  for (const name of ['events', 'directives'] as const) {
    const prefix = `sallyport_relay_${name}`;
    addGauge(registry, `${prefix}_sending`, 'Whether this lane to Kafka is sending, 0 or 1.', () =>
      detailOf(name).state === 'sending' ? 1 : 0,
    );
    addGauge(registry, `${prefix}_lag`, 'Positions of the log, or directives, that wait to be sent.', () => {
      return detailOf(name).lag;
    });
    addGauge(registry, `${prefix}_ack_age_seconds`, 'Since Kafka last acknowledged something; -1 before that.', () => {
      return (detailOf(name).sinceAckMs ?? -1000) / 1000;
    });
    addTotal(registry, `${prefix}_sent_total`, 'Records that Kafka acknowledged.', () => lanes[name].status().sent);
  }
  addTotal(
    registry,
    'sallyport_relay_foreign_records_total',
    'Records of others found on the topic of directives.',
    () => {
      return lanes.directives.status().foreign;
    },
  );
  return {
    details: () => ({ events: detailOf('events'), directives: detailOf('directives') }),
    async stop() {
      await Promise.all([lanes.events.stop(), lanes.directives.stop()]);
    },
  };
}
