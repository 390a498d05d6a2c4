import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ended, jsonLines, place, until } from '../process/child.js';
import type { DamagedPlace } from '../../libs/event-log/port.js';
import { damageOf, eventsOf, type Damage, type Row } from '../support/damage.js';
import { decide, stop } from '../support/calls.js';
import { chanceOf } from '../support/chance.js';
import { startService, type Answer, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting, openTask, readyWorld } from '../support/world.js';

/** Histories with damage, each of another seed. */
const RUNS = Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? 6);
/** A word that is in damaged texts only: no answer may have it. */
const CANARY = 'canaryzqx';

const EVIDENCE = ['calls', 'task', 'trace', 'reads'];

const root = mkdtempSync(join(tmpdir(), 'sallyport-damaged-'));
const whole = join(root, 'whole');
let places: { readonly traceIds: readonly string[]; readonly callIds: readonly string[] };
let baseline: Answers;
let rows: readonly Row[];

/** Every audit route, with its filters and formats. `events` without recorded reads, which grow with each answer. */
const pathsOf = ({ traceIds, callIds }: typeof places): Readonly<Record<string, string>> => ({
  events: '/v1/audit/events?limit=1000',
  typed: '/v1/audit/events?limit=1000&types=CallDecided,ResponseValidated',
  named: '/v1/audit/events?limit=1000&capability=memory',
  'events as jsonl': '/v1/audit/events?format=jsonl',
  'events as csv': '/v1/audit/events?format=csv',
  'events as ocsf': '/v1/audit/events?format=ocsf&limit=1000',
  calls: '/v1/audit/calls?limit=200',
  denied: '/v1/audit/calls?limit=200&decision=deny',
  'calls as jsonl': '/v1/audit/calls?format=jsonl',
  'calls as csv': '/v1/audit/calls?format=csv',
  tasks: '/v1/audit/tasks?limit=200',
  sample: '/v1/audit/sample?calls=10&seed=7',
  principals: '/v1/principals',
  capability: '/v1/capabilities/memory',
  directives: '/v1/directives?state=all',
  ...Object.fromEntries(
    traceIds.flatMap((traceId, at) => [
      [`trace ${at}`, `/v1/audit/traces/${traceId}`],
      [`replay ${at}`, `/v1/audit/traces/${traceId}/replay`],
      [`bundle ${at}`, `/v1/audit/traces/${traceId}/bundle`],
    ]),
  ),
  ...Object.fromEntries(callIds.map((callId, at) => [`call ${at}`, `/v1/audit/calls/${callId}`])),
});

type Answers = ReadonlyMap<string, Answer>;

async function answersOf(service: TestService): Promise<Answers> {
  const answers = new Map<string, Answer>();
  for (const [name, path] of Object.entries(pathsOf(places)))
    answers.set(
      name,
      await (path.includes('format=jsonl')
        ? lines(service, path)
        : service.call(name === 'principals' ? 'admin' : 'auditor', 'GET', path)),
    );
  return answers;
}

/** JSON lines are no JSON. */
async function lines({ url, tokens }: TestService, path: string): Promise<Answer> {
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${tokens.auditor}` } });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

const start = (dataDir: string, more = {}) => startService({ dataDir, sealing: undefined, ...more });

before(async () => {
  const service = await start(whole);
  try {
    await life(service);
  } finally {
    await service.stop('keep');
  }
  const again = await start(whole);
  try {
    baseline = await answersOf(again);
  } finally {
    await again.stop('keep');
  }
  rows = eventsOf(join(whole, 'sallyport.db'));
});

/** Three tasks with calls, responses, outcomes and directives. */
async function life(service: TestService): Promise<void> {
  await readyWorld(service);
  const traceIds: string[] = [];
  const callIds: string[] = [];
  for (let number = 0; number < 3; number += 1) {
    const task = await openTask(service);
    const { taskId } = task;
    traceIds.push(task.traceId);
    for (let at = 0; at < 3; at += 1) {
      const { callId } = await decide(service, task, at === 2 ? { operation: 'unheard-of' } : {});
      callIds.push(callId);
      if (at === 2) continue;
      const result = { content: [{ type: 'text', text: `note ${at}` }] };
      expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, { taskId, result }));
      const outcome = { taskId, status: 'succeeded' };
      expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/outcome`, outcome));
    }
    await stop(service, { type: 'category', category: 'notes' }, { lift: true });
  }
  places = { traceIds, callIds };
  expecting(200, await service.call('auditor', 'GET', '/v1/audit/calls'));
}

after(() => rmSync(root, { recursive: true, force: true }));

/** A copy of the whole folder, with these events damaged. */
function copyWith(name: string, damages: readonly Damage[]): string {
  const dataDir = join(root, name);
  cpSync(whole, dataDir, { recursive: true });
  apply(dataDir, damages);
  return dataDir;
}

