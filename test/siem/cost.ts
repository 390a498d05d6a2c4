import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { defined } from '../../libs/kernel/defined.js';
import { describeMachine } from '../bench/machine.js';
import { median, percentile, shown, table } from '../bench/figures.js';
import { startKafka } from '../engines/kafka/kafka.js';
import { place, type LaunchOptions, type ServiceProcess } from '../process/child.js';
import { projectRoot } from '../support/root.js';
import type { Answered } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { otlpEnvironment, startCollector } from './collector.js';

/**
 * The cost of checkpoints and of the OCSF events on the decision path, on and off in one run:
 * `npm run bench:siem -- [rounds] [--kafka]`.
 *
 * All services run at the same time, each in a process of its own. They are asked in turns: each round asks each one for
 * a burst of calls over 16 connections, and then waits until all of it is sealed and the SIEM has it. So a change of the
 * machine's speed meets all alike. The CPU time is that of the thread that decides, and that of all threads (schedstat of
 * Linux), which other load on the machine changes little. The ratio of each round is that of neighbouring bursts.
 */
const rounds = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 10);
const withKafka = process.argv.includes('--kafka');
const CALLS = 2_000;
const TOGETHER = 16;
const WAYS = ['file', 'otlp', 'kafka'];

interface Side {
  readonly name: string;
  /** The index of the side that it is compared with. */
  readonly base: number;
  readonly service: ServiceProcess;
  readonly task: Answered;
  /** Of each round. */
  readonly cpuMicros: number[];
  /** The same of all threads. */
  readonly allMicros: number[];
  readonly perS: number[];
  /** Of each call, in milliseconds. */
  readonly latencies: number[];
}

/** CPU time of one thread, in microseconds. NaN where Linux does not tell. */
function cpuMicrosOf(pid: number, thread = String(pid)): number {
  const file = `/proc/${pid}/task/${thread}/schedstat`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[0]) / 1000 : Number.NaN;
}

/** The same of all threads together. */
function allMicrosOf(pid: number): number {
  const threads = existsSync(`/proc/${pid}/task`) ? readdirSync(`/proc/${pid}/task`) : [];
  return threads.reduce((sum, thread) => sum + cpuMicrosOf(pid, thread), 0);
}

async function burst(side: Side, calls: number): Promise<void> {
  const { service, task } = side;
  let left = calls;
  const worker = async (): Promise<void> => {
    for (; left > 0;) {
      left -= 1;
      const startedMs = performance.now();
      const answer = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
      side.latencies.push(performance.now() - startedMs);
      if (expecting(200, answer).decision !== 'allow') throw new Error('the call was to be allowed');
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
}

/** Waits until all is sealed, and every way has everything but the bookkeeping. */
async function untilDelivered({ service }: Side): Promise<void> {
  for (;;) {
    const text = String((await service.call('nobody', 'GET', '/metrics')).body);
    const lags = WAYS.map((way) => Number(new RegExp(`^sallyport_siem_${way}_lag (\\d+)$`, 'm').exec(text)?.[1] ?? 0));
    const unsealedS = Number(/^sallyport_seal_lag_seconds (\S+)$/m.exec(text)?.[1] ?? 0);
    if (lags.every((lag) => lag <= 2) && unsealedS === 0) return;
    await pause(50);
  }
}

async function round(side: Side): Promise<void> {
  const { pid } = side.service;
  const [cpu, all] = [cpuMicrosOf(pid), allMicrosOf(pid)];
  const startedMs = performance.now();
  await burst(side, CALLS);
  side.perS.push((CALLS * 1000) / (performance.now() - startedMs));
  await untilDelivered(side);
  side.cpuMicros.push((cpuMicrosOf(pid) - cpu) / CALLS);
  side.allMicros.push((allMicrosOf(pid) - all) / CALLS);
}

const cleanups: (() => unknown)[] = [];
const collector = await startCollector();
const kafka = withKafka ? await startKafka() : undefined;
try {
  const brokers = { SALLYPORT_KAFKA_BROKERS: kafka?.brokers.join(',') ?? '' };
  const switched = (sealing: string): LaunchOptions['command'] => [
    process.execPath,
    join(projectRoot, 'dist', 'test', 'bench', 'sealing-switch.js'),
    sealing,
  ];
  type Wanted = readonly [string, number, (dataDir: string) => Record<string, string>, LaunchOptions['command']?];
  const wanted: readonly Wanted[] = [
    ['without checkpoints', 0, () => ({}), switched('off')],
    ['with checkpoints', 0, () => ({}), switched('on')],
    ['off', 2, () => ({})],
    ['file', 2, (dataDir) => ({ SALLYPORT_SIEM_FILE: join(dataDir, 'siem.jsonl') })],
    [
      'file and collector',
      2,
      (dataDir) => ({ SALLYPORT_SIEM_FILE: join(dataDir, 'siem.jsonl'), ...otlpEnvironment(collector) }),
    ],
    ...(kafka === undefined
      ? []
      : ([
          ['Kafka, off', 5, () => ({ ...brokers, SALLYPORT_SIEM_KAFKA: 'off' })],
          ['Kafka, on', 5, () => brokers],
        ] as const)),
  ];
  const sides: Side[] = [];
  for (const [name, base, envOf, command] of wanted) {
    const { dataDir, start } = place({ after: (cleanup) => void cleanups.push(cleanup) });
    // Spans are not what is measured.
    const service = await start({ env: { OTEL_TRACES_EXPORTER: 'none', ...envOf(dataDir) }, ...defined({ command }) });
    await readyWorld(service);
    sides.push({
      name,
      base,
      service,
      task: await openTask(service),
      cpuMicros: [],
      allMicros: [],
      perS: [],
      latencies: [],
    });
  }
  const { cpu, cores, memoryGiB, node, kernel, loadBefore } = describeMachine('.');
  console.log(
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${kernel}, load ${loadBefore.toFixed(1)} before`,
  );
  console.log(`${rounds} rounds of ${CALLS} calls each, ${TOGETHER} at a time; one warm-up round is not counted`);
  for (const side of sides) await burst(side, CALLS);
  for (const side of sides) side.latencies.splice(0);
  for (let each = 0; each < rounds; each += 1) {
    // In another order each time, so that nobody is always the one after the busiest.
    for (const side of each % 2 === 0 ? sides : sides.toReversed()) await round(side);
  }
  const of = (values: readonly number[], others: readonly number[] = []): string =>
    median(values.map((value, at) => value / (others[at] ?? Number.NaN))).toFixed(3);
  const rows = sides.map(({ name, base, cpuMicros, allMicros, perS, latencies }) => [
    name,
    sides[base]?.name === name ? '' : (sides[base]?.name ?? ''),
    shown(median(cpuMicros)),
    of(cpuMicros, sides[base]?.cpuMicros),
    shown(median(allMicros)),
    of(allMicros, sides[base]?.allMicros),
    shown(median(perS)),
    shown(percentile(latencies, 0.5)),
    shown(percentile(latencies, 0.99)),
  ]);
  const head = ['service', 'compared with', 'deciding µs/call', 'times', 'all threads µs/call', 'times', 'calls/s'];
  console.log(table([...head, 'p50 ms', 'p99 ms'], rows));
} finally {
  for (const cleanup of cleanups) await cleanup();
  await kafka?.stop();
  await collector.close();
}
