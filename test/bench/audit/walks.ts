import type { Callable, Tokens } from '../../support/service.js';
import { expecting } from '../../support/world.js';
import type { CallFact, EventFact, LogFacts } from './log-facts.js';
import type { MixedRun, RunTask } from './mixed-run.js';

/** Walks every filter of the lists of calls and events to its end by cursor, and compares it with a reading of the log. */

export interface Walk {
  readonly path: string;
  readonly pages: number;
  readonly items: number;
  readonly duplicates: number;
  /** Items that the log had when the walk began, and that it did not get. */
  readonly missed: number;
  /** Items that do not fulfil the condition. */
  readonly wrong: number;
  readonly ms: number;
}

interface Filter<Fact> {
  readonly query: string;
  readonly matches: (fact: Fact) => boolean;
}

/** A service as auditors reach it. */
export type Audited = Callable & { readonly url: string; readonly tokens: Tokens };

/** Walks all filters. Events may arrive meanwhile. */
export async function walkAll(service: Audited, run: MixedRun, facts: LogFacts, say: (line: string) => void) {
  await facts.readOn();
  const walks: Walk[] = [];
  for (const { query, matches } of callFilters(run, facts)) {
    const walk = await walked(service, '/v1/audit/calls', query, facts, () => facts.calls.filter(matches));
    say(`${walk.path}: ${walk.items} in ${walk.pages} pages, ${walk.ms.toFixed(0)} ms`);
    walks.push(walk);
  }
  for (const { query, matches } of eventFilters(facts)) {
    const walk = await walked(service, '/v1/audit/events', query, facts, () => facts.events.filter(matches));
    say(`${walk.path}: ${walk.items} in ${walk.pages} pages, ${walk.ms.toFixed(0)} ms`);
    walks.push(walk);
  }
  return walks;
}

/** `fitting` answers what the log holds when it is called. */
async function walked(
  service: Audited,
  path: string,
  query: string,
  facts: LogFacts,
  fitting: () => readonly { readonly position: bigint }[],
): Promise<Walk> {
  await facts.readOn();
  const before = new Set(fitting().map(({ position }) => position));
  const seen: bigint[] = [];
  const startedMs = performance.now();
  const isText = query.includes('format=');
  const pages = isText
    ? await wholeText(service, `${path}?${query}`, seen)
    : await byCursor(service, path, query, seen);
  const ms = performance.now() - startedMs;
  await facts.readOn();
  const known = new Set(fitting().map(({ position }) => position));
  const found = new Set(seen);
  return {
    path: `${path.split('/').at(-1)}?${query.replaceAll(/[0-9a-f-]{30,}/g, '…')}`,
    pages,
    items: seen.length,
    duplicates: seen.length - found.size,
    missed: [...before].filter((position) => !found.has(position)).length,
    wrong: seen.filter((position) => !known.has(position)).length,
    ms,
  };
}

async function byCursor(service: Callable, path: string, query: string, seen: bigint[]): Promise<number> {
  const limit = path.endsWith('calls') ? 200 : 1000;
  let pages = 0;
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await service.call('auditor', 'GET', `${path}?${query}&limit=${limit}${more}`);
    const { items, next } = expecting(200, answer);
    for (const { position } of items) seen.push(BigInt(position));
    cursor = next;
    pages += 1;
  }
  return pages;
}

/** The whole list as one answer, in lines of JSON or CSV. */
async function wholeText({ url, tokens }: Audited, path: string, seen: bigint[]): Promise<number> {
  const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${tokens.auditor}` } });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`);
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  if (path.includes('jsonl')) for (const line of lines) seen.push(BigInt(JSON.parse(line).position));
  else {
    const [head = '', ...rows] = lines;
    const at = head.split(',').indexOf('position');
    for (const row of rows) seen.push(BigInt(row.split(',')[at]?.replaceAll('"', '') ?? -1));
  }
  return 1;
}

