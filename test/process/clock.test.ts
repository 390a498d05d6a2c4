import assert from 'node:assert/strict';
import { cli } from '../support/cli.js';
import { movableClock } from '../support/clock.js';
import { startService } from '../support/service.js';
import { expecting } from '../support/world.js';
import { ended, jsonLines, place } from './child.js';
import { test } from '../support/testing.js';

const HOUR_MS = 3_600_000;
const CLOSE_MS = 60_000;
const WARNING = /^the wall clock is behind the newest event/;

const isAboutAnHour = (ms: number): boolean => ms > HOUR_MS - CLOSE_MS && ms < HOUR_MS + CLOSE_MS;

test('a clock that was ahead once is a warning, a gauge and a part of the health at the next start', async (t) => {
  const { dataDir, start } = place(t);
  const clock = movableClock();
  clock.advance(HOUR_MS);
  const ahead = await startService({ dataDir, clock });
  const end = new Date(clock.wallMs() + 2 * HOUR_MS).toISOString();
  const directive = { target: { type: 'category', category: 'notes' }, reason: 'INC-1', expiresAt: end };
  const { id } = expecting(201, await ahead.call('operator', 'POST', '/v1/directives', directive));
  await ahead.stop('keep');

  const service = await start();
  const warnings = jsonLines(service).filter(({ level }) => level === 'warn');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.msg ?? '', WARNING);
  assert.ok(isAboutAnHour(Number(warnings[0]?.['aheadMs'])));
  const { clock: told } = expecting(200, await service.call('nobody', 'GET', '/health/ready'));
  assert.ok(isAboutAnHour(told.aheadMs) && isAboutAnHour(Date.parse(told.serviceTime) - Date.now()));
  const metrics = expecting(200, await service.call('nobody', 'GET', '/metrics')) as string;
  assert.ok(isAboutAnHour(Number(/^sallyport_clock_ahead_seconds (\S+)$/m.exec(metrics)?.[1]) * 1000));

  const { code, out } = await cli({ ...service, dataDir }, 'clock');
  assert.equal(code, 0);
  assert.match(out, /^the service's time is (1 h( \d+ s)?|59 min \d+ s) ahead of its wall clock\n/);
  assert.match(out, new RegExp(`${id} +ends at \\S+ by the wall clock`));
  assert.match(out, /The way back: stop the service, and start it when the wall clock has passed 2\S+Z\./);
  const asJson = JSON.parse((await cli({ ...service, dataDir }, 'clock', '--json')).out);
  const [first] = asJson.directives;
  assert.deepEqual([first.id, first.expiresAt], [id, end]);
  assert.equal(Date.parse(first.expiresAt) - Date.parse(first.expiresAtByWallClock), asJson.aheadMs);
  service.kill('SIGTERM');
  assert.equal((await ended(service)).code, 0);
});

test('a clock that is right is no line, and `sallyport clock` says so', async (t) => {
  const { dataDir, start } = place(t);
  const service = await start();
  assert.deepEqual(
    jsonLines(service).filter(({ level }) => level !== 'info'),
    [],
  );
  const { out } = await cli({ ...service, dataDir }, 'clock');
  assert.match(out, /^the service's time is (its wall clock|\d+ ms ahead)/);
});