function apply(dataDir: string, damages: readonly Damage[]): void {
  const db = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 5_000 });
  for (const { sql, values } of damages) db.prepare(sql).run(...values);
  db.close();
}

/** Damages to one to three events of evidence. Of one of them the seed gives the kind, so that each kind has its turn. */
function chosen(seed: number): Damage[] {
  const chance = chanceOf(seed);
  // How many records of reading there are depends on the time that the answers took.
  const evidence = rows.filter(({ category, revision }) =>
    category === 'reads' ? revision === 1 : EVIDENCE.includes(category),
  );
  const first = chance.of(evidence.filter(({ category }) => category === EVIDENCE[seed % EVIDENCE.length]));
  const picked = new Map([[first.position, first]]);
  for (let more = chance.whole(0, 2); more > 0; more -= 1) {
    const row = chance.of(evidence);
    picked.set(row.position, row);
  }
  return [...picked.values()].map((row) => damageOf(row, chance, CANARY));
}

const itemsOf = (answer: Answered): Answered[] => answer.items ?? answer.calls ?? [];
const isMarked = (item: Answered): boolean => item.damaged === true || item.missing === true;
const byPosition = (items: readonly Answered[]): Map<string, Answered> =>
  new Map(items.map((item) => [String(item.position ?? item.metadata.sequence), item]));

/** The streams of the task that an item belongs to: only damage in them may change what is said about it. */
const restsOn = (item: Answered): string[] => [`calls-${item.taskId}`, `task-${item.taskId}`];

/** Everything of before is there: the same, or marked, and marked only where something is damaged. */
function assertSame(name: string, now: readonly Answered[], then: readonly Answered[], damages: readonly Damage[]) {
  const positions = new Set(damages.map(({ position }) => String(position)));
  const streams = new Set(damages.map(({ stream }) => stream));
  const found = byPosition(now);
  for (const [position, item] of byPosition(then)) {
    const shown = found.get(position);
    assert.ok(shown !== undefined, `${name}: nothing is at position ${position}`);
    if (positions.has(position)) {
      const { stream, revision } = damages.find((each) => String(each.position) === position) ?? assert.fail();
      assert.deepEqual(shown, { position, stream, revision, damaged: true }, `${name}: the damaged event itself`);
    } else if (isMarked(shown))
      assert.ok(
        restsOn(item).some((stream) => streams.has(stream)),
        `${name}: ${position} is marked, and nothing that it rests on is damaged`,
      );
    else assert.deepEqual(shown, item, `${name}: position ${position}`);
  }
}

function assertTrue(answers: Answers, damages: readonly Damage[]): void {
  const positions = damages.map(({ position }) => String(position));
  for (const [name, { status, body }] of answers) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const isOneDamaged = body?.code === 'evidence_damaged' && name.startsWith('call ');
    if (isOneDamaged)
      assert.ok(
        positions.some((position) => body.detail.includes(`position ${position} `)),
        text,
      );
    else assert.equal(status, 200, `${name}: ${text}`);
    assert.ok(!text.includes(CANARY), `${name} shows damaged text`);
  }
  const pair = (name: string) => [answers.get(name)?.body, baseline.get(name)?.body] as const;
  for (const name of ['calls', 'denied', 'events', 'typed', 'named', 'events as ocsf'])
    assertSame(name, itemsOf(pair(name)[0]), itemsOf(pair(name)[1]), damages);
  for (const at of places.traceIds.keys()) {
    const [trace, whole] = pair(`trace ${at}`);
    assertSame(`trace ${at}`, trace.events, whole.events, damages);
    const [calls, callsBefore] = [trace.calls, whole.calls].map((each: Answered[]) => each.map(withoutHistory));
    assertSame(`trace ${at}`, calls ?? [], callsBefore ?? [], damages);
    const [replay, replayBefore] = pair(`replay ${at}`);
    const isHit = whole.events.some(({ position }: Answered) => positions.includes(position));
    assert.equal(replay.identical, !isHit, `replay ${at}`);
    if (!isHit) assert.deepEqual(replay, replayBefore);
  }
}

/** The history is that of a shared stream, and has its own items. */
const withoutHistory = ({ capabilityHistory: _, ...call }: Answered): Answered => call;

for (let seed = 1; seed <= RUNS; seed += 1)
  test(`damage of seed ${seed} is shown in its place, hides nothing, and is nowhere taken as a decision`, async (t) => {
    const damages = chosen(seed);
    t.diagnostic(damages.map(({ what, stream, revision }) => `${what}: ${stream}@${revision}`).join('; '));
    const stopped = await start(copyWith(`stopped-${seed}`, damages));
    t.after(() => stopped.stop());
    assertTrue(await answersOf(stopped), damages);
    const told: string[] = [];
    const onDamaged = ({ position, stream }: DamagedPlace) => void told.push(`${position} ${stream}`);
    const running = await start(copyWith(`running-${seed}`, []), { onDamaged });
    t.after(() => running.stop());
    apply(running.dataDir, damages);
    assertTrue(await answersOf(running), damages);
    // The thread for auditors reports them, each once.
    assert.deepEqual(told.sort(), damages.map(({ position, stream }) => `${position} ${stream}`).sort());
  });

