import assert from 'node:assert/strict';
import { pino } from 'pino';
import { test } from '../../../test/support/testing.js';
import { ClockWatch } from './clock-watch.js';

test('a clock that falls behind while the service runs is one warning, and its recovery one line', (t) => {
  const lines: { readonly level: number; readonly aheadMs: number }[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  let aheadMs = 500;
  const watch = new ClockWatch({ now: () => '2026-11-30T00:00:00.000Z', aheadMs: () => aheadMs }, 500, logger);
  t.after(() => watch.stop());
  assert.deepEqual(lines, []);
  for (const each of [501, 90_000, 501, 0, 0]) {
    aheadMs = each;
    watch.look();
  }
  assert.deepEqual(
    lines.map(({ level, aheadMs: told }) => [level, told]),
    [
      [40, 501],
      [30, 0],
    ],
  );
});
