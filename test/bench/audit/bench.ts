import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chanceOf } from '../../support/chance.js';
import { describeMachine } from '../machine.js';
import { startService, type Service } from '../ours.js';
import { growStore, indexed, measureTraces } from '../store.js';
import { measureCrowd } from './crowd.js';
import { openFacts } from './log-facts.js';
import { startMixedRun, type MixedRun } from './mixed-run.js';
import { differences, replayAll, replayFromBundles, type Replays } from './replays.js';
import { measureRebuild, removeIndex } from './rebuild.js';
import { isFaulty, printed, type AuditReport, type AuditSizes } from './report.js';
import { recoverSome } from './sampled.js';
import { decideByStream } from './stream.js';
import { walkAll } from './walks.js';

/** `npm run bench:audit`: the trial of an auditor on a log with many decisions. */

const USAGE = `npm run bench:audit -- [options]
  --decisions <n>  mixed decisions to fill the log with; 200,000
  --events <n>     events of the store for traces and for the rebuild; 1,000,000
  --auditors <n>   that ask in a loop; 8
  --turns <n>      with and without them, each of 5 s; 10
  --replays <n>    decisions that are decided again in four ways; 100,000
  --only <parts>   of sample, walk, crowd, replay, traces, rebuild; separated by commas
  --quick          3,000 decisions, 20,000 events, 2 turns: to see that it works, not to quote
  --seed <n>       of what is asked and drawn; 1
  --json <file>    writes the report as JSON too
`;
const PARTS = ['sample', 'walk', 'crowd', 'replay', 'traces', 'rebuild'] as const;
const OF_TRIAL = new Set(['sample', 'walk', 'crowd', 'replay']);
const OF_STORE = new Set(['traces', 'rebuild']);
const CALLS_PER_TASK = 48;
/** Calls that name an unknown task are in no trace. */
const LEAST_PER_TASK = 45;
const TASKS_AT_ONCE = 4;
const DRAWN = 10;
const TURN_S = 5;
const DECISIONS_PER_S = 100;
/** Between two tasks of ten calls while lists are walked. */
const ARRIVAL_MS = 100;
/** Until the last checkpoint has all events. */
const SEALED_MS = 2_000;
/** Ends the run even if something hangs. */
const MAX_MS = 90 * 60_000;

interface Options extends AuditSizes {
  readonly folder: string;
  readonly parts: readonly string[];
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const named = {
    decisions: text,
    events: text,
    auditors: text,
    turns: text,
    replays: text,
    only: text,
    seed: text,
    json: text,
  };
  const flags = { quick: { type: 'boolean' }, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ options: { ...named, ...flags } });
  const quick = values.quick === true;
  const parts = (values.only ?? PARTS.join()).split(',');
  const sizes = {
    decisions: Number(values.decisions ?? (quick ? 3_000 : 200_000)),
    events: Number(values.events ?? (quick ? 20_000 : 1_000_000)),
    auditors: Number(values.auditors ?? 8),
    turns: Number(values.turns ?? (quick ? 2 : 10)),
    replays: Number(values.replays ?? 100_000),
    seed: Number(values.seed ?? 1),
  };
  const isUsage = parts.every((part) => PARTS.some((known) => known === part));
  if (values.help === true || !isUsage || !Object.values(sizes).every((size) => size >= 1)) {
    say(USAGE);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));
  setTimeout(() => process.exit(1), MAX_MS).unref();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  const options = { folder, parts, ...sizes };
  const machine = describeMachine(folder);
  const report: AuditReport = {
    at: new Date().toISOString(),
    machine,
    sizes,
    ...(parts.some((part) => OF_TRIAL.has(part)) ? { trial: await trial(options) } : {}),
    ...(parts.some((part) => OF_STORE.has(part)) ? { store: await store(options) } : {}),
  };
  process.stdout.write(printed(report));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  // Slow is a finding; wrong is a failure.
  if (isFaulty(report)) process.exitCode = 1;
}