test('a trace keeps its calls if the events that opened and joined its task are both damaged', async (t) => {
  const joined = evidenceRow('TaskJoined');
  const opened = evidenceRow('TaskOpened');
  const damages = [textDamage(joined), textDamage(opened)];
  const service = await start(copyWith('joined', damages));
  t.after(() => service.stop());
  assertTrue(await answersOf(service), damages);
});

const evidenceRow = (type: string): Row => rows.findLast((row) => row.type === type) ?? assert.fail();
const textDamage = (row: Row): Damage => ({
  ...row,
  what: 'text',
  sql: `UPDATE events SET json = '"${CANARY}"' WHERE position = ?`,
  values: [row.position],
});

test('the service starts with damaged evidence among its newest events, and says where', async (t) => {
  const { dataDir, start: startProcess } = place(t);
  const row = evidenceRow('OutcomeRecorded');
  cpSync(whole, dataDir, { recursive: true });
  apply(dataDir, [textDamage(row)]);
  const siemFile = join(dataDir, 'siem.jsonl');
  const service = await startProcess({ env: { SALLYPORT_SIEM_FILE: siemFile } });
  for (const path of ['/v1/audit/events', '/v1/audit/calls', '/v1/audit/events'])
    expecting(200, await service.call('auditor', 'GET', path));
  const { position, stream, revision } = row;
  const at = { position: String(position), stream, revision };
  const fatal = jsonLines(service).filter(({ level }) => level === 'fatal');
  assert.deepEqual(
    fatal.map((line) => [line.msg, line['position'], line['stream'], line['revision']]),
    [['an event of the log is damaged: run sallyport check', at.position, stream, revision]],
  );
  const { body } = await service.call('nobody', 'GET', '/health/ready');
  assert.deepEqual([body.status, body.damaged], ['ready', { events: 1, first: [at] }]);
  const metrics = await fetch(`${service.url}/metrics`);
  assert.match(await metrics.text(), /^sallyport_evidence_damaged_total 1$/m);

  const sent = () => (existsSync(siemFile) ? readFileSync(siemFile, 'utf8') : '');
  const last = rows.findLast(({ category }) => category === 'reads') ?? assert.fail();
  await until(service, () => (sent().includes(`"sequence":${last.position}`) ? true : undefined));
  const findings = sent()
    .split('\n')
    .filter((line) => line.includes(`"sequence":${position},`) || line.includes(`"sequence":${position}}`))
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    findings.map(({ class_uid: uid, metadata }) => [uid, metadata.event_code, metadata.log_name]),
    [[2004, 'damaged', stream]],
  );
  assert.ok(!sent().includes(CANARY));
  // New evidence is recorded behind it.
  const { taskId } = await openTask(service);
  const { items } = expecting(200, await service.call('auditor', 'GET', '/v1/audit/tasks'));
  assert.ok(items.some((item: Answered) => item.taskId === taskId));
});

test('the service does not start if a control event is damaged, and names its position', async (t) => {
  const { dataDir, launch } = place(t);
  const row = evidenceRow('DirectiveLifted');
  cpSync(whole, dataDir, { recursive: true });
  apply(dataDir, [textDamage(row)]);
  const program = launch();
  assert.deepEqual(await ended(program), { code: 1, signal: null });
  const lines = program.stderr().trim().split('\n');
  assert.equal(lines.length, 1, program.stderr());
  assert.match(lines[0] ?? '', new RegExp(`the event at position ${row.position} is damaged`));
});

test('an auditor whose last record of reading is damaged goes on reading, and is recorded', async (t) => {
  const row = rows.findLast(({ category }) => category === 'reads') ?? assert.fail();
  const service = await start(copyWith('reads', [textDamage(row)]));
  t.after(() => service.stop());
  expecting(200, await service.call('auditor', 'GET', '/v1/audit/calls'));
  const { items } = expecting(200, await service.call('auditor', 'GET', `/v1/audit/events?stream=${row.stream}`));
  assert.ok(items.some((item: Answered) => item.revision === row.revision + 1 && item.type === 'EvidenceRead'));
});

test('a call that the index knows and the log lacks is missing', async (t) => {
  const row = evidenceRow('CallDecided');
  const deletion = { ...row, what: 'deleted', sql: 'DELETE FROM events WHERE position = ?', values: [row.position] };
  const service = await start(copyWith('deleted', [deletion]));
  t.after(() => service.stop());
  const { position, stream, revision } = row;
  const { items } = expecting(200, await service.call('auditor', 'GET', '/v1/audit/calls?limit=200'));
  assert.deepEqual(
    items.filter((item: Answered) => item.missing === true),
    [{ position: String(position), stream, revision, missing: true }],
  );
});
