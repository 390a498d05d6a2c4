import type { DecideResult } from './decide.js';
import type { DirectivesResult } from './directives.js';
import { ratio } from './figures.js';
import { BATCHES_WAY, HTTP_WAY, type GrpcResult } from './grpc.js';
import type { HttpReport } from './http.js';
import type { StoreReport } from './store.js';

/** The limits of the figures, and if they are met. */

export interface Bar {
  readonly name: string;
  readonly unit: string;
  readonly limit: number;
  /** Whether a figure is good when it is low or when it is high. */
  readonly best: 'low' | 'high';
}

export interface Judged extends Bar {
  readonly measured: number | undefined;
  readonly verdict: 'met' | 'not met' | 'not measured';
}

export interface Measured {
  readonly http: HttpReport | undefined;
  readonly grpc: readonly GrpcResult[] | undefined;
  readonly decide: readonly DecideResult[] | undefined;
  readonly directives?: readonly DirectivesResult[] | undefined;
  readonly store: StoreReport | undefined;
}

export function judge(bar: Bar, measured: number | undefined): Judged {
  if (measured === undefined || Number.isNaN(measured)) return { ...bar, measured: undefined, verdict: 'not measured' };
  const met = bar.best === 'low' ? measured <= bar.limit : measured >= bar.limit;
  return { ...bar, measured, verdict: met ? 'met' : 'not met' };
}

export function bars({ http, grpc, decide, directives, store }: Measured): Judged[] {
  const at = (name: string, connections: number) =>
    http?.results.find((result) => result.name === name && result.connections === connections);
  const times = (peer: string): number | undefined => ratio(at('sallyport', 32)?.perS, at(peer, 32)?.perS);
  const perS = (asked: string): number | undefined => grpc?.find(({ way }) => way === asked)?.perS;
  const hits = decide?.filter(({ asking }) => asking === 'hit');
  const { events = 0, trace, memory } = store ?? {};
  const large = events >= 1_000_000;
  const among = `${events.toLocaleString('en-US')} events`;
  const high = (name: string, limit: number, measured: number | undefined): Judged =>
    judge({ name, unit: '×', limit, best: 'high' }, measured);
  const low = (name: string, unit: string, limit: number, measured: number | undefined): Judged =>
    judge({ name, unit, limit, best: 'low' }, measured);
  return [
    high('HTTP, 32 connections: times OPA with its decision log', 1.5, times('opa+log')),
    high('HTTP, 32 connections: times Cerbos with its audit log', 2, times('cerbos+log')),
    low('HTTP, 32 connections: p99', 'ms', 15, at('sallyport', 32)?.p99Ms),
    high('one gRPC stream with batches: times our HTTP', 1.3, ratio(perS(BATCHES_WAY), perS(HTTP_WAY))),
    high('goal: times OPA with its decision log', 2, times('opa+log')),
    high('goal: times Cerbos with its audit log', 3, times('cerbos+log')),
    high('goal: times OPA without any log', 1, times('opa')),
    low('decide, memo hit: the slowest median', 'µs', 20, worst(hits)),
    low('decide, memo hit: 100,000 capabilities over 10, the largest rise', '×', 1.2, largestRise(hits)),
    low('not_disabled with 1,000 active directives', 'µs', 2, directives?.at(-1)?.checkUs),
    low('CallDecided, median', 'bytes', 1500, http?.eventBytes.median),
    low(
      `restart with ${large ? among : '10^6 events'}, page cache warm`,
      'ms',
      5000,
      large ? store?.restartMs : undefined,
    ),
    low('the same, page cache dropped', 'ms', 5000, large ? store?.coldRestartMs : undefined),
    low('memory with 100,000 capabilities', 'MiB', 500, atLeast(memory, 100_000)?.residentMiB),
    low(`trace among ${large ? among : '10^6 events'}, warm p99`, 'ms', 5, large ? trace?.warmP99Ms : undefined),
    low(`trace among ${large ? among : '10^6 events'}, cold p99`, 'ms', 20, large ? trace?.coldP99Ms : undefined),
    low('allows answered under load that the log does not hold', '', 0, http?.allows.notRecorded),
    low('wrong answers', '', 0, wrongAnswers(http, grpc)),
  ];
}

function wrongAnswers(http: HttpReport | undefined, grpc: readonly GrpcResult[] | undefined): number | undefined {
  if (http === undefined && grpc === undefined) return undefined;
  return (http?.wrong.length ?? 0) + (grpc ?? []).reduce((sum, { wrong }) => sum + wrong, 0);
}

const atLeast = (memory: StoreReport['memory'] | undefined, capabilities: number) =>
  memory !== undefined && memory.capabilities >= capabilities ? memory : undefined;

function worst(hits: readonly DecideResult[] | undefined): number | undefined {
  return hits === undefined ? undefined : Math.max(...hits.map(({ medianUs }) => medianUs));
}

function largestRise(hits: readonly DecideResult[] | undefined): number | undefined {
  if (hits === undefined) return undefined;
  const rises = hits
    .filter(({ capabilities }) => capabilities === 100_000)
    .map((large) => {
      const small = hits.find(({ capabilities, policies }) => capabilities === 10 && policies === large.policies);
      return ratio(large.medianUs, small?.medianUs) ?? Number.NaN;
    });
  return Math.max(...rises);
}