function callFilters(run: MixedRun, facts: LogFacts): Filter<CallFact>[] {
  const { calls } = facts;
  const at = (share: number): CallFact => calls[Math.floor(calls.length * share)] as CallFact;
  const { callId } = at(0.4);
  const { taskId, traceId } = calls.find((call) => call.position > at(0.6).position && !call.refused) ?? at(0.6);
  const [from, to] = [at(0.3), at(0.45)].map(({ timeMs }) => new Date(timeMs).toISOString()) as [string, string];
  const task = ({ taskId: id, refused }: CallFact): RunTask | undefined => (refused ? undefined : run.tasks.get(id));
  const statusOf = ({ capability, version }: CallFact) => facts.statuses.get(`${capability}@${version}`);
  const isIn = ({ timeMs }: CallFact) => timeMs >= Date.parse(from) && timeMs <= Date.parse(to);
  const is = <Name extends keyof CallFact>(name: Name, value: CallFact[Name]): Filter<CallFact> => ({
    query: `${name}=${encodeURIComponent(String(value))}`,
    matches: (call) => call[name] === value,
  });
  return [
    { query: '', matches: () => true },
    { query: `call=${callId}`, matches: (call) => call.callId === callId },
    { query: `trace=${traceId}`, matches: (call) => call.traceId === traceId },
    { query: `task=${taskId}`, matches: (call) => call.taskId === taskId },
    is('capability', 'memory-1'),
    is('version', '2.0.0'),
    is('operation', 'count'),
    is('host', 'desk'),
    is('decision', 'deny'),
    is('reason', 'arguments_invalid'),
    is('reason', 'task_unknown'),
    is('policyVersion', 2),
    { query: 'user=user-3', matches: (call) => task(call)?.user === 'user-3' },
    { query: 'agent=scribe', matches: (call) => task(call)?.agent === 'scribe' },
    { query: 'identity=user-5', matches: (call) => task(call)?.user === 'user-5' },
    { query: 'identity=planner', matches: (call) => task(call)?.agent === 'planner' },
    { query: 'identity=batch', matches: ({ host, actor }) => host === 'batch' || actor === 'batch' },
    ...['revoked', 'suspended'].map((status) => ({
      query: `reviewStatus=${status}`,
      matches: (call: CallFact) => statusOf(call) === status,
    })),
    { query: `from=${from}&to=${to}`, matches: isIn },
    {
      query: 'user=user-3&decision=deny',
      matches: (call) => task(call)?.user === 'user-3' && call.decision === 'deny',
    },
    {
      query: 'capability=memory-1&reviewStatus=approved&format=jsonl',
      matches: (call) => call.capability === 'memory-1' && statusOf(call) === 'approved',
    },
    { query: `from=${from}&to=${to}&format=csv`, matches: isIn },
  ];
}

function eventFilters({ events }: LogFacts): Filter<EventFact>[] {
  const at = (share: number): EventFact => events[Math.floor(events.length * share)] as EventFact;
  const [from, to] = [at(0.3), at(0.45)].map(({ timeMs }) => new Date(timeMs).toISOString()) as [string, string];
  const { stream } = at(0.5);
  const after = at(0.7).position;
  const isIn = ({ timeMs }: EventFact) => timeMs >= Date.parse(from) && timeMs <= Date.parse(to);
  const types = ['ResponseValidated', 'VersionRevoked', 'DirectiveIssued'];
  return [
    { query: '', matches: () => true },
    { query: `after=${after}`, matches: ({ position }) => position > after },
    { query: `types=${types.join(',')}`, matches: ({ type }) => types.includes(type) },
    { query: 'types=CallRefused', matches: ({ type }) => type === 'CallRefused' },
    { query: 'capability=memory-2', matches: ({ capabilities }) => capabilities.has('memory-2') },
    { query: 'capability=revoked-23', matches: ({ capabilities }) => capabilities.has('revoked-23') },
    { query: 'actor=local-reviewer', matches: ({ actor }) => actor === 'local-reviewer' },
    { query: 'actor=desk', matches: ({ actor }) => actor === 'desk' },
    { query: `stream=${stream}`, matches: (event) => event.stream === stream },
    { query: 'stream=directives', matches: (event) => event.stream === 'directives' },
    { query: `from=${from}&to=${to}`, matches: isIn },
    {
      query: `actor=desk&types=TaskOpened&from=${from}`,
      matches: ({ actor, type, timeMs }) => actor === 'desk' && type === 'TaskOpened' && timeMs >= Date.parse(from),
    },
    { query: `from=${from}&to=${to}&format=jsonl`, matches: isIn },
    { query: 'actor=local-reviewer&format=csv', matches: ({ actor }) => actor === 'local-reviewer' },
  ];
}
