import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { TraceEvidence } from '../../libs/contract/audit.js';
import type { Callable } from '../support/service.js';
import { callBody, expecting, openTask } from '../support/world.js';
import { median, percentile } from './figures.js';
import { CALLS_PER_TASK, fill } from './fill.js';
import { seed, startService, type Service } from './ours.js';

/** A store that has grown: how long a start takes, how much memory it needs, and how fast a trace is found in it. */

export interface StoreOptions {
  readonly folder: string;
  /** All events together, a tenth of them control events. */
  readonly events: number;
  readonly capabilities: number;
  readonly starts: number;
  readonly say: (line: string) => void;
}

export interface StoreReport {
  readonly events: number;
  readonly controlEvents: number;
  readonly storeMiB: number;
  /** From the launch to the first 200 of `/health/ready`, with the files in the page cache, and without. */
  readonly restartMs: number;
  readonly coldRestartMs: number | undefined;
  readonly trace: {
    readonly events: number;
    readonly warmP50Ms: number;
    readonly warmP99Ms: number;
    /** The first query of each trace after a start without a page cache. */
    readonly coldP50Ms: number | undefined;
    readonly coldP99Ms: number | undefined;
    /** Processor time of the service for a warm query; undefined where /proc is not. */
    readonly warmCpuMs: number | undefined;
    readonly warmQueries: number;
    readonly coldQueries: number;
  };
  readonly memory: {
    readonly capabilities: number;
    readonly residentMiB: number | undefined;
    /** The same with one capability. */
    readonly emptyMiB: number | undefined;
  };
}

const CONTROL_SHARE = 0.1;
const EVENTS_PER_CAPABILITY = 3;
const EVENTS_PER_TASK = 50;
const TRACES = 40;
const WARM_ROUNDS = 10;
const INDEX_MS = 900_000;

export async function benchStore(options: StoreOptions): Promise<StoreReport> {
  const { starts, say } = options;
  const grown = await growStore(options);
  const { dataDir } = grown;
  const warmStarts: number[] = [];
  for (let start = 0; start < starts; start += 1) {
    warmStarts.push(await during(dataDir, async ({ readyMs }) => readyMs));
  }
  const { trace, coldRestartMs } = await measureTraces(grown);
  say('store: starts and traces done');
  const memory = await residentMemory(options);
  return {
    events: options.events,
    controlEvents: grown.controlEvents,
    storeMiB: sizeMiB(dataDir),
    restartMs: median(warmStarts),
    coldRestartMs,
    trace,
    memory,
  };
}

export interface GrownStore {
  readonly dataDir: string;
  /** Traces that the service wrote itself, half of them in the middle of the log and half near its beginning. */
  readonly traces: readonly string[];
  readonly controlEvents: number;
}

/** Fills a store. Its index of calls is up to date. */
export async function growStore({
  folder,
  events,
  say,
}: Pick<StoreOptions, 'folder' | 'events' | 'say'>): Promise<GrownStore> {
  const dataDir = join(folder, 'store');
  const capabilities = Math.round((events * CONTROL_SHARE) / EVENTS_PER_CAPABILITY);
  const tasks = Math.round((events * (1 - CONTROL_SHARE)) / EVENTS_PER_TASK);
  const half = { capabilities: Math.ceil(capabilities / 2), tasks: Math.ceil(tasks / 2) };
  const traces: string[] = [];
  const realTraces = async (service: Service): Promise<void> => {
    for (let index = 0; index < TRACES / 2; index += 1) traces.push(await realTrace(service));
  };
  await during(dataDir, async (service) => {
    await seed(service);
    await realTraces(service);
  });
  await fill(dataDir, half);
  await during(dataDir, realTraces);
  await fill(dataDir, half);
  // The index of calls is brought up to date once: that is no part of a usual start.
  await during(dataDir, indexed);
  say(`store: filled with about ${events} events`);
  return { dataDir, traces, controlEvents: 2 * half.capabilities * EVENTS_PER_CAPABILITY };
}

