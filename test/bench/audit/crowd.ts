import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Answered } from '../../support/service.js';
import { callBody, expecting, taskBody } from '../../support/world.js';
import { median, percentile } from '../figures.js';
import type { Service } from '../ours.js';
import type { AuditorsOrder, AuditorsReport } from './auditors.js';
import type { CallFact, LogFacts } from './log-facts.js';
import type { RunHost } from './mixed-run.js';

/** The cost of auditors on decisions and on stops: turns with none and turns with many, one after the other. */

export interface CrowdOptions {
  readonly auditors: number;
  readonly turns: number;
  readonly turnS: number;
  /** Decisions a second. The load keeps to the clock. */
  readonly perS: number;
}

export interface CrowdSide {
  readonly auditors: number;
  readonly authorizeMs: number[];
  /** From the operator's request until a call is denied for it. */
  readonly disableMs: number[];
  /** The p99 of each turn. */
  readonly p99Ms: number[];
  /** Processor time of the whole service, and of the thread that decides, in milliseconds a second. */
  readonly cpuMsPerS: number[];
  readonly decidingMsPerS: number[];
  answers: number;
  failed: number;
  mib: number;
}

const DISABLE_EVERY_MS = 250;
const SETTLE_MS = 500;
/** The name that Node gives to the thread that decides. */
const MAIN = 'MainThread';

export async function measureCrowd(
  service: Service,
  host: RunHost,
  facts: LogFacts,
  { auditors, turns, turnS, perS }: CrowdOptions,
  say: (line: string) => void,
): Promise<readonly [CrowdSide, CrowdSide]> {
  const sides = [newSide(0), newSide(auditors)] as const;
  const child = fork(new URL('./auditors.js', import.meta.url), { stdio: 'inherit' });
  const tell = async (message: AuditorsOrder | 'stop'): Promise<AuditorsReport> => {
    child.send(message);
    const [report] = (await once(child, 'message')) as [AuditorsReport];
    return report;
  };
  try {
    const { url } = service;
    await tell({ url, auditors: await principalsFor(service, pathsOf(facts.calls, auditors)) });
    const asker = await newAsker(service, host);
    // One turn each is not counted: code is compiled, pages are read.
    for (let turn = -1; turn < turns; turn += 1) {
      for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
        const counted = turn < 0 ? newSide(side.auditors) : side;
        if (side.auditors > 0) child.send('start');
        await pause(SETTLE_MS);
        await oneTurn(service, asker, counted, turnS, perS);
        if (side.auditors === 0) continue;
        const { answers, failed, bytes } = await tell('stop');
        counted.answers += answers;
        counted.failed += failed;
        counted.mib += bytes / 2 ** 20;
      }
      const last = sides.map(({ p99Ms }) => p99Ms.at(-1)?.toFixed(1) ?? '–');
      say(`turn ${turn + 1} of ${turns}: p99 ${last.join(' ms without, with ')} ms`);
    }
  } finally {
    child.kill();
  }
  return sides;
}

/** How much the p99 of neighbouring turns grows, in the middle of all turns. */
export const growthOf = ([without, crowded]: readonly [CrowdSide, CrowdSide]): number =>
  median(crowded.p99Ms.map((p99, turn) => p99 / (without.p99Ms[turn] ?? Number.NaN)));

const newSide = (auditors: number): CrowdSide => ({
  auditors,
  authorizeMs: [],
  disableMs: [],
  p99Ms: [],
  cpuMsPerS: [],
  decidingMsPerS: [],
  answers: 0,
  failed: 0,
  mib: 0,
});

/** Eight kinds of work: traces, their replay, lists by rare and by common conditions, single calls, events, a whole list. */
function pathsOf(calls: readonly CallFact[], auditors: number): (readonly string[])[] {
  const some = Array.from({ length: 100 }, (_, at) => calls[Math.floor((calls.length * at) / 100)] as CallFact);
  const kinds: readonly (readonly string[])[] = [
    some.map(({ traceId }) => `/v1/audit/traces/${traceId}`),
    some.map(({ traceId }) => `/v1/audit/traces/${traceId}/replay`),
    some.map(({ callId, taskId }) => `/v1/audit/calls/${callId}?task=${taskId}`),
    some.map((_, at) => `/v1/audit/calls?user=user-${at % 24}&decision=deny&limit=200`),
    ['/v1/audit/calls?decision=allow&limit=200', '/v1/audit/calls?capability=memory-2&reason=arguments_invalid'],
    ['/v1/audit/events?limit=1000', '/v1/audit/events?actor=local-operator', '/v1/audit/events?types=CallRefused'],
    some.map(({ timeMs }) => `/v1/audit/calls?from=${new Date(timeMs).toISOString()}&limit=200`),
    ['/v1/audit/calls?agent=scribe&format=jsonl', '/v1/audit/events?actor=desk&format=csv'],
  ];
  return Array.from({ length: auditors }, (_, at) => kinds[at % kinds.length] ?? []);
}

