import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { percentile, shown, table } from '../bench/figures.js';
import { describeMachine } from '../bench/machine.js';
import { startService, type Service } from '../bench/ours.js';
import { startKafka } from '../engines/kafka/kafka.js';
import { expecting } from '../support/world.js';
import type { Order, Seen } from './instances.js';

/** `npm run bench:disable`: from the commit of a directive to the refusal at each of many instances, by either feed. */

const USAGE = `npm run bench:disable -- [options]
  --only <feeds>     watch, kafka, or both with a comma; both
  --instances <n>    in all; 100
  --processes <n>    that they are in; 4
  --directives <n>   50
  --json <file>      writes the figures as JSON too
`;
const GAP_MS = 100;
/** Directives before those that count. */
const WARM_UP = 5;
const WAIT_MS = 30_000;
const KINDS = ['watch', 'kafka'] as const;

interface Figures {
  readonly feed: (typeof KINDS)[number];
  /** From the commit, as the service dates it, to the refusal at an instance. */
  readonly fromCommitMs: readonly number[];
  /** From the operator's request to the refusal at an instance: it holds the commit too. */
  readonly fromRequestMs: readonly number[];
  /** From the commit to the acknowledgement, as the service dates both. */
  readonly acknowledgedMs: readonly number[];
  /** From the commit to `effectiveAt`, of each directive. */
  readonly effectiveMs: readonly number[];
  readonly incomplete: number;
  /** Of the first directive, at which nothing has been compiled yet and no connection has been used; not in the others. */
  readonly coldMs: readonly number[];
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const options = { only: text, instances: text, processes: text, directives: text, json: text } as const;
  const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
  const wanted = (values.only ?? 'watch,kafka').split(',');
  const feeds = KINDS.filter((kind) => wanted.includes(kind));
  const [instances, processes, directives] = [values.instances ?? 100, values.processes ?? 4, values.directives ?? 50];
  const counts = [instances, processes, directives].map(Number);
  if (values.help === true || feeds.length !== wanted.length || !counts.every((count) => count >= 1)) {
    say(USAGE);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const [instanceCount = 0, processCount = 0, directiveCount = 0] = counts;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-disable-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  const machine = describeMachine(folder);
  const all: Figures[] = [];
  for (const feed of feeds) {
    say(`${feed}: ${instanceCount} instances in ${processCount} processes, ${directiveCount} directives`);
    all.push(await measured(join(folder, feed), feed, instanceCount, processCount, directiveCount));
  }
  process.stdout.write(printed(machine, all, `${instanceCount} instances in ${processCount} processes`));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, all }, undefined, 2)}\n`);
}

async function measured(
  dataDir: string,
  feed: Figures['feed'],
  instances: number,
  processes: number,
  directives: number,
): Promise<Figures> {
  const kafka = feed === 'kafka' ? await startKafka() : undefined;
  const env = kafka === undefined ? {} : { SALLYPORT_KAFKA_BROKERS: kafka.brokers.join(',') };
  const service = await startService(dataDir, [], env);
  const children: ChildProcess[] = [];
  try {
    const refusals = new Map<number, number[]>();
    const order: Extract<Order, { kind: 'start' }> = {
      kind: 'start',
      count: Math.ceil(instances / processes),
      instance: { url: service.url, token: service.tokens.host, feeds: [feed], brokers: kafka?.brokers ?? [] },
    };
    await Promise.all(Array.from({ length: processes }, () => started(children, order, refusals)));
    const found: { id: string; epoch: number; requestedMs: number; committedMs: number }[] = [];
    for (let count = -WARM_UP; count < directives; count += 1) {
      await pause(GAP_MS);
      found.push(await disabled(service, count));
      await until(() => (refusals.get(found.at(-1)?.epoch ?? 0)?.length ?? 0) >= order.count * processes);
    }
    const [cold] = found.splice(0, WARM_UP);
    const propagations = await Promise.all(found.map(({ id }) => propagation(service, id)));
    return {
      feed,
      fromCommitMs: found.flatMap(({ epoch, committedMs }) =>
        (refusals.get(epoch) ?? []).map((atMs) => atMs - committedMs),
      ),
      fromRequestMs: found.flatMap(({ epoch, requestedMs }) =>
        (refusals.get(epoch) ?? []).map((atMs) => atMs - requestedMs),
      ),
      acknowledgedMs: propagations.flatMap(({ latenciesMs }) => latenciesMs),
      effectiveMs: propagations.flatMap(({ effectiveMs }) => effectiveMs ?? []),
      coldMs: (refusals.get(cold?.epoch ?? 0) ?? []).map((atMs) => atMs - (cold?.committedMs ?? 0)),
      incomplete: propagations.filter(({ effectiveMs }) => effectiveMs === undefined).length,
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await service.running.stop();
    await kafka?.stop();
  }
}

function started(children: ChildProcess[], order: Order, refusals: Map<number, number[]>): Promise<void> {
  const child = fork(fileURLToPath(new URL('./instances.js', import.meta.url)), { stdio: ['ignore', 2, 2, 'ipc'] });
  children.push(child);
  child.send(order);
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('a process with instances has ended')));
    child.on('message', (seen: Seen) => {
      if (seen.kind === 'ready') resolve();
      else if (seen.kind === 'failed') reject(new Error(seen.why));
      else refusals.set(seen.epoch, [...(refusals.get(seen.epoch) ?? []), seen.atMs]);
    });
  });
}

/** Issues a directive against a capability that nobody has: what it stops makes no difference to how it travels. */
async function disabled(service: Service, count: number) {
  const requestedMs = performance.timeOrigin + performance.now();
  const target = { type: 'capability', capability: `measured-${count + WARM_UP}` };
  const answer = await service.call('operator', 'POST', '/v1/directives', { target, reason: 'a measurement' });
  const { id, epoch, issuedAt } = expecting(201, answer);
  return { id: String(id), epoch: Number(epoch), requestedMs, committedMs: Date.parse(String(issuedAt)) };
}

/** As the service tells it, once every instance has acknowledged. */
async function propagation(service: Service, id: string) {
  let latenciesMs: number[] = [];
  let effectiveMs: number | undefined;
  await until(async () => {
    const told = expecting(200, await service.call('operator', 'GET', `/v1/directives/${id}/propagation`));
    latenciesMs = told.instances.flatMap(({ latencyMs }: { latencyMs?: number }) => latencyMs ?? []);
    effectiveMs = told.complete === true ? Date.parse(told.effectiveAt) - Date.parse(told.committedAt) : undefined;
    return effectiveMs !== undefined;
  });
  return { latenciesMs, effectiveMs };
}

async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + WAIT_MS; !(await look()); await pause(5)) {
    if (performance.now() > endMs) throw new Error(`not within ${WAIT_MS} ms`);
  }
}

function printed(machine: ReturnType<typeof describeMachine>, all: readonly Figures[], fleet: string): string {
  const row = (feed: string, what: string, values: readonly number[]): string[] => [
    `${feed}: ${what}`,
    String(values.length),
    ...[0.5, 0.9, 0.99, 1].map((share) => shown(percentile(values, share))),
  ];
  const rows = all.flatMap((each) => [
    row(each.feed, 'commit to refusal', each.fromCommitMs),
    row(each.feed, 'the first of all, cold', each.coldMs),
    row(each.feed, 'request to refusal', each.fromRequestMs),
    row(each.feed, 'commit to acknowledgement', each.acknowledgedMs),
    row(each.feed, 'commit to effectiveAt', each.effectiveMs),
  ]);
  const { cpu, cores, memoryGiB, node, kernel, fileSystem, loadBefore } = machine;
  return [
    `# Emergency disable, ${fleet}`,
    '',
    `Machine: ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${kernel}, ${fileSystem}; load before ${loadBefore.toFixed(2)}.`,
    '',
    'Method: the service in a process of its own on SQLite; each instance follows one feed with the SDK, and counts as',
    'refusing when it has verified and applied the directive. The commit is dated when it is decided, so the fsync is in',
    `the figure; all processes share the machine and its clock. ${WARM_UP} directives come before those that count; the first`,
    'of them is shown by itself. Milliseconds.',
    '',
    table(['what', 'n', 'p50', 'p90', 'p99', 'max'], rows),
    '',
    ...all.map(({ feed, incomplete }) => `${feed}: ${incomplete} directives whose propagation was not complete.`),
    '',
  ].join('\n');
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  },
);
