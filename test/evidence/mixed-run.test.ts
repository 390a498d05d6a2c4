import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openFacts } from '../bench/audit/log-facts.js';
import { startMixedRun, type Decide, type MixedRun } from '../bench/audit/mixed-run.js';
import { removeIndex } from '../bench/audit/rebuild.js';
import { differences, replayAll, replayFromBundles } from '../bench/audit/replays.js';
import { indexed } from '../bench/store.js';
import { walkAll } from '../bench/audit/walks.js';
import { chanceOf } from '../support/chance.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting } from '../support/world.js';

/** A run of some hundreds of mixed decisions. `npm run bench:audit` does the same with 200,000. */

const TASKS = 42;
const CALLS = 10;
const ARRIVAL_MS = 50;

let dataDir: string;
let service: TestService;
let run: MixedRun;

const decide: Decide = async ({ token }, bodies) => {
  const answers = bodies.map((body) => service.call({ token }, 'POST', '/v1/calls/authorize', body));
  return (await Promise.all(answers)).map((answer) => expecting(200, answer));
};

before(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'sallyport-mixed-'));
  service = await startService({ dataDir, sealing: undefined });
  run = await startMixedRun(service, decide, chanceOf(1));
  for (let task = 0; task < TASKS; task += 1) await run.task(CALLS);
});
after(async () => {
  await service.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function restart(index: 'kept' | 'rebuilt'): Promise<void> {
  await service.stop('keep');
  if (index === 'rebuilt') removeIndex(dataDir);
  service = await startService({ dataDir, sealing: undefined });
  await indexed(service);
}

const tracesOf = () => new Set([...run.tasks.values()].map(({ traceId }) => traceId));

test('every filter reaches each event once while events arrive', async () => {
  const facts = openFacts(join(dataDir, 'sallyport.db'));
  const over = new AbortController();
  const arriving = (async () => {
    for (; !over.signal.aborted; await pause(ARRIVAL_MS)) await run.task(CALLS);
  })();
  try {
    const walks = await walkAll(service, run, facts, () => undefined);
    const faulty = walks.filter(({ duplicates, missed, wrong }) => duplicates + missed + wrong > 0);
    assert.deepEqual(faulty, []);
    assert.ok(walks.length >= 35);
    assert.ok(walks.filter(({ items }) => items > 0).length > walks.length - 3, 'most filters find something');
  } finally {
    over.abort();
    await arriving;
    facts.close();
  }
});

test('a cursor from before a rebuild of the index goes on after it', async () => {
  const path = '/v1/audit/calls?limit=50';
  const first = expecting(200, await service.call('auditor', 'GET', path));
  const rest = async (): Promise<string[]> => {
    const found: string[] = [];
    for (let { next } = first; next !== undefined;) {
      const page = expecting(200, await service.call('auditor', 'GET', `${path}&cursor=${encodeURIComponent(next)}`));
      found.push(...page.items.map(({ position }: Answered) => position));
      next = page.next;
    }
    return found;
  };
  const before = await rest();
  await restart('rebuilt');
  assert.ok(before.length > 300);
  assert.deepEqual(await rest(), before);
});

test('every call replays the same: live, after a restart, after a rebuild, and from bundles alone', async (t) => {
  const traces = tracesOf();
  const live = await replayAll(service, 'live', traces);
  await restart('kept');
  const restarted = await replayAll(service, 'after a restart', traces);
  await restart('rebuilt');
  const rebuilt = await replayAll(service, 'after a rebuild', traces);
  const bundles = await replayFromBundles(service, traces);
  for (const { way, others, identical } of [live, restarted, rebuilt, bundles]) {
    assert.deepEqual(others, [], way);
    assert.ok(identical.size >= TASKS * CALLS * 0.9, `${way}: ${identical.size} calls`);
  }
  for (const other of [restarted, rebuilt, bundles]) assert.deepEqual(differences(live, other), []);
  t.diagnostic(`${live.identical.size} calls of ${traces.size} traces`);
});

test('a trace shows of each call what a single question about it shows', async () => {
  for (const traceId of [...tracesOf()].slice(0, 12)) {
    const trace = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}`));
    for (const { capabilityHistory, ...call } of trace.calls) {
      const path = `/v1/audit/calls/${call.callId}?task=${call.taskId}`;
      const { attempts, histories, ...alone } = expecting(200, await service.call('auditor', 'GET', path));
      assert.deepEqual({ ...call, capabilityHistory }, alone);
      assert.ok(attempts.length === 1 && histories !== undefined);
    }
  }
});
