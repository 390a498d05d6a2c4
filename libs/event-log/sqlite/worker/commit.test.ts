import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { write } from '../../../../test/contracts/facts.js';
import { heapMiB } from '../../../../test/support/memory.js';
import { ClaimCells } from '../shared/claims.js';
import { decodeGroup, encodeGroup } from '../shared/group-message.js';
import { openGroupWriter } from './commit.js';
import { test } from '../../../../test/support/testing.js';

const STREAMS = 600;
/** What each stream's first event and the next append to it hold: 60 MiB in all, twice. */
const FILLER = 'x'.repeat(100_000);

test('heads that are remembered do not keep alive the messages in which they came', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-writing-'));
  const claims = new ClaimCells(1);
  const writer = openGroupWriter({ path: join(folder, 'log.db') }, claims);
  t.after(() => {
    writer.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const before = heapMiB();
  for (const expected of [0, 1]) {
    for (let stream = 0; stream < STREAMS; stream += 1) {
      const writes = [write(`task-of-the-test-${stream}`, expected, FILLER)];
      const cell = claims.open();
      const [outcome] = writer.commit(decodeGroup(encodeGroup([{ batch: { writes, checks: [] }, cell }])));
      claims.close(cell);
      assert.equal(outcome?.kind, 'committed');
    }
    const grown = heapMiB() - before;
    assert.ok(grown < 10, `${grown.toFixed(1)} MiB more after ${STREAMS} appends`);
  }
});
