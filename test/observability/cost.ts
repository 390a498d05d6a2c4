import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SettledLog } from '../../libs/event-log/settled.js';
import { measuredAuthorizer, type Authorizing } from '../../apps/pdp/observability/measured-authorizer.js';
import { measuredLog } from '../../apps/pdp/observability/measured-log.js';
import { createMetrics } from '../../apps/pdp/observability/metrics.js';
import { systemClock } from '../../libs/kernel/time.js';
import { projectRoot } from '../support/root.js';
import { callerOf, tokensOf } from '../support/service.js';
import { callBody, openTask, readyWorld } from '../support/world.js';
import { startReceiver, telemetryEnvironment } from './receiver.js';

/**
 * The cost of observing. Run it by hand on a quiet machine, with `wrk` in the path: `node
 * dist/test/observability/cost.js [rounds] [seconds]`. It prints the wrappers' own time for each call. Then it prints
 * the throughput of authorize over HTTP without tracing, with it, and with a caller that has every call traced, in
 * alternating rounds.
 */
const [rounds = 3, seconds = 3] = process.argv.slice(2).map(Number);
const CONNECTIONS = 32;

/** Microseconds a call that the counters and timers add: the same calls with them and without them. */
async function microsOfWrappers(): Promise<number> {
  const metrics = createMetrics();
  const bareLog = { append: () => Promise.resolve({ kind: 'committed', position: 1n }) } as unknown as SettledLog;
  const log = measuredLog(bareLog, metrics, systemClock);
  const answer = Promise.resolve({ ok: true, value: { decision: 'allow', reason: 'ok' } });
  const over = (through: SettledLog): Authorizing =>
    ({
      authorize: async () => {
        await through.append({ writes: [], checks: [] });
        return answer;
      },
    }) as unknown as Authorizing;
  const time = async ({ authorize }: Authorizing): Promise<number> => {
    const asked = [{}, {}, undefined] as unknown as Parameters<Authorizing['authorize']>;
    const startedMs = performance.now();
    for (let each = 0; each < 200_000; each += 1) await authorize(...asked);
    return ((performance.now() - startedMs) * 1000) / 200_000;
  };
  const measured = measuredAuthorizer(over(log), metrics, systemClock);
  await time(measured);
  return (await time(measured)) - (await time(over(bareLog)));
}

interface Variant {
  readonly name: string;
  readonly env: Record<string, string>;
  readonly sampled: boolean;
  readonly perS: number[];
  readonly p99: string[];
}

/** A fresh service in a process of its own, asked by `wrk` for a while. */
async function round(variant: Variant): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-cost-'));
  const { PATH = '' } = process.env;
  const env = {
    PATH,
    SALLYPORT_DATA: dataDir,
    SALLYPORT_HTTP: '127.0.0.1:0',
    SALLYPORT_GRPC: '127.0.0.1:0',
    SALLYPORT_METRICS: 'off',
    ...variant.env,
  };
  const child = spawn(process.execPath, [join(projectRoot, 'dist/apps/pdp/main.js')], { env });
  try {
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    while (!out.includes('"url"')) await pause(20);
    const url = /"url":"([^"]+)"/.exec(out)?.[1] ?? '';
    const tokens = tokensOf(dataDir);
    const service = { call: callerOf(url, tokens) };
    await readyWorld(service);
    const [head = '', tail = ''] = JSON.stringify({ ...callBody(await openTask(service)), callId: '@' }).split('@');
    const traceparent = variant.sampled
      ? `'00-4bf92f3577b34da6a3ce929d0e0e' .. string.format('%04x', n % 65536) .. '-00f067aa0ba902b7-01'`
      : 'nil';
    const script = join(dataDir, 'authorize.lua');
    writeFileSync(
      script,
      `local n = math.random(0, 2^30)
       local headers = { ['content-type'] = 'application/json', authorization = 'Bearer ${tokens.host}' }
       request = function()
         n = n + 1
         headers.traceparent = ${traceparent}
         local id = string.format('00000000-0000-4000-8000-%012x', n)
         return wrk.format('POST', '/v1/calls/authorize', headers, [==[${head}]==] .. id .. [==[${tail}]==])
       end`,
    );
    await wrk(url, script, 1);
    const text = await wrk(url, script, seconds);
    variant.perS.push(Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]));
    variant.p99.push(/99%\s+(\S+)/.exec(text)?.[1] ?? '?');
    if (/Non-2xx/.test(text)) throw new Error(text);
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function wrk(url: string, script: string, forS: number): Promise<string> {
  const child = spawn('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${forS}s`, '--latency', '-s', script, url]);
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  return new Promise((resolve, reject) => child.once('error', reject).once('close', () => resolve(out)));
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

const receiver = await startReceiver();
const tracing = telemetryEnvironment(receiver);
const variant = (name: string, env: Record<string, string>, sampled: boolean): Variant => ({
  name,
  env,
  sampled,
  perS: [],
  p99: [],
});
const variants = [
  variant('tracing off', {}, false),
  variant('tracing on, as it comes', tracing, false),
  variant('tracing on, every call sampled by its caller', tracing, true),
];
console.log(`metrics: ${(await microsOfWrappers()).toFixed(2)} µs a call`);
for (let each = 0; each < rounds; each += 1) for (const one of variants) await round(one);
const off = median(variants[0]?.perS ?? []);
for (const { name, perS, p99 } of variants) {
  const rate = median(perS);
  console.log(`${name}: ${rate.toFixed(0)}/s (${(rate / off).toFixed(3)} of off), p99 ${p99.join(' ')}`);
}
console.log(`${receiver.spans().length} spans arrived`);
await receiver.close();
