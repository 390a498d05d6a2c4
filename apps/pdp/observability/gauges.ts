import { stat } from 'node:fs/promises';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { z } from 'zod';
import type { DriftObserved } from '../../../libs/capability/events.js';
import { Severity } from '../../../libs/capability/diff.js';
import type { ControlView } from '../../../libs/control/control-view.js';
import type { SqliteLog } from '../../../libs/event-log/sqlite/sqlite-log.js';
import type { Instances } from '../../../libs/fleet/instances.js';
import type { Broadcast } from '../../../libs/feed/broadcast.js';
import { freeBytesAt } from './disk-watch.js';
import type { MeasuredLog } from './measured-log.js';

/** The sources of the values that a scrape of the metrics reads. */
export interface Observed {
  readonly store: Pick<SqliteLog, 'stats'>;
  /** The file of the event log; its WAL lies next to it. */
  readonly logFile: string;
  readonly log: Pick<MeasuredLog, 'unseenMs'>;
  readonly view: Pick<ControlView, 'position' | 'directives'>;
  readonly lanesHeld: () => number;
}

/** Gauges of the directive feed: how many instances are live or stale, and how old the last heartbeat is. */
export function registerFeedGauges(
  registry: Registry,
  instances: Pick<Instances, 'counts'>,
  broadcast: Pick<Broadcast, 'silentMs'>,
): void {
  addGauge(
    registry,
    'sallyport_instances_live',
    'Instances of hosts that hold a lease.',
    () => instances.counts().live,
  );
  addGauge(
    registry,
    'sallyport_instances_stale',
    'Instances that were silent for a lease.',
    () => instances.counts().stale,
  );
  addGauge(registry, 'sallyport_heartbeat_age_seconds', 'Since a heartbeat of the directive feed was made.', () => {
    return (broadcast.silentMs ?? 0) / 1000;
  });
}

/** Counts each drift that is recorded from now on, whether it suspends a version for one host, for all or for none. */
export function countDrifts(registry: Registry, view: Pick<ControlView, 'listen'>): void {
  const drifts = new Counter({
    name: 'sallyport_drift_observed_total',
    help: 'Definitions that a host saw in place of the pinned one, by severity.',
    labelNames: ['severity'],
    registers: [registry],
  });
  // An alert sees a rise only of a series that was there before.
  for (const severity of Severity.options) drifts.inc({ severity }, 0);
  view.listen(({ event }) => {
    if (event.type !== 'DriftObserved') return;
    const { diff } = event.data as z.infer<typeof DriftObserved>;
    drifts.inc({ severity: diff.severity });
  });
}

type Described<Value> = [name: string, help: string, read: () => Value];

/** A gauge whose value is read at each scrape. */
export function addGauge(registry: Registry, ...[name, help, read]: Described<number | Promise<number>>): void {
  const each: Gauge = new Gauge({
    name,
    help,
    registers: [registry],
    collect: async () => each.set(await read()),
  });
}

/** A counter whose value is read at each scrape. */
export function addTotal(registry: Registry, ...[name, help, read]: Described<number>): void {
  const each: Counter = new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      each.reset();
      each.inc(read());
    },
  });
}

/** Registers metrics that cost nothing until a scrape reads them. */
export function registerGauges(registry: Registry, { store, logFile, log, view, lanesHeld }: Observed): void {
  const gauge = (...each: Described<number | Promise<number>>): void => addGauge(registry, ...each);
  const total = (...each: Described<number>): void => addTotal(registry, ...each);
  gauge('sallyport_append_queue_batches', 'Appends that wait for their commit.', () => store.stats().queuedBatches);
  gauge('sallyport_append_queue_bytes', 'About how many bytes wait to be appended.', () => store.stats().queuedBytes);
  total('sallyport_append_groups_total', 'Groups given to the writer: one transaction, one fsync each.', () => {
    return store.stats().groups;
  });
  total('sallyport_append_grouped_batches_total', 'Appends in those groups; their quotient is the group size.', () => {
    const { committed, refused, unknown } = store.stats();
    return committed + refused + unknown;
  });
  total('sallyport_append_unknown_total', 'Appends whose fate the store did not know at first.', () => {
    return store.stats().unknown;
  });
  total('sallyport_log_writer_deaths_total', 'Times that the thread died which writes the log.', () => {
    return store.stats().deaths;
  });
  gauge('sallyport_wal_bytes', 'Size of the write-ahead log.', () => sizeOf(`${logFile}-wal`));
  gauge('sallyport_log_free_bytes', 'Bytes that the service may still write on the disk of the log.', async () => {
    return (await freeBytesAt(logFile)) ?? Number.NaN;
  });
  gauge('sallyport_log_bytes', 'Size of the event log without its write-ahead log.', () => sizeOf(logFile));
  gauge('sallyport_directives_epoch', 'The epoch of the emergency directives.', () => view.directives().revision);
  gauge('sallyport_view_lag_seconds', 'Age of a commit of this process that the view has not seen; else 0.', () => {
    return log.unseenMs(view.position) / 1000;
  });
  gauge('sallyport_task_lanes', 'Tasks that are held in memory.', lanesHeld);
}

/** The size of a file in bytes; 0 if there is none, as after a clean shutdown. */
async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}