/** Fills a log through the front door, and asks as an auditor does. */
async function trial(options: Options): Promise<NonNullable<AuditReport['trial']>> {
  const { folder, decisions, parts, seed } = options;
  const dataDir = join(folder, 'data');
  let service = await startService(dataDir);
  try {
    const { decide, end } = decideByStream(service.grpc);
    const run = await startMixedRun(service, decide, chanceOf(seed));
    const startedMs = performance.now();
    await fillWith(run, decisions);
    const fillS = (performance.now() - startedMs) / 1000;
    const filled = run.decisions;
    say(`${filled} decisions in ${fillS.toFixed(0)} s`);
    await indexed(service);
    const facts = openFacts(join(dataDir, 'sallyport.db'));
    const wanted = (part: string) => parts.includes(part);
    const recovered = wanted('sample') ? await recoverSome(service, run, facts, chanceOf(seed, 2), DRAWN) : undefined;
    const [host] = run.hosts;
    if (host === undefined) throw new Error('no host');
    await facts.readOn();
    const crowd = wanted('crowd')
      ? await measureCrowd(service, host, facts, { ...options, turnS: TURN_S, perS: DECISIONS_PER_S }, say)
      : undefined;
    const walks = wanted('walk') ? await whileArriving(run, () => walkAll(service, run, facts, say)) : undefined;
    facts.close();
    end();
    const again = wanted('replay')
      ? await replayedAgain(service, tracesOf(run, options.replays), async (index) => {
          await service.running.stop();
          if (index === 'rebuilt') removeIndex(dataDir);
          service = await startService(dataDir);
          await indexed(service);
          return service;
        })
      : undefined;
    const { events } = facts;
    return { decisions: filled, events: events.length, fillS, recovered, crowd, walks, replays: again };
  } finally {
    await service.running.stop();
  }
}

async function fillWith(run: MixedRun, decisions: number): Promise<void> {
  const filler = async (): Promise<void> => {
    while (run.decisions < decisions) await run.task(CALLS_PER_TASK);
  };
  await Promise.all(Array.from({ length: TASKS_AT_ONCE }, filler));
}

async function whileArriving<Value>(run: MixedRun, use: () => Promise<Value>): Promise<Value> {
  const over = new AbortController();
  const arriving = (async () => {
    for (; !over.signal.aborted; await pause(ARRIVAL_MS)) await run.task(10);
  })();
  try {
    return await use();
  } finally {
    over.abort();
    await arriving;
  }
}

/** The traces of the first tasks, until they have so many calls. */
const tracesOf = ({ tasks }: MixedRun, calls: number): ReadonlySet<string> =>
  new Set([...tasks.values()].slice(0, Math.ceil(calls / LEAST_PER_TASK)).map(({ traceId }) => traceId));

async function replayedAgain(
  service: Service,
  traces: ReadonlySet<string>,
  restarted: (index: 'kept' | 'rebuilt') => Promise<Service>,
): Promise<{ readonly ways: readonly Replays[]; readonly differing: readonly string[] }> {
  await pause(SEALED_MS);
  const ways: Replays[] = [];
  const add = (replays: Replays): void => {
    ways.push(replays);
    say(`replay ${replays.way}: ${replays.identical.size} identical, ${replays.others.length} others`);
  };
  add(await replayAll(service, 'live', traces));
  add(await replayAll(await restarted('kept'), 'after a restart', traces));
  const rebuilt = await restarted('rebuilt');
  add(await replayAll(rebuilt, 'after a rebuild of the index', traces));
  add(await replayFromBundles(rebuilt, traces));
  const [live, ...others] = ways;
  return { ways, differing: live === undefined ? [] : others.flatMap((other) => differences(live, other)) };
}

async function store({ folder, events, parts }: Options): Promise<NonNullable<AuditReport['store']>> {
  const grown = await growStore({ folder, events, say });
  const traces = parts.includes('traces') ? await measureTraces(grown) : undefined;
  say('traces: done');
  const rebuild = parts.includes('rebuild') ? await measureRebuild(grown.dataDir, grown.traces) : undefined;
  return { events, trace: traces?.trace, rebuild };
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  },
);
