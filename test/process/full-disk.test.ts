import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { projectRoot } from '../support/root.js';
import type { Answer, Answered, Callable } from '../support/service.js';
import { callBody, expecting, openTask, proposal, readyWorld, taskBody } from '../support/world.js';
import { ended, jsonLines, place, until, type Program, type ServiceProcess } from './child.js';
import { test } from '../support/testing.js';

/**
 * The whole service on a full disk. No file of the process may grow past a limit that its shell has set. Folding the
 * write-ahead log from outside, where there is no limit, makes room.
 */

const MAX_KIB = 1024;
/** After this many failures in a row the disk counts as full for every request. */
const ALL_FAIL = 3;
const PADDING = 'x'.repeat(2_000);

const limited: [string, ...string[]] = [
  'bash',
  '-c',
  `ulimit -f ${MAX_KIB} && exec "$0" "$@"`,
  process.execPath,
  join(projectRoot, 'dist', 'apps', 'pdp', 'main.js'),
];

function makeRoom(dataDir: string): void {
  const db = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 5_000 });
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}

const authorize = (service: Callable, body: Answered): Promise<Answer> =>
  service.call('host', 'POST', '/v1/calls/authorize', body);
/** Nothing was written, or nobody can say: only the store knows which, and the answer says what it knows. */
const isFull = ({ status, body }: Answer): void => {
  assert.ok(status === 503 && ['log_unavailable', 'outcome_unknown'].includes(body.code), JSON.stringify(body));
};

/** A command that permits something, and a way for anyone to read if it has been carried out. */
async function openings(service: Callable) {
  const target = { type: 'category', category: 'other' };
  const versions = '/v1/capabilities/memory/versions';
  const issue = await service.call('operator', 'POST', '/v1/directives', { target, reason: 'INC-1' });
  const { id } = expecting(201, issue);
  expecting(201, await service.call('registrar', 'POST', versions, proposal('2.0.0')));
  const review = { verdict: 'approved', reason: 'looked at it', exceptions: ['signature_missing'] };
  const ask = {
    lift: () => service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'INC-1' }),
    approve: () => service.call('reviewer', 'POST', `${versions}/2.0.0/review`, review),
    addAdmin: () => service.call('admin', 'POST', '/v1/principals', { name: 'second', roles: ['admin'] }),
  };
  const read = async (path: string): Promise<Answered> => expecting(200, await service.call('auditor', 'GET', path));
  const done = async () => {
    const { active } = await read('/v1/directives');
    const { items } = await read('/v1/audit/events?types=PrincipalAdded');
    return {
      lift: active.every((directive: Answered) => directive.id !== id),
      approve: (await read(`${versions}/2.0.0`)).status === 'approved',
      addAdmin: items.some(({ stream }: Answered) => stream === 'principal-second'),
    };
  };
  return { ask, done };
}

/** Asks until no call is recorded. Gives each allow that was answered. */
async function fill(service: ServiceProcess, task: Answered): Promise<Answered[]> {
  const allowed: Answered[] = [];
  for (let failures = 0; failures < ALL_FAIL;) {
    const body = callBody(task, { arguments: { key: PADDING } });
    const answer = await authorize(service, body);
    if (answer.status === 200) {
      assert.equal(answer.body.decision, 'allow');
      allowed.push({ ...answer.body, body });
      failures = 0;
    } else {
      isFull(answer);
      failures += 1;
    }
  }
  return allowed;
}

/** Every allow that was answered is in the trace at its position, and all of it replays. */
async function isRecorded(service: Callable, task: Answered, allowed: readonly Answered[]): Promise<void> {
  const path = `/v1/audit/traces/${task.traceId}`;
  const { events } = expecting(200, await service.call('auditor', 'GET', path));
  const recorded = new Map<string, Answered>(events.map((event: Answered) => [event.position, event.data]));
  for (const { callId, position } of allowed) {
    const { callId: found, decision } = recorded.get(position) ?? {};
    assert.deepEqual([found, decision], [callId, 'allow']);
  }
  const replay = expecting(200, await service.call('auditor', 'GET', `${path}/replay`));
  assert.equal(replay.identical, true);
}

async function stopped(service: Program): Promise<void> {
  service.kill('SIGTERM');
  assert.deepEqual(await ended(service), { code: 0, signal: null });
  assert.equal(service.stderr(), '');
}

