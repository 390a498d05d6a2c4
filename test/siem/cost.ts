import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describeMachine } from '../bench/machine.js';
import { median, percentile } from '../bench/figures.js';
import { startKafka } from '../engines/kafka/kafka.js';
import { place, type ServiceProcess } from '../process/child.js';
import type { Answered } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { otlpEnvironment, startCollector } from './collector.js';

/**
 * The cost of the OCSF events on the decision path, on and off in one run: `npm run bench:siem -- [rounds] [--kafka]`.
 *
 * All services run at the same time, each in a process of its own. They are asked in turns: each round asks each one for
 * a burst of calls over 16 connections, and then waits until the SIEM has all of it. So a change of the machine's speed
 * meets all alike. The CPU time is that of the thread that decides (schedstat of Linux), which other load on the machine
 * changes little. The ratio of each round is that of neighbouring bursts.
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
  readonly perS: number[];
  /** Of each call, in milliseconds. */
  readonly latencies: number[];
}

/** CPU time of the main thread, in microseconds. NaN where Linux does not tell. */
function cpuMicrosOf(pid: number): number {
  const file = `/proc/${pid}/task/${pid}/schedstat`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[0]) / 1000 : Number.NaN;
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

/** Waits until every way has everything but the bookkeeping. */
async function untilDelivered({ service }: Side): Promise<void> {
  for (;;) {
    const text = String((await service.call('nobody', 'GET', '/metrics')).body);
    const lags = WAYS.map((way) => Number(new RegExp(`^sallyport_siem_${way}_lag (\\d+)$`, 'm').exec(text)?.[1] ?? 0));
    if (lags.every((lag) => lag <= 2)) return;
    await pause(50);
  }
}

async function round(side: Side): Promise<void> {
  const cpu = cpuMicrosOf(side.service.pid);
  const startedMs = performance.now();
  await burst(side, CALLS);
  side.perS.push((CALLS * 1000) / (performance.now() - startedMs));
  await untilDelivered(side);
  side.cpuMicros.push((cpuMicrosOf(side.service.pid) - cpu) / CALLS);
}

const cleanups: (() => unknown)[] = [];
const collector = await startCollector();
const kafka = withKafka ? await startKafka() : undefined;
try {
  const brokers = { SALLYPORT_KAFKA_BROKERS: kafka?.brokers.join(',') ?? '' };
  const wanted: readonly (readonly [string, number, (dataDir: string) => Record<string, string>])[] = [
    ['off', 0, () => ({})],
    ['file', 0, (dataDir) => ({ SALLYPORT_SIEM_FILE: join(dataDir, 'siem.jsonl') })],
    [
      'file and collector',
      0,
      (dataDir) => ({ SALLYPORT_SIEM_FILE: join(dataDir, 'siem.jsonl'), ...otlpEnvironment(collector) }),
    ],
    ...(kafka === undefined
      ? []
      : ([
          ['Kafka, off', 3, () => ({ ...brokers, SALLYPORT_SIEM_KAFKA: 'off' })],
          ['Kafka, on', 3, () => brokers],
        ] as const)),
  ];
  const sides: Side[] = [];
  for (const [name, base, envOf] of wanted) {
    const { dataDir, start } = place({ after: (cleanup) => void cleanups.push(cleanup) });
    // Spans are not what is measured.
    const service = await start({ env: { OTEL_TRACES_EXPORTER: 'none', ...envOf(dataDir) } });
    await readyWorld(service);
    sides.push({ name, base, service, task: await openTask(service), cpuMicros: [], perS: [], latencies: [] });
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
  for (const { name, base, cpuMicros, perS, latencies } of sides) {
    const other = sides[base];
    const ratio = median(cpuMicros.map((micros, at) => micros / (other?.cpuMicros[at] ?? Number.NaN)));
    const speed = median(perS.map((rate, at) => rate / (other?.perS[at] ?? Number.NaN)));
    console.log(
      `${name}: ${median(cpuMicros).toFixed(0)} µs CPU of the deciding thread a call (${ratio.toFixed(3)} of off), ` +
        `${median(perS).toFixed(0)}/s (${speed.toFixed(3)} of off), ` +
        `p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms`,
    );
  }
} finally {
  for (const cleanup of cleanups) await cleanup();
  await kafka?.stop();
  await collector.close();
}
