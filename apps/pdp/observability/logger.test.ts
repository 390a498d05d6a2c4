import assert from 'node:assert/strict';
import { pino } from 'pino';
import { failureLog } from './logger.js';
import { test } from '../../../test/support/testing.js';

test('if every request fails there are few lines, and they say how many were left out', () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  let nowMs = 0;
  const log = failureLog(logger, () => nowMs);
  for (let each = 0; each < 1000; each += 1) log({ code: 'log_unavailable' });
  assert.equal(lines.length, 20);
  nowMs += 1000;
  log({ code: 'log_unavailable' });
  assert.equal(lines.length, 21);
  assert.equal(lines.at(-1)?.['leftOut'], 980);
  nowMs += 1000;
  log({ code: 'log_unavailable' });
  assert.ok(!('leftOut' in (lines.at(-1) ?? {})));
});
