import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { percentile } from '../bench/figures.js';
import type { Callable } from '../support/service.js';
import { callBody, expecting, openTask } from '../support/world.js';
import { allowedCalls, type Kind } from './costly.js';
import type { SenderData } from './sender.js';

/** The effect of costly answers on others: for the test and for `npm run bench:answers`. */

/** A stop each so many milliseconds, a decision each so many. */
export const STOP_EVERY_MS = 200;
export const DECISION_EVERY_MS = 10;

export interface Noticed {
  /** How long each took, in milliseconds. */
  readonly stops: readonly number[];
  readonly decisions: readonly number[];
  /** Decisions that were denied as `view_stale`: too many stops came between. */
  readonly stale: number;
  /** The longest time between two beats, in milliseconds. */
  readonly silenceMs: number;
  readonly residentMib: number;
}

/** Of what was noticed, in milliseconds. */
export const stopsAt = ({ stops }: Noticed, share: number): number => percentile(stops, share);
export const decisionsAt = ({ decisions }: Noticed, share: number): number => percentile(decisions, share);

/** A service in a process of its own. */
export interface Victim extends Callable {
  readonly url: string;
  readonly pid: number;
  readonly tokens: { readonly host: string };
}

export interface Attack {
  readonly kind: Kind;
  /** Answers in flight of each of two hosts. */
  readonly each: number;
  readonly quietMs: number;
}

export interface Attacked {
  readonly quiet: Noticed;
  readonly busy: Noticed;
  /** From the first answer that is sent to the last one that is worked on. */
  readonly tookMs: number;
  /** The verdict on each answer, or the code of its refusal. */
  readonly given: readonly string[];
}

/** Two hosts send answers of one malicious server all at once, each from a thread of its own. */
export async function underAttack(service: Victim, { kind, each, quietMs }: Attack): Promise<Attacked> {
  const senders = await Promise.all([0, 1].map(() => startSender(service, kind, each)));
  try {
    const quiet = await notice(service, pause(quietMs));
    const startedMs = performance.now();
    const sent = Promise.all(senders.map((sender) => answersOf(sender)));
    const busy = await notice(service, sent);
    return { quiet, busy, tookMs: performance.now() - startedMs, given: (await sent).flat() };
  } finally {
    await Promise.all(senders.map((sender) => sender.terminate()));
  }
}

async function startSender(service: Victim, kind: Kind, each: number): Promise<Worker> {
  const body = { name: `evil-${process.hrtime.bigint()}`, roles: ['host'] };
  const { token } = expecting(201, await service.call('admin', 'POST', '/v1/principals', body));
  const calls = await allowedCalls(service, String(token), each);
  const workerData: SenderData = { url: service.url, token: String(token), kind, ...calls };
  const sender = new Worker(new URL('./sender.js', import.meta.url), { workerData });
  await once(sender, 'message');
  return sender;
}

async function answersOf(sender: Worker): Promise<string[]> {
  // Rejects if the thread fails.
  const answered = once(sender, 'message') as Promise<[string[]]>;
  sender.postMessage('go');
  return (await answered)[0];
}

/** Issues stops, decides calls of a bystander and follows the beats until `until` has come. */
async function notice(service: Victim, until: Promise<unknown>): Promise<Noticed> {
  const task = await openTask(service);
  const over = new AbortController();
  void until.finally(() => over.abort()).catch(() => undefined);
  const stops: number[] = [];
  const decisions: number[] = [];
  let stale = 0;
  let peak = 0;
  const silence = longestSilence(`${service.url}/v1/directives/watch`, service.tokens.host, over.signal);
  const target = { type: 'capability', capability: 'nobody-has-this' };
  await Promise.all([
    repeated(stops, STOP_EVERY_MS, over.signal, async () => {
      expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'test' }));
    }),
    repeated(decisions, DECISION_EVERY_MS, over.signal, async () => {
      const answer = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
      const { decision, reason } = expecting(200, answer);
      if (decision === 'allow') return;
      if (reason !== 'view_stale') throw new Error(`a bystander was denied: ${reason}`);
      stale += 1;
    }),
    repeated([], 50, over.signal, () => {
      peak = Math.max(peak, residentMib(service.pid));
    }),
  ]);
  return { stops, decisions, stale, silenceMs: await silence, residentMib: peak };
}

/** Does something again and again, and notes how long it took. */
async function repeated(
  taken: number[],
  everyMs: number,
  signal: AbortSignal,
  work: () => Promise<void> | void,
): Promise<void> {
  while (!signal.aborted) {
    const beganMs = performance.now();
    await work();
    const tookMs = performance.now() - beganMs;
    taken.push(tookMs);
    await pause(Math.max(0, everyMs - tookMs));
  }
}

/** The longest time without a beat, the last one to the end included. */
async function longestSilence(url: string, token: string, signal: AbortSignal): Promise<number> {
  let longestMs = 0;
  let lastMs = performance.now();
  try {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal });
    lastMs = performance.now();
    for await (const _ of response.body ?? []) {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return Math.max(longestMs, performance.now() - lastMs);
}

function residentMib(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
