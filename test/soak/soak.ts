import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { describeMachine } from '../bench/machine.js';
import { startService } from '../bench/ours.js';
import { notRecorded, recordedCalls } from '../bench/recorded.js';
import { chanceOf } from '../support/chance.js';
import { inspect } from './inspector.js';
import { judge, type Counts, type Sample } from './judge.js';
import { newTally, startMix } from './mix.js';
import { closed, open } from './pace.js';
import { printed, type SoakReport } from './report.js';
import { sample } from './sampling.js';

/** `npm run soak`: mixed load on the real process at a part of what it can do, and whether anything grows or is lost. */

const USAGE = `npm run soak -- [options]
  --minutes <n>  how long; 5
  --hours <n>    the same in hours
  --rate <n>     requests of the mix a second, instead of 70 % of the capacity that is measured first
  --json <file>  writes the report as JSON too
`;
const SHARE = 0.7;
const CAPACITY_CLIENTS = 32;
const CAPACITY_MS = 15_000;
const WARM_UP_MS = 5000;
const CONTROL_MS = 1000;
const INTERVALS = 30;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const options = { minutes: text, hours: text, rate: text, json: text, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ options });
  const minutes = values.hours === undefined ? Number(values.minutes ?? 5) : Number(values.hours) * 60;
  const rate = values.rate === undefined ? undefined : Number(values.rate);
  if (values.help === true || !(minutes > 0) || (rate !== undefined && !(rate > 0))) {
    say(USAGE);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-soak-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  const report = await soak(folder, minutes * 60, rate);
  process.stdout.write(printed(report));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (report.verdicts.some(({ held }) => !held)) process.exitCode = 1;
}

async function soak(folder: string, durationS: number, asked: number | undefined): Promise<SoakReport> {
  const machine = describeMachine(folder);
  const dataDir = join(folder, 'data');
  const service = await startService(dataDir, ['--inspect=127.0.0.1:0']);
  try {
    const inspected = await inspect(service.running.output());
    const mix = await startMix(service, chanceOf(1));
    await closed(CAPACITY_CLIENTS, WARM_UP_MS, mix.step);
    mix.take();
    const capacity = asked === undefined ? await capacityOf(mix) : undefined;
    mix.take();
    const rate = asked ?? (capacity ?? 0) * SHARE;
    say(`capacity ${capacity?.toFixed(0) ?? 'not measured'} steps/s; ${durationS} s at ${rate.toFixed(0)} steps/s`);

    const stop = new AbortController();
    const load = open(rate, stop.signal, mix.step);
    const control = controlling(stop.signal, mix.control);
    const samples: Sample[] = [];
    const all = newTally();
    const startMs = performance.now();
    let usedS = service.running.cpuS() ?? Number.NaN;
    for (let interval = 1; interval <= INTERVALS; interval += 1) {
      await pause(startMs + (interval * durationS * 1000) / INTERVALS - performance.now());
      const tally = mix.take();
      const atS = (performance.now() - startMs) / 1000;
      const nowUsedS = service.running.cpuS() ?? Number.NaN;
      const seen = await sample(service, dataDir, inspected, tally, atS, durationS / INTERVALS, nowUsedS - usedS);
      usedS = nowUsedS;
      samples.push(seen);
      all.requests += tally.requests;
      all.refused += tally.refused;
      all.wrongCount += tally.wrongCount;
      all.wrong.push(...tally.wrong);
      say(
        `${atS.toFixed(0)} s: ${seen.perS.toFixed(0)}/s, p99 ${seen.p99Ms.toFixed(1)} ms, heap ${seen.heapMiB.toFixed(1)} MiB, RSS ${seen.rssMiB.toFixed(0)} MiB`,
      );
    }
    stop.abort();
    await Promise.all([load, control]);
    inspected.close();
    await service.running.stop();
    const counts: Counts = {
      allows: mix.allowed.size,
      lostAllows: await notRecorded(recordedCalls(dataDir), mix.allowed),
      wrong: all.wrongCount,
      refused: all.refused,
      requests: all.requests,
    };
    const verdicts = judge(samples, counts);
    const at = new Date().toISOString();
    return { at, machine, durationS, capacity, rate, samples, counts, wrong: all.wrong.slice(0, 20), verdicts };
  } finally {
    await service.running.stop();
  }
}

async function capacityOf(mix: { step(dueMs: number): Promise<void> }): Promise<number> {
  let steps = 0;
  const step = async (dueMs: number): Promise<void> => {
    await mix.step(dueMs);
    steps += 1;
  };
  const startMs = performance.now();
  await closed(CAPACITY_CLIENTS, CAPACITY_MS, step);
  return (steps * 1000) / (performance.now() - startMs);
}

async function controlling(signal: AbortSignal, control: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await control();
    await pause(CONTROL_MS, undefined, { signal }).catch(() => undefined);
  }
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  },
);