/** Each auditor is a principal of their own: one alone gets half of the places at most. */
async function principalsFor(
  { call }: Service,
  paths: readonly (readonly string[])[],
): Promise<AuditorsOrder['auditors']> {
  const auditors: AuditorsOrder['auditors'][number][] = [];
  for (const [at, own] of paths.entries()) {
    const body = { name: `auditor-${at + 1}`, roles: ['auditor'] };
    const { token } = expecting(201, await call('admin', 'POST', '/v1/principals', body));
    auditors.push({ token, paths: own });
  }
  return auditors;
}

interface Asker {
  /** Milliseconds until the answer was read, and the decision. */
  authorize(capability: string): Promise<readonly [ms: number, decision: string]>;
}

/** A host with a task for what stays allowed, and for what is stopped. It keeps its connections. */
async function newAsker({ url, call }: Service, { token }: RunHost): Promise<Asker> {
  const agent = new Agent({ keepAlive: true });
  const tasks = new Map<string, Answered>();
  for (const capability of ['memory-0', 'memory-1']) {
    const body = taskBody({ scope: [{ capability, effects: ['read'] }] });
    tasks.set(capability, expecting(201, await call({ token }, 'POST', '/v1/tasks', body)));
  }
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return {
    async authorize(capability) {
      const body = JSON.stringify(callBody(tasks.get(capability), { capability }));
      const startedMs = performance.now();
      const answer = await new Promise<string>((resolve, reject) => {
        const asked = request(`${url}/v1/calls/authorize`, { method: 'POST', agent, headers }, (response) => {
          text(response).then(resolve, reject);
        });
        asked.once('error', reject);
        asked.end(body);
      });
      return [performance.now() - startedMs, JSON.parse(answer).decision];
    },
  };
}

async function oneTurn(service: Service, asker: Asker, side: CrowdSide, turnS: number, perS: number): Promise<void> {
  const took: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + turnS * 1000;
  const { running } = service;
  const deciding = () => running.threadsCpuS().get(MAIN) ?? Number.NaN;
  const [cpuS, decidingS] = [running.cpuS() ?? Number.NaN, deciding()];
  const asking = async (): Promise<void> => {
    const underWay = new Set<Promise<unknown>>();
    for (let due = startMs; due < endMs; due += 1000 / perS) {
      if (due > performance.now()) await pause(due - performance.now());
      // From when it was due: a late start is a part of the wait.
      const lateMs = performance.now() - due;
      const one = (async () => {
        const [ms, decision] = await asker.authorize('memory-0');
        if (decision !== 'allow') throw new Error('a call that should be allowed');
        took.push(ms + Math.max(0, lateMs));
      })();
      underWay.add(one);
      void one.finally(() => underWay.delete(one)).catch(() => undefined);
    }
    await Promise.all(underWay);
  };
  const stopping = async (): Promise<void> => {
    for (; performance.now() < endMs; await pause(DISABLE_EVERY_MS))
      side.disableMs.push(await disabled(service, asker));
  };
  await Promise.all([asking(), stopping()]);
  side.authorizeMs.push(...took);
  side.p99Ms.push(percentile(took, 0.99));
  const seconds = (performance.now() - startMs) / 1000;
  side.cpuMsPerS.push((((running.cpuS() ?? Number.NaN) - cpuS) * 1000) / seconds);
  side.decidingMsPerS.push(((deciding() - decidingS) * 1000) / seconds);
}

/** Stops a capability, waits for the first denial, and lifts the stop. */
async function disabled({ call }: Service, asker: Asker): Promise<number> {
  const startedMs = performance.now();
  const target = { type: 'capability', capability: 'memory-1' };
  const { id } = expecting(201, await call('operator', 'POST', '/v1/directives', { target, reason: 'INC-3' }));
  const [, decision] = await asker.authorize('memory-1');
  if (decision !== 'deny') throw new Error('an allow after a disable');
  const ms = performance.now() - startedMs;
  expecting(200, await call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'INC-3' }));
  return ms;
}
