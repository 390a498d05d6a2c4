import assert from 'node:assert/strict';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from '../support/service.js';
import { callBody, openTask, readyWorld, taskBody } from '../support/world.js';
import { ended, jsonLines, place, until, type ServiceProcess } from './child.js';
import { test } from '../support/testing.js';

/** The files of a running service are taken away. SQLite writes to them as before, and the records would be lost. */

interface Ask {
  readonly service: ServiceProcess;
  readonly authorize: () => Promise<Answer>;
}

async function asking(service: ServiceProcess): Promise<Ask> {
  await readyWorld(service);
  const task = await openTask(service);
  const authorize = () => service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
  assert.equal((await authorize()).body.decision, 'allow');
  return { service, authorize };
}

function isRefused({ status, body }: Answer): void {
  assert.ok(status === 503 && ['log_unavailable', 'outcome_unknown'].includes(body.code), JSON.stringify(body));
}

async function isUnready(service: ServiceProcess, path: string): Promise<void> {
  const response = await fetch(`${service.url}/health/ready`);
  const { reason, disk } = (await response.json()) as { reason: string; disk: { cause: string; path: string } };
  assert.deepEqual([response.status, reason, disk.cause, disk.path], [503, 'log_unavailable', 'FILE_GONE', path]);
  await until(service, () => jsonLines(service).find(({ cause }) => cause === 'FILE_GONE'));
}

test('no call is allowed while the data folder is elsewhere, and calls go on once it is back', async (t) => {
  const { dataDir, start } = place(t);
  const { service, authorize } = await asking(await start());
  const elsewhere = `${dataDir}-elsewhere`;
  t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
  renameSync(dataDir, elsewhere);
  for (let times = 0; times < 3; times += 1) isRefused(await authorize());
  await isUnready(service, join(dataDir, 'sallyport.db'));
  assert.equal(existsSync(dataDir), false, 'nothing is made in its place');
  renameSync(elsewhere, dataDir);
  assert.equal((await authorize()).body.decision, 'allow');
  assert.equal((await fetch(`${service.url}/health/ready`)).status, 200);
});

test('no call is allowed after the data folder was removed, also if another one is in its place', async (t) => {
  const { dataDir, start } = place(t);
  const other = place(t);
  const { service, authorize } = await asking(await start());
  rmSync(dataDir, { recursive: true });
  isRefused(await authorize());
  (await other.start()).kill('SIGKILL');
  renameSync(other.dataDir, dataDir);
  isRefused(await authorize());
  await isUnready(service, join(dataDir, 'sallyport.db'));
});

test('no call is allowed after the write-ahead log alone was removed; an orderly stop still saves its records', async (t) => {
  const { dataDir, start } = place(t);
  const { service, authorize } = await asking(await start());
  rmSync(join(dataDir, 'sallyport.db-wal'));
  for (let times = 0; times < 2; times += 1) isRefused(await authorize());
  await isUnready(service, join(dataDir, 'sallyport.db'));
  service.kill('SIGTERM');
  await ended(service);
  const decided = await (await start()).call('auditor', 'GET', '/v1/audit/calls?decision=allow');
  assert.ok(decided.body.items.length >= 1, JSON.stringify(decided.body));
});

test('no task is opened if the file of the keys is gone', async (t) => {
  const { dataDir, start } = place(t);
  const { service, authorize } = await asking(await start());
  renameSync(join(dataDir, 'keys.db'), join(dataDir, 'away.db'));
  const opened = await service.call('host', 'POST', '/v1/tasks', taskBody());
  assert.equal(opened.status, 503, JSON.stringify(opened.body));
  await until(service, () => jsonLines(service).find(({ cause }) => cause === 'FILE_GONE'));
  assert.equal((await authorize()).body.decision, 'allow', 'its key is known and durable');
  renameSync(join(dataDir, 'away.db'), join(dataDir, 'keys.db'));
  assert.equal((await service.call('host', 'POST', '/v1/tasks', taskBody())).status, 201);
});
