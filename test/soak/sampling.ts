import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from '../bench/figures.js';
import type { Service } from '../bench/ours.js';
import type { Inspected } from './inspector.js';
import type { Sample } from './judge.js';
import type { Tally } from './mix.js';
import { yardstickUs } from './yardstick.js';

const MIB = 2 ** 20;

/** Looks at the service once; `tally` is that of the interval, which took `overS`, and `cpuS` of the service's processor time. */
export async function sample(
  service: Service,
  dataDir: string,
  inspected: Inspected,
  tally: Tally,
  atS: number,
  overS: number,
  cpuS: number,
): Promise<Sample> {
  const { body } = await service.call('nobody', 'GET', '/metrics');
  const heapMiB = await inspected.heapMiB();
  const files = readdirSync(dataDir).map((name) => ({ name, bytes: statSync(join(dataDir, name)).size }));
  const sum = (wal: boolean): number =>
    files.filter(({ name }) => name.endsWith('-wal') === wal).reduce((all, { bytes }) => all + bytes, 0) / MIB;
  return {
    atS,
    perS: tally.requests / overS,
    p50Ms: percentile(tally.decisionsMs, 0.5),
    p99Ms: percentile(tally.decisionsMs, 0.99),
    rssMiB: service.running.residentMiB() ?? Number.NaN,
    heapMiB,
    walMiB: sum(true),
    filesMiB: sum(false),
    handles:
      readdirSync(`/proc/${service.running.pid}/fd`).length - valueIn(String(body), 'sallyport_http_connections'),
    lagP99Ms: valueIn(String(body), 'nodejs_eventloop_lag_p99_seconds') * 1000,
    cpuUs: (cpuS * 1e6) / tally.requests,
    yardstickUs: await yardstickUs(),
  };
}

function valueIn(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
}
