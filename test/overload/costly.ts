import { readFileSync } from 'node:fs';
import { percentile } from '../bench/figures.js';
import type { Answered, Callable } from '../support/service.js';
import { callBody, expecting, openTask, proposal, registration, approve, taskBody } from '../support/world.js';

/** The costliest content that hosts can send within all bounds, and what others notice of it. */

const MIB = 1_048_576;
const VALUES = 49_000;

/** Members in the worst order, each key long and none in place. */
function members(bytes: number, value: string): Record<string, string> {
  const key = Math.max(8, Math.floor(bytes / VALUES) - value.length - 6);
  return Object.fromEntries(
    Array.from({ length: VALUES }, (_, index) => {
      const name = ((index * 7919) % VALUES).toString(36).padStart(4, '0');
      return [`${name}${'k'.repeat(key - name.length)}`, value];
    }),
  );
}

/** Each makes the result of an answer. */
export const COSTLY = {
  'members out of order': () => ({ content: [], structuredContent: members(7.5 * MIB, 'v') }),
  'one text of marks and escapes': () => ({
    content: [{ type: 'text', text: '<|im_start|>\u0001"\\\u200b </s>'.repeat(200_000) }],
  }),
  'structured content beside the same as text': () => {
    const structuredContent = members(3.2 * MIB, '<s>"é');
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
  },
  'more values than are taken': () => ({
    content: [],
    structuredContent: Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`${999_999 - index}k`, 1])),
  }),
} satisfies Readonly<Record<string, () => Answered>>;

/** Values of a schema that tries each member against patterns. */
const outputSchema = {
  type: 'object',
  additionalProperties: { anyOf: Array.from({ length: 12 }, (_, index) => ({ pattern: `^(v|w|vw)*x${index}$` })) },
};

/** A definition whose tool has that schema, about as large as one may be. */
function costlyDefinition(): Answered {
  const resources = Array.from({ length: 300 }, (_, index) =>
    Object.fromEntries(Array.from({ length: 60 }, (_each, at) => [`${60 - at}k${index}${'d'.repeat(170)}`, 'v'])),
  );
  const tool = { name: 'dump', inputSchema: { type: 'object' }, outputSchema, description: 'Dumps.' };
  const plain = { name: 'list', inputSchema: { type: 'object' }, _meta: { of: resources } };
  return { tools: [tool, plain] };
}

interface CostlyPlace extends Callable {
  readonly url: string;
  readonly pid?: number;
}

const OPERATIONS = { dump: { effects: ['read'] }, list: { effects: ['read'] } };
const COSTLY_ID = 'costly';

/** The capability whose server answers like that, approved. */
export async function registerCostly(service: Callable): Promise<void> {
  const version = proposal('1.0.0', { definition: costlyDefinition() });
  version.manifest.operations = OPERATIONS;
  expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration(COSTLY_ID, version)));
  await approve(service, COSTLY_ID);
}

/** So many allowed calls of a host to that server, as requests that wait to be sent. */
async function preparedAnswers(
  service: CostlyPlace,
  token: string,
  results: readonly Answered[],
): Promise<readonly (() => Promise<string>)[]> {
  const who = { token };
  const task = expecting(
    201,
    await service.call(who, 'POST', '/v1/tasks', taskBody({ scope: [{ capability: COSTLY_ID, effects: ['read'] }] })),
  );
  return Promise.all(
    results.map(async (result, index) => {
      const operation = index % 2 === 0 ? 'dump' : 'list';
      const call = callBody(task, { capability: COSTLY_ID, operation, arguments: {} });
      const { decision, reason } = expecting(200, await service.call(who, 'POST', '/v1/calls/authorize', call));
      if (decision !== 'allow' && reason !== 'view_stale') throw new Error(`denied: ${reason}`);
      const body = Buffer.from(JSON.stringify({ taskId: task.taskId, result }));
      return async () => {
        const response = await fetch(`${service.url}/v1/calls/${call.callId}/response`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body,
        });
        const text = await response.text();
        return `${response.status} ${/"(?:verdict|code)":"(\w+)"/.exec(text)?.[1] ?? ''}`;
      };
    }),
  );
}

/** What others notice for as long as something goes on. */
interface Noticed {
  readonly stops: readonly number[];
  readonly decisions: readonly number[];
  /** The longest time between two beats, in milliseconds. */
  readonly silenceMs: number;
  readonly residentMib: number;
}

/** Of what was noticed, in milliseconds. The slowest few of a short time are a matter of chance, so tests ask for less than p99. */
export const stopsAt = ({ stops }: Noticed, share: number): number => percentile(stops, share);
export const decisionsAt = ({ decisions }: Noticed, share: number): number => percentile(decisions, share);

/** Issues stops, decides calls of a bystander and follows the beats until `until` has come. */
async function notice(service: CostlyPlace, tokens: { host: string }, until: Promise<unknown>): Promise<Noticed> {
  const task = await openTask(service);
  const over = new AbortController();
  void until.finally(() => over.abort()).catch(() => undefined);
  const ask = async (taken: number[], everyMs: number, once: () => Promise<unknown>): Promise<void> => {
    while (!over.signal.aborted) {
      const beganMs = performance.now();
      await once();
      const tookMs = performance.now() - beganMs;
      taken.push(tookMs);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, everyMs - tookMs)));
    }
  };
  const stops: number[] = [];
  const decisions: number[] = [];
  let peak = 0;
  const abort = new AbortController();
  const silence = longestSilence(`${service.url}/v1/directives/watch`, tokens.host, abort.signal);
  const target = { type: 'capability', capability: 'nobody-has-this' };
  await Promise.all([
    ask(stops, 500, async () => {
      expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'test' }));
    }),
    ask(decisions, 10, async () => {
      const answer = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
      const { decision, reason } = expecting(200, answer);
      if (decision !== 'allow' && reason !== 'view_stale') throw new Error(`a bystander was denied: ${reason}`);
    }),
    ask([], 50, async () => {
      if (service.pid !== undefined) peak = Math.max(peak, residentMib(service.pid));
    }),
  ]);
  abort.abort();
  return { stops, decisions, silenceMs: await silence, residentMib: peak };
}

async function longestSilence(url: string, token: string, signal: AbortSignal): Promise<number> {
  let longestMs = 0;
  try {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal });
    let lastMs = performance.now();
    for await (const _ of response.body ?? []) {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return longestMs;
}

function residentMib(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Two hosts send answers of one malicious server all at once. What others notice, before and meanwhile. */
export async function underAttack(
  service: CostlyPlace,
  tokens: { host: string },
  attackers: readonly [string, string],
  result: () => Answered,
  each: number,
  quietMs: number,
): Promise<{ quiet: Noticed; busy: Noticed; given: readonly string[] }> {
  const results = Array.from({ length: each }, result);
  const sends = (await Promise.all(attackers.map((token) => preparedAnswers(service, token, results)))).flat();
  const quiet = await notice(service, tokens, new Promise((resolve) => setTimeout(resolve, quietMs)));
  const ended = Promise.all(sends.map((send) => send()));
  const busy = await notice(service, tokens, ended);
  return { quiet, busy, given: await ended };
}
