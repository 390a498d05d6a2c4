import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { DamagedPlace } from '../../../libs/event-log/port.js';
import type { Lane, RelayParts } from '../../../libs/relay/lane.js';
import { batchesOf, bytesOf } from '../../../libs/relay/batches.js';
import { eventsOutlet, SIEM_TOPIC } from '../../../libs/relay/outlets.js';
import type { OutgoingRecord } from '../../../libs/relay/port.js';
import {
  NO_OUTLET,
  runSiemLane,
  type Delivered,
  type SiemOutput,
  type SiemParts,
} from '../../../libs/relay/siem-lane.js';
import type { MeasuredLog } from '../observability/measured-log.js';
import { addGauge, addTotal } from '../observability/gauges.js';
import { lagOf, laneDetail, type LaneDetail } from '../observability/lane-detail.js';
import type { Settings } from '../settings.js';
import type { SiemPage } from './messages.js';
import { SiemThread } from './siem-thread.js';

type Way = 'kafka' | 'file' | 'otlp';

export interface Siem {
  /** Of each way that is set. */
  details(): Partial<Record<Way, LaneDetail>>;
  /** Records progress and closes everything. Events that were not delivered stay in the log. */
  stop(): Promise<void>;
}

interface SiemNeeds extends Pick<RelayParts, 'clock' | 'time' | 'onTrouble' | 'onRecovered'> {
  readonly log: MeasuredLog;
  readonly registry: Registry;
  readonly onDamaged: (place: DamagedPlace) => void;
}

/** The thread answers within this time, or its delivery has failed: an exporter tries for 10 s by default. */
const DELIVER_MS = 30_000;
const HEADERS = { 'content-type': 'application/json' };

/** Starts a lane for each way on which OCSF events leave. None of them holds up a decision. */
export function startSiem({ siem, kafka, logFile }: Settings, needs: SiemNeeds): Siem {
  const { file, otlp } = siem;
  const thread = new SiemThread({ logFile, file, otlp }, needs.onDamaged);
  const { log, registry } = needs;
  // The embedded store admits one process, so an earlier holder of the lanes is gone.
  const parts: SiemParts = { ...needs, holder: randomUUID(), exclusive: true, latestCommit: () => log.latestCommit() };
  const lanes = new Map<Way, Lane>();
  const detailOf = (lane: Lane): LaneDetail => {
    const status = lane.status();
    return laneDetail(status, lagOf(log.latestCommit(), status.position));
  };
  const add = (name: Way, lane: Lane): void => {
    lanes.set(name, lane);
    measure(registry, name, lane, () => detailOf(lane));
  };
  if (siem.kafka && kafka !== undefined) {
    const { connection, ...sizes } = kafka;
    add('kafka', runSiemLane('siem-kafka', parts, eventsOutlet(connection, sizes, SIEM_TOPIC), kafkaOutput(thread)));
  }
  if (file !== undefined) {
    const settle = async () => void (await thread.ask({ kind: 'sync' }));
    add('file', runSiemLane('siem-file', parts, NO_OUTLET, { ...threadOutput(thread, 'file'), settle }));
  }
  if (otlp !== undefined) add('otlp', runSiemLane('siem-otlp', parts, NO_OUTLET, threadOutput(thread, 'otlp')));
  return {
    details: () => Object.fromEntries([...lanes].map(([name, lane]) => [name, detailOf(lane)])),
    async stop() {
      await Promise.all([...lanes.values()].map((lane) => lane.stop()));
      await thread.close();
    },
  };
}

const nothing = (): Promise<void> => Promise.resolve();

const deliveredOf = ({ to, count, atEnd }: SiemPage): Delivered => ({ to: BigInt(to), count, atEnd });

function threadOutput(thread: SiemThread, kind: 'file' | 'otlp'): SiemOutput {
  return {
    deliverMs: DELIVER_MS,
    deliver: async (after) => deliveredOf(pageOf(await thread.ask({ kind, after: Number(after) }))),
    settle: nothing,
  };
}

function kafkaOutput(thread: SiemThread): SiemOutput {
  return {
    deliverMs: DELIVER_MS,
    async deliver(after, { sender }) {
      const page = pageOf(await thread.ask({ kind: 'records', after: Number(after) }));
      for (const batch of batchesOf(recordsOf(page), bytesOf)) await sender.send(batch);
      return deliveredOf(page);
    },
    settle: nothing,
  };
}

function recordsOf({ records = [] }: SiemPage): OutgoingRecord[] {
  const outgoing: OutgoingRecord[] = [];
  for (let at = 0; at < records.length; at += 2) {
    outgoing.push({ key: records[at] ?? '', value: records[at + 1] ?? '', headers: HEADERS });
  }
  return outgoing;
}

function pageOf(page: SiemPage | undefined): SiemPage {
  if (page === undefined) throw new TypeError('the thread answered without a page');
  return page;
}

function measure(registry: Registry, name: Way, lane: Lane, detail: () => LaneDetail): void {
  const prefix = `sallyport_siem_${name}`;
  addGauge(registry, `${prefix}_sending`, 'Whether OCSF events leave on this way, 0 or 1.', () =>
    detail().state === 'sending' ? 1 : 0,
  );
  addGauge(registry, `${prefix}_lag`, 'Positions of the log whose OCSF events wait to leave.', () => detail().lag);
  addTotal(registry, `${prefix}_sent_total`, 'OCSF events that left on this way.', () => lane.status().sent);
}
