import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { median, percentile } from './figures.js';
import { askStream, askUnary, type Answers, type Asking } from './grpc-client.js';
import { startOurs } from './ours.js';
import { writeQuestions } from './target.js';
import { load } from './wrk.js';

/** The same questions over gRPC and over HTTP, in turns. */

export interface GrpcResult {
  readonly way: string;
  readonly perS: number;
  /** The time that a message waited for its answer: with batches, for all of them. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number | undefined;
  readonly wrong: number;
}

export const HTTP_WAY = 'HTTP, 32 connections (wrk)';
export const BATCHES_WAY = 'one stream, 4 messages of 50';
const IN_FLIGHT = 32;
const PAUSE_MS = 300;

type Round = Omit<GrpcResult, 'way'>;

export async function benchGrpc(options: {
  readonly folder: string;
  readonly rounds: number;
  readonly roundS: number;
  readonly say: (line: string) => void;
}): Promise<GrpcResult[]> {
  const { folder, rounds, roundS, say } = options;
  const target = await startOurs(join(folder, 'grpc'));
  try {
    const { service, running, url, asked } = target;
    const questionsFile = join(folder, 'grpc.lua');
    writeQuestions(questionsFile, target);
    const asking = (durationS: number): Asking => {
      return { address: service.grpc, token: service.tokens.host, asked, durationS };
    };
    const overHttp = async (durationS: number): Promise<Omit<Round, 'cpuUs'> & { decisions: number }> => {
      const figures = await load({ url, questionsFile, connections: IN_FLIGHT, durationS });
      const { requests, p50Ms, p99Ms, notOk, failed } = figures;
      return { decisions: requests, perS: requests / figures.durationS, p50Ms, p99Ms, wrong: notOk + failed };
    };
    const overGrpc = async (answers: Promise<Answers>): Promise<Omit<Round, 'cpuUs'> & { decisions: number }> => {
      const { decisions, durationS, waitedMs, wrong } = await answers;
      const [p50Ms, p99Ms] = [median(waitedMs), percentile(waitedMs, 0.99)];
      return { decisions, perS: decisions / durationS, p50Ms, p99Ms, wrong };
    };
    const ways = {
      [HTTP_WAY]: overHttp,
      'gRPC unary, 32 in flight': (s: number) => overGrpc(askUnary(asking(s), IN_FLIGHT)),
      'one stream, 32 messages of 1': (s: number) => overGrpc(askStream(asking(s), 1, IN_FLIGHT)),
      [BATCHES_WAY]: (s: number) => overGrpc(askStream(asking(s), 50, 4)),
    };
    const done = new Map<string, Round[]>();
    for (const way of Object.values(ways)) await way(1);
    for (let round = 0; round < rounds; round += 1) {
      for (const [way, ask] of Object.entries(ways)) {
        const before = running.cpuS() ?? Number.NaN;
        const { decisions, ...figures } = await ask(roundS);
        const cpuUs = (((running.cpuS() ?? Number.NaN) - before) * 1e6) / decisions;
        done.set(way, [...(done.get(way) ?? []), { ...figures, cpuUs: Number.isNaN(cpuUs) ? undefined : cpuUs }]);
        say(`${way} round ${round + 1}: ${Math.round(figures.perS)}/s`);
        await pause(PAUSE_MS);
      }
    }
    return [...done].map(([way, all]) => summarised(way, all));
  } finally {
    await target.running.stop();
  }
}

function summarised(way: string, rounds: readonly Round[]): GrpcResult {
  const of = (value: (round: Round) => number): number => median(rounds.map(value));
  const cpuUs = of((round) => round.cpuUs ?? Number.NaN);
  return {
    way,
    perS: of(({ perS }) => perS),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    cpuUs: Number.isNaN(cpuUs) ? undefined : cpuUs,
    wrong: rounds.reduce((sum, { wrong }) => sum + wrong, 0),
  };
}