test('while the disk is full nothing is allowed, and it goes on by itself when there is room again', async (t) => {
  const { dataDir, start } = place(t);
  const service = await start({ command: limited });
  await readyWorld(service);
  const task = await openTask(service);
  const { ask, done } = await openings(service);
  const undone = { lift: false, approve: false, addAdmin: false };
  assert.deepEqual(await done(), undone);
  const allowed = await fill(service, task);
  assert.ok(allowed.length > 10);
  for (const answer of await Promise.all(Object.values(ask).map((asked) => asked()))) isFull(answer);

  const refused = Array.from({ length: 8 }, () => callBody(task, { arguments: { key: PADDING } }));
  for (const answer of await Promise.all(refused.map((body) => authorize(service, body)))) isFull(answer);
  isFull(await authorize(service, callBody(task, { arguments: {} })));
  isFull(await service.call('host', 'POST', '/v1/tasks', taskBody()));
  const directive = { target: { type: 'capability', capability: 'other' }, reason: 'INC-1' };
  isFull(await service.call('operator', 'POST', '/v1/directives', directive));
  const full = await service.call('nobody', 'GET', '/health/ready');
  assert.equal(full.status, 503);
  const file = join(dataDir, 'sallyport.db');
  const { cause, path, freeBytes } = full.body.disk;
  assert.ok(/^SQLITE_(FULL|IOERR)$/.test(cause) && path === file && freeBytes > 0, JSON.stringify(full.body));
  const metrics = await service.call('nobody', 'GET', '/metrics');
  assert.match(String(metrics.body), /^sallyport_log_free_bytes [1-9]/m);
  const said = (text: string): Answered[] => jsonLines(service).filter(({ msg }) => msg === text);
  const about = said('the disk takes no writes');
  assert.deepEqual([about.length, about[0].cause, about[0].path], [1, cause, file]);
  assert.ok(about[0].freeBytes > 0);
  assert.equal((await service.call('nobody', 'GET', '/health/live')).status, 200);
  // A recorded allow is not returned as if the disk were well.
  isFull(await authorize(service, allowed.at(-1)?.['body']));

  makeRoom(dataDir);
  await until(service, async () => {
    const { status } = await service.call('nobody', 'GET', '/health/ready');
    return status === 200 ? true : undefined;
  });
  await until(service, () => said('recovered: the disk takes writes again')[0]);
  assert.equal((await service.call('nobody', 'GET', '/health/ready')).body.disk, undefined);
  // Nothing that opens something and was refused is carried out now; asked again, it is.
  await pause(1_500);
  assert.deepEqual(await done(), undone);
  for (const asked of Object.values(ask)) assert.ok((await asked()).status < 300);
  assert.deepEqual(await done(), { lift: true, approve: true, addAdmin: true });
  for (const body of refused) {
    // Batches with an unknown outcome are settled first, which may take longer than one caller waits.
    const answer = await until(service, async () => {
      const { status, body: decided } = await authorize(service, body);
      return status === 200 ? decided : undefined;
    });
    assert.equal(answer.decision, 'allow');
    allowed.push(answer);
  }
  await isRecorded(service, task, allowed);
  await stopped(service);

  const again = await start();
  await isRecorded(again, task, allowed);
  assert.equal(expecting(200, await authorize(again, callBody(task))).decision, 'allow');
  await stopped(again);
});

test('killed while the disk is full, it starts where there is room, with all that was answered', async (t) => {
  const { start } = place(t);
  const service = await start({ command: limited });
  await readyWorld(service);
  const task = await openTask(service);
  const allowed = await fill(service, task);
  service.kill('SIGKILL');
  await ended(service);
  const again = await start();
  await isRecorded(again, task, allowed);
  assert.equal(expecting(200, await authorize(again, callBody(task))).decision, 'allow');
  await stopped(again);
});

test('a file system that is full says how many bytes are left, and that it is over', async (t) => {
  const { start } = place(t);
  const mount = mkdtempSync(join(tmpdir(), 'sallyport-small-'));
  t.after(() => rmSync(mount, { recursive: true, force: true }));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount], { stdio: 'ignore' });
  } catch {
    return t.skip('needs the right to mount a file system');
  }
  try {
    const filler = join(mount, 'filler');
    const service = await start({ env: { SALLYPORT_EVENT_LOG: `sqlite:${join(mount, 'sallyport.db')}` } });
    await readyWorld(service);
    const task = await openTask(service);
    writeFileSync(filler, Buffer.alloc(1_048_576));
    await fill(service, task);
    const { disk } = (await service.call('nobody', 'GET', '/health/ready')).body;
    assert.equal(disk.cause, 'SQLITE_FULL');
    assert.ok(disk.freeBytes < 262_144, JSON.stringify(disk));
    rmSync(filler);
    await until(
      service,
      async () => (await service.call('nobody', 'GET', '/health/ready')).status === 200 || undefined,
    );
    const said = jsonLines(service).filter(({ path }) => path === join(mount, 'sallyport.db'));
    assert.deepEqual(
      said.map(({ level, msg, cause }) => [level, msg, cause]),
      [
        ['error', 'the disk takes no writes', 'SQLITE_FULL'],
        ['info', 'recovered: the disk takes writes again', undefined],
      ],
    );
    await stopped(service);
  } finally {
    execFileSync('umount', ['-l', mount], { stdio: 'ignore' });
  }
});
