import assert from 'node:assert/strict';
import { pino } from 'pino';
import { failureLog } from './logger.js';
import { test } from '../../../test/support/testing.js';

function logged() {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const clock = { nowMs: 0 };
  return { lines, clock, log: failureLog(logger, () => clock.nowMs) };
}

test('if every request fails there are few lines, and they say how many were left out', () => {
  const { lines, clock, log } = logged();
  for (let each = 0; each < 1000; each += 1) log({ code: 'internal' });
  assert.equal(lines.length, 20);
  clock.nowMs += 1000;
  log({ code: 'internal' });
  assert.equal(lines.length, 21);
  assert.equal(lines.at(-1)?.['leftOut'], 980);
  clock.nowMs += 1000;
  log({ code: 'internal' });
  assert.ok(!('leftOut' in (lines.at(-1) ?? {})));
});

test('while the store fails, one line every ten seconds stands for all requests of a code', () => {
  const { lines, clock, log } = logged();
  for (let each = 0; each < 100; each += 1) log({ code: 'log_unavailable' });
  log({ code: 'outcome_unknown' });
  assert.deepEqual(
    lines.map(({ code, leftOut }) => [code, leftOut]),
    [
      ['log_unavailable', undefined],
      ['outcome_unknown', 99],
    ],
  );
  clock.nowMs += 9_999;
  log({ code: 'log_unavailable' });
  assert.equal(lines.length, 2);
  clock.nowMs += 1;
  log({ code: 'log_unavailable' });
  assert.equal(lines.at(-1)?.['leftOut'], 1);
});
