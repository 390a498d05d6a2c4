import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { median, percentile } from './figures.js';
import { startOurs } from './ours.js';
import { installCerbos, installOpa, startCerbos, startOpa } from './peers.js';
import { wrongAnswers, writeQuestions, type Target } from './target.js';
import { notRecorded, recordedCalls, type RecordedCall } from './recorded.js';
import { load, type Figures } from './wrk.js';

/** Authorize over HTTP, compared with the peers, in turns within one run. */

export interface HttpOptions {
  readonly folder: string;
  readonly rounds: number;
  readonly roundS: number;
  readonly say: (line: string) => void;
}

export interface HttpResult {
  readonly name: string;
  readonly connections: number;
  readonly perS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the server for a thousand requests, in milliseconds: microseconds a request. */
  readonly cpuUs: number | undefined;
  readonly notOk: number;
  readonly failed: number;
  readonly rounds: readonly number[];
}

export interface HttpReport {
  readonly results: readonly HttpResult[];
  readonly notes: Readonly<Record<string, string>>;
  /** Peers that could not be run, and why. */
  readonly missing: Readonly<Record<string, string>>;
  readonly wrong: readonly string[];
  /** Allows that were answered under load, and how many of them the log does not hold. */
  readonly allows: { readonly answered: number; readonly notRecorded: number };
  readonly eventBytes: { readonly median: number; readonly p95: number; readonly events: number };
}

const CONNECTIONS = [32, 128];
const PAUSE_MS = 300;
const WARM_UP_S = 1;
/** Events before those of the last second. The report has their sizes too. */
const SAMPLED_EVENTS = 20_000n;

interface Round {
  readonly target: Target;
  readonly connections: number;
  readonly figures: Figures;
  readonly cpuS: number | undefined;
}

export async function benchHttp(options: HttpOptions): Promise<HttpReport> {
  const { folder, say } = options;
  const targets: Target[] = [];
  const missing: Record<string, string> = {};
  try {
    const dataDir = join(folder, 'ours');
    const ours = await startOurs(dataDir);
    targets.push(ours);
    await addPeers(targets, missing, folder, say);
    for (const target of targets) writeQuestions(questionsFile(folder, target), target);
    const wrong = await checkAll(targets);
    for (const target of targets) await once(target, folder, 32, WARM_UP_S);
    const rounds = await inTurns(targets, options);
    wrong.push(...(await checkAll(targets)));
    wrong.push(...silent(targets));
    const answers = await allowsUnderLoad(ours, folder);
    await ours.running.stop();
    const sampled = answers.after > SAMPLED_EVENTS ? answers.after - SAMPLED_EVENTS : 0n;
    const recorded: RecordedCall[] = [];
    for await (const call of recordedCalls(dataDir, sampled)) recorded.push(call);
    const sizes = recorded.map(({ bytes }) => bytes);
    return {
      results: summarise(targets, rounds),
      notes: Object.fromEntries(targets.map(({ name, note, loggedBytes }) => [name, `${note}${logged(loggedBytes)}`])),
      missing,
      wrong: [...wrong, ...answers.wrong],
      allows: {
        answered: answers.allowed.length,
        notRecorded: await notRecorded(recorded, answers.allowed),
      },
      eventBytes: { median: median(sizes), p95: percentile(sizes, 0.95), events: sizes.length },
    };
  } finally {
    await Promise.all(targets.map(({ running }) => running.stop()));
  }
}

async function addPeers(
  targets: Target[],
  missing: Record<string, string>,
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  const add = async (
    names: readonly string[],
    install: () => Promise<string>,
    starts: readonly ((program: string) => Promise<Target>)[],
  ) => {
    try {
      const program = await install();
      for (const start of starts) targets.push(await start(program));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      say(`${names.join(', ')}: missing: ${why}`);
      for (const name of names) if (!targets.some((target) => target.name === name)) missing[name] = why;
    }
  };
  await add(['opa', 'opa+log'], installOpa, [
    (program) => startOpa(program, folder, false),
    (program) => startOpa(program, folder, true),
  ]);
  await add(['cerbos+log', 'cerbos'], installCerbos, [
    (program) => startCerbos(program, folder, true),
    (program) => startCerbos(program, folder, false),
  ]);
}

const logged = (loggedBytes: (() => number) | undefined): string =>
  loggedBytes === undefined ? '' : ` (${Math.round(loggedBytes() / 2 ** 20)} MiB in all)`;

