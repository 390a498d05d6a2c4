import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { SettledLog } from '../../../libs/event-log/settled.js';
import type { BeatSigner } from '../../../libs/feed/beat-signer.js';
import { defined } from '../../../libs/kernel/defined.js';
import { runDirectivesLane, type ObservedDirectives } from '../../../libs/relay/directives-lane.js';
import { sourceOf } from '../../../libs/relay/cloud-event.js';
import { runEventsLane } from '../../../libs/relay/events-lane.js';
import type { KafkaLaneName } from '../../../libs/streams/relay-events.js';
import type { Lane, RelayParts } from '../../../libs/relay/lane.js';
import { directivesOutlet, eventsOutlet } from '../../../libs/relay/outlets.js';
import type { KafkaSettings } from '../settings/kafka.js';
import { addGauge, addTotal } from '../observability/gauges.js';

/** The details of a lane in `/health/ready`. None of them keeps the service from deciding. */
export interface LaneDetail {
  readonly state: ReturnType<Lane['status']>['state'];
  readonly reason?: string;
  /** Positions of the log that are not sent yet. */
  readonly lag: number;
  /** Milliseconds since the brokers last acknowledged something. */
  readonly sinceAckMs?: number;
}

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

/** Matches the addresses of brokers. Anyone may ask for the service's health, and must not learn them. */
const ADDRESS = /\S+:\d{1,5}\b|(?<=\b(?:ENOTFOUND|EAI_AGAIN) )\S+|(?<=altnames: ).*/g;

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
    const { state, reason, position, sinceAckMs } = lanes[name].status();
    return defined({
      state,
      reason: reason === undefined ? undefined : reason.replaceAll(ADDRESS, 'a broker'),
      lag: name === 'events' ? lagOf(newest(), position) : lanes.directives.status().waiting,
      sinceAckMs: sinceAckMs === undefined ? undefined : Math.round(sinceAckMs),
    });
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

const lagOf = (committed: bigint, passed: bigint): number => (committed > passed ? Number(committed - passed) : 0);