/** How fast a trace is found, warm and cold. */
export async function measureTraces({
  dataDir,
  traces,
}: GrownStore): Promise<Pick<StoreReport, 'trace' | 'coldRestartMs'>> {
  const warm = await during(dataDir, async (service) => {
    await query(service, traces);
    const took: number[] = [];
    const before = service.running.cpuS();
    for (let round = 0; round < WARM_ROUNDS; round += 1) took.push(...(await query(service, traces)));
    const after = service.running.cpuS();
    const cpuMs = before === undefined || after === undefined ? undefined : ((after - before) * 1000) / took.length;
    return { took, cpuMs };
  });
  const dropped = dropPageCache(dataDir);
  const cold = await during(dataDir, async (service) => ({
    readyMs: service.readyMs,
    took: dropped ? await query(service, traces) : [],
  }));
  return {
    coldRestartMs: dropped ? cold.readyMs : undefined,
    trace: {
      events: EVENTS_PER_TASK,
      warmP50Ms: median(warm.took),
      warmP99Ms: percentile(warm.took, 0.99),
      warmCpuMs: warm.cpuMs,
      coldP50Ms: dropped ? median(cold.took) : undefined,
      coldP99Ms: dropped ? percentile(cold.took, 0.99) : undefined,
      warmQueries: warm.took.length,
      coldQueries: cold.took.length,
    },
  };
}

async function residentMemory({ folder, capabilities, say }: StoreOptions): Promise<StoreReport['memory']> {
  const dataDir = join(folder, 'memory');
  const used = async (service: Service): Promise<number | undefined> => {
    await realTrace(service);
    return service.running.residentMiB();
  };
  await during(dataDir, async (service) => {
    await seed(service);
    await realTrace(service);
  });
  const emptyMiB = await during(dataDir, used);
  await fill(dataDir, { capabilities, tasks: 0 });
  await during(dataDir, indexed);
  const residentMiB = await during(dataDir, used);
  say(`store: memory with ${capabilities} capabilities done`);
  return { capabilities, residentMiB, emptyMiB };
}

/** A service on the folder while `use` runs. */
export async function during<Value>(dataDir: string, use: (service: Service) => Promise<Value>): Promise<Value> {
  const service = await startService(dataDir);
  try {
    return await use(service);
  } finally {
    await service.running.stop();
  }
}

/** A task of 50 events, through the front door; its trace id. */
async function realTrace(service: Service): Promise<string> {
  const task = await openTask(service);
  for (let call = 0; call < CALLS_PER_TASK; call += 1) {
    const answer = expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
    if (answer.decision !== 'allow') throw new Error(`a call that should be allowed: ${answer.reason}`);
  }
  return task.traceId;
}

/** Waits until the index has all of the log: queries of calls say 503 before. */
export async function indexed(service: Callable): Promise<void> {
  for (const endMs = performance.now() + INDEX_MS; performance.now() < endMs;) {
    const { status } = await service.call('auditor', 'GET', '/v1/audit/calls?limit=1');
    if (status === 200) return;
  }
  throw new Error('the index was not brought up to date in time');
}

/**
 * Milliseconds of one query of each trace, one after the other, from the request to the last byte of the answer. The
 * client's work on the answer is not counted. Each answer is checked to hold all its calls.
 */
async function query(service: Service, traces: readonly string[]): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { authorization: `Bearer ${service.tokens.auditor}` };
  const took: number[] = [];
  try {
    for (const traceId of traces) {
      const startedMs = performance.now();
      const answer = await new Promise<Buffer>((resolve, reject) => {
        const asked = get(`${service.url}/v1/audit/traces/${traceId}`, { agent, headers }, (response) => {
          buffer(response).then(resolve, reject);
        });
        asked.once('error', reject);
      });
      took.push(performance.now() - startedMs);
      const { calls } = JSON.parse(String(answer)) as Partial<TraceEvidence>;
      if (calls?.length !== CALLS_PER_TASK) throw new Error(`a trace that should hold its calls: ${answer.byteLength}`);
    }
  } finally {
    agent.destroy();
  }
  return took;
}

/** Makes the next reads come from the disk, with GNU dd, for these files alone. False where that is not to be had. */
function dropPageCache(folder: string): boolean {
  try {
    for (const file of readdirSync(folder)) {
      const args = [`if=${join(folder, file)}`, 'iflag=nocache', 'count=0', 'status=none'];
      execFileSync('dd', args, { stdio: 'ignore' });
    }
    return true;
  } catch {
    return false;
  }
}

function sizeMiB(folder: string): number {
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0) / 2 ** 20;
}