const questionsFile = (folder: string, { name }: Target): string => join(folder, `${name}.lua`);

async function checkAll(targets: readonly Target[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const target of targets) wrong.push(...(await wrongAnswers(target, randomUUID)));
  return wrong;
}

/** A peer that is said to log and does not would be measured for what it is not. */
function silent(targets: readonly Target[]): string[] {
  return targets
    .filter(({ loggedBytes }) => loggedBytes !== undefined && loggedBytes() === 0)
    .map(({ name }) => `${name}: has logged nothing`);
}

async function once(target: Target, folder: string, connections: number, durationS: number): Promise<Round> {
  const before = target.running.cpuS();
  const figures = await load({
    url: target.url,
    questionsFile: questionsFile(folder, target),
    connections,
    durationS,
  });
  const after = target.running.cpuS();
  await pause(PAUSE_MS);
  return {
    target,
    connections,
    figures,
    cpuS: before === undefined || after === undefined ? undefined : after - before,
  };
}

/** One target after the other, round after round; each round begins with another one. */
async function inTurns(targets: readonly Target[], { folder, rounds, roundS, say }: HttpOptions): Promise<Round[]> {
  const done: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const connections of CONNECTIONS) {
      for (let turn = 0; turn < targets.length; turn += 1) {
        const target = targets[(turn + round) % targets.length];
        if (target === undefined) continue;
        const measured = await once(target, folder, connections, roundS);
        done.push(measured);
        const { requests, durationS, p99Ms } = measured.figures;
        say(
          `${target.name} c${connections} round ${round + 1}: ${Math.round(requests / durationS)}/s, p99 ${p99Ms} ms`,
        );
      }
    }
  }
  return done;
}

function summarise(targets: readonly Target[], rounds: readonly Round[]): HttpResult[] {
  return CONNECTIONS.flatMap((connections) =>
    targets.map((target) => {
      const own = rounds.filter((round) => round.target === target && round.connections === connections);
      const of = (value: (round: Round) => number): number => median(own.map(value));
      const cpu = own.map(({ cpuS, figures }) => (cpuS === undefined ? Number.NaN : (cpuS * 1e6) / figures.requests));
      return {
        name: target.name,
        connections,
        perS: of(({ figures }) => figures.requests / figures.durationS),
        p50Ms: of(({ figures }) => figures.p50Ms),
        p99Ms: of(({ figures }) => figures.p99Ms),
        cpuUs: cpu.some(Number.isNaN) ? undefined : median(cpu),
        notOk: own.reduce((sum, { figures }) => sum + figures.notOk, 0),
        failed: own.reduce((sum, { figures }) => sum + figures.failed, 0),
        rounds: own.map(({ figures }) => Math.round(figures.requests / figures.durationS)),
      };
    }),
  );
}

/** A second of load in which every answer is written down: all of them right, and which calls were allowed. */
async function allowsUnderLoad(
  ours: Target & { service: { tokens: { host: string } } },
  folder: string,
): Promise<{ allowed: string[]; wrong: string[]; after: bigint }> {
  const { asked, url, service } = ours;
  const [first] = asked;
  if (first === undefined) throw new Error('there are no questions');
  const probe = await fetch(`${url}${first.path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${service.tokens.host}` },
    body: first.body.replace(/"callId":"[^"]+"/, `"callId":"${randomUUID()}"`),
  });
  const { position } = (await probe.json()) as { position: string };
  const answersFile = join(folder, 'answers.txt');
  const run = { url, questionsFile: questionsFile(folder, ours), connections: 32, durationS: 1, answersFile };
  await load(run);
  const allowed: string[] = [];
  const wrong: string[] = [];
  for (const line of readFileSync(answersFile, 'utf8').trim().split('\n')) {
    const [callId = '', status, decision] = line.split(' ');
    // The last twelve digits count the requests, from 1.
    const question = asked[(Number.parseInt(callId.slice(-12), 16) - 1) % asked.length]?.question;
    const right = status === '200' && decision === (question?.allowed === true ? 'allow' : 'deny');
    if (!right) wrong.push(`under load: ${line}`);
    else if (decision === 'allow') allowed.push(callId);
  }
  rmSync(answersFile);
  return { allowed, wrong, after: BigInt(position) };
}
