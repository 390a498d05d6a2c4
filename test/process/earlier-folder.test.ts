import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newToken } from '../../apps/pdp/principals/token.js';
import { sealEvent } from '../../libs/event-log/event.js';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import type { Instant } from '../../libs/kernel/time.js';
import { eventsOf } from '../support/events.js';
import { startService } from '../support/service.js';
import { expecting } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

/** The data folder of a version that had no role `approver`. Its events are written as that version wrote them. */

const ROLES = ['admin', 'registrar', 'reviewer', 'operator', 'auditor', 'host'];
const time = '2026-11-01T10:00:00.000Z' as Instant;

async function earlierFolder(t: TestContext, { removed }: { removed?: string } = {}): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-earlier-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const made = ROLES.map((role) => [role, newToken()] as const);
  const log = await openSqliteLog({ file: join(dataDir, 'sallyport.db') });
  const writes = made.map(([role, { tokenDigest }]) => {
    const [name, stream] = [`local-${role}`, `principal-local-${role}`];
    const event = { stream, schemaVersion: 1, time, actor: 'system:first-start' };
    const data = { name, roles: [role], tokenDigest };
    const added = sealEvent({ ...event, revision: 1, type: 'PrincipalAdded', data });
    const gone = sealEvent({ ...event, revision: 2, actor: 'local-admin', type: 'PrincipalRemoved', data: { name } });
    return { stream, expected: 0, events: role === removed ? [added, gone] : [added] };
  });
  assert.equal((await log.append({ writes, checks: [] })).kind, 'committed');
  await log.close();
  const tokens = Object.fromEntries(made.map(([role, { token }]) => [role, token]));
  writeFileSync(join(dataDir, 'tokens.json'), JSON.stringify(tokens), { mode: 0o600 });
  return dataDir;
}

const tokensIn = (dataDir: string) =>
  JSON.parse(readFileSync(join(dataDir, 'tokens.json'), 'utf8')) as Record<string, string>;

test('a data folder from before the role gets local-approver, once', async (t) => {
  const dataDir = await earlierFolder(t);
  const before = tokensIn(dataDir);
  const service = await startService({ dataDir });
  assert.equal(service.service.tokensFile, join(dataDir, 'tokens.json'), 'the operator reads of it');
  const { approver = '', ...others } = tokensIn(dataDir);
  assert.deepEqual(others, before);
  assert.equal(statSync(join(dataDir, 'tokens.json')).mode & 0o777, 0o600);
  expecting(200, await service.call({ token: approver }, 'GET', '/v1/approvals'));
  const [added] = await eventsOf(service, 'principal-local-approver');
  assert.deepEqual([added?.actor, added?.data.user], ['system:first-start', 'local-approver']);
  await service.stop('keep');
  const again = await startService({ dataDir });
  assert.equal(again.service.tokensFile, undefined);
  assert.equal(tokensIn(dataDir)['approver'], approver);
  expecting(204, await again.call('admin', 'DELETE', '/v1/principals/local-approver'));
  await again.stop('keep');
  const later = await startService({ dataDir });
  assert.equal((await eventsOf(later, 'principal-local-approver')).length, 2, 'it stays removed');
  await later.stop('keep');
});

test('an operator who removed one of the first principals gets no further one', async (t) => {
  const dataDir = await earlierFolder(t, { removed: 'host' });
  const service = await startService({ dataDir });
  assert.deepEqual(Object.keys(tokensIn(dataDir)), ROLES);
  assert.deepEqual(await eventsOf(service, 'principal-local-approver'), []);
  await service.stop('keep');
});

test('the token has a file of its own if the operator has moved the others, and a foreign file is left alone', async (t) => {
  const moved = await earlierFolder(t);
  rmSync(join(moved, 'tokens.json'));
  const service = await startService({ dataDir: moved });
  assert.deepEqual(Object.keys(tokensIn(moved)), ['approver']);
  await service.stop('keep');
  const foreign = await earlierFolder(t);
  const file = join(foreign, 'tokens.json');
  writeFileSync(file, '"mine"');
  const other = await startService({ dataDir: foreign });
  assert.equal(readFileSync(file, 'utf8'), '"mine"');
  assert.deepEqual(await eventsOf(other, 'principal-local-approver'), []);
  await other.stop('keep');
});

test('a crash between the record and the file loses no token', async (t) => {
  const dataDir = await earlierFolder(t);
  await (await startService({ dataDir })).stop('keep');
  const file = join(dataDir, 'tokens.json');
  const whole = readFileSync(file, 'utf8');
  const { approver: _, ...others } = tokensIn(dataDir);
  writeFileSync(`${file}.added`, whole, { mode: 0o600 });
  writeFileSync(file, JSON.stringify(others));
  await (await startService({ dataDir })).stop('keep');
  assert.equal(readFileSync(file, 'utf8'), whole);
});
