import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { DirectiveFollower } from '../../libs/host/directives/follower.js';
import type { Answered, Callable } from '../support/service.js';
import { approve, activatePolicy, callBody, expecting, openTask, proposal, register } from '../support/world.js';
import { startInstance, type InstanceOptions } from './instance.js';

/** Hosts that call all the time, as the guard of the SDK does, and a book of every call that was made. */

/** The disabled capability, and the other one: calls of the latter show that a host has recovered. */
export const STOPPED = 'memory';
export const RUNNING = 'files';
export const LEASE_MS = 2000;
export const SKEW_MS = 500;

const EVERY_MS = 20;
const ASK_MS = 1500;
const WAIT_MS = 40_000;

/** A call that left for its server: nothing can stop it from here on. */
export interface Made {
  readonly capability: string;
  readonly callId: string;
  /** When, on the monotonic clock of the test. */
  readonly atMs: number;
}

export interface Caller {
  readonly follower: DirectiveFollower;
  readonly made: Made[];
  /** Why calls were not made, and how often. */
  readonly refused: Map<string, number>;
  stop(): Promise<void>;
}

/** Two capabilities that may be called, and a task for both. */
export async function fleetWorld(service: Callable): Promise<Answered> {
  for (const id of [STOPPED, RUNNING]) {
    await register(service, id, proposal());
    await approve(service, id);
  }
  await activatePolicy(service);
  const scope = [STOPPED, RUNNING].map((capability) => ({ capability, effects: ['read', 'write'] }));
  return openTask(service, { scope });
}

/** A host that makes calls of both capabilities whenever it may. */
export async function startCaller(options: InstanceOptions, task: Answered): Promise<Caller> {
  const follower = await startInstance(options);
  const made: Made[] = [];
  const refused = new Map<string, number>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const url = options.askUrl ?? options.url;

  /** Undefined where the call may be made. */
  async function whyNot(capability: string, callId: string): Promise<string | undefined> {
    const before = follower.stale();
    if (before !== undefined) return before;
    const response = await fetch(`${url}/v1/calls/authorize`, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(callBody(task, { callId, capability })),
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]),
    });
    if (response.status !== 200) return `HTTP ${response.status}`;
    const answer = (await response.json()) as Answered;
    if (answer.decision !== 'allow') return answer.reason;
    if (follower.isVoid({ epoch: answer.epoch, targets: answer.targets })) return 'void';
    return follower.stale();
  }

  async function call(capability: string): Promise<void> {
    const callId = randomUUID();
    const why = await whyNot(capability, callId).catch(() => 'unreachable');
    if (why === undefined) made.push({ capability, callId, atMs: performance.now() });
    else refused.set(why, (refused.get(why) ?? 0) + 1);
  }

  const calling = (async () => {
    while (!signal.aborted) {
      await Promise.all([call(STOPPED), call(RUNNING)]);
      await pause(EVERY_MS);
    }
  })();
  return {
    follower,
    made,
    refused,
    async stop() {
      stopping.abort();
      await calling;
      await follower.close();
    },
  };
}

/** Waits until every caller has made a call of the capability from now on. */
export async function callsAgain(callers: readonly Caller[], capability = RUNNING): Promise<void> {
  const fromMs = performance.now();
  const calls = ({ made }: Caller): boolean =>
    made.some((call) => call.capability === capability && call.atMs > fromMs);
  await until(
    () => callers.every(calls),
    () => told(callers),
  );
}

/** Waits until no caller is allowed to make calls; gives how long that took, in milliseconds. */
export async function allRefuse(callers: readonly Caller[]): Promise<number> {
  const fromMs = performance.now();
  await until(
    () => callers.every(({ follower }) => follower.stale() !== undefined),
    () => told(callers),
  );
  return performance.now() - fromMs;
}

/** No call of the capability was made from that moment on. */
export function noneSince(callers: readonly Caller[], fromMs: number, capability = STOPPED): void {
  for (const { made } of callers) {
    const late = made.filter((call) => call.capability === capability && call.atMs > fromMs);
    assert.deepEqual(
      late.map(({ atMs }) => Math.round(atMs - fromMs)),
      [],
      'milliseconds after which a call was made all the same',
    );
  }
}

/**
 * Disables what is to stop, however often it takes; gives when that was known to be committed, on the monotonic clock, and
 * what was answered.
 */
export async function disable(service: Callable): Promise<{ atMs: number; id: string; epoch: number }> {
  const id = randomUUID();
  const body = { id, target: { type: 'capability', capability: STOPPED }, reason: 'it leaks' };
  let answer = await service.call('operator', 'POST', '/v1/directives', body);
  for (let again = 0; again < 5 && answer.status === 503; again += 1) {
    answer = await service.call('operator', 'POST', '/v1/directives', body);
  }
  return { atMs: performance.now(), id, epoch: expecting(201, answer).epoch };
}

export async function until(
  look: () => boolean | Promise<boolean>,
  told: () => string | Promise<string>,
): Promise<void> {
  for (const endMs = performance.now() + WAIT_MS; !(await look()); await pause(10)) {
    if (performance.now() > endMs) assert.fail(await told());
  }
}

const told = (callers: readonly Caller[]): string =>
  JSON.stringify(callers.map(({ follower, made, refused }) => [follower.state(), made.length, [...refused]]));
