import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { callerOf, startService, tokensOf, type Answered } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { ended, listening, place, type Place } from './child.js';
import { hammer, isRecorded, moreAnswers, newLedger, type Ledger } from './ledger.js';
import { amount, chance, type SeededChance } from './random.js';
import { after, before, describe, test } from '../support/testing.js';

/** Files as a dying disk or a power cut leaves them: torn, with rubbish at the end, with pages that are wrong. */

/** How many tears and damages of each kind that is left to chance. */
const TEARS = amount('TEARS', 3);
const CLIENTS = 6;
const ANSWERS = 120;
const DB = 'sallyport.db';
const WAL = `${DB}-wal`;

/** The WAL of SQLite (https://sqlite.org/fileformat2.html#the_write_ahead_log). */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_BYTES = 4096;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;

interface Left {
  readonly dataDir: string;
  readonly tasks: readonly Answered[];
  readonly ledger: Ledger;
  readonly luck: SeededChance;
}

/** The files of a service that answered clients until this signal ended it. */
async function leftBy({ dataDir, start }: Place, luck: SeededChance, signal: 'SIGKILL' | 'SIGTERM'): Promise<Left> {
  const service = await start();
  await readyWorld(service);
  const tasks = await Promise.all(Array.from({ length: 3 }, () => openTask(service)));
  const ledger = newLedger();
  const clients = Array.from({ length: CLIENTS }, () => hammer(service, tasks, ledger, luck));
  await moreAnswers(ledger, ANSWERS, 20_000);
  service.kill('SIGKILL');
  await ended(service);
  await Promise.all(clients);
  assert.ok(ledger.allows.length > 0);
  if (signal === 'SIGTERM') {
    // A clean end folds the WAL into the database.
    const again = await start();
    again.kill('SIGTERM');
    await ended(again);
  }
  return { dataDir, tasks, ledger, luck };
}

/** A copy of the data with one file changed, for as long as `use` takes. */
async function onCopy(
  { dataDir }: Left,
  file: string,
  change: (bytes: Buffer) => Buffer,
  use: (copy: string) => Promise<void>,
): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'sallyport-torn-'));
  try {
    cpSync(dataDir, copy, { recursive: true });
    const path = join(copy, file);
    writeFileSync(path, change(readFileSync(path)));
    await use(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The end of the last frame that ended a transaction. */
function lastCommit(wal: Buffer): number {
  const salts = wal.subarray(16, 24);
  let end = WAL_HEADER_BYTES;
  for (let at = WAL_HEADER_BYTES; at + FRAME_BYTES <= wal.length; at += FRAME_BYTES) {
    if (!wal.subarray(at + 8, at + 16).equals(salts)) break;
    if (wal.readUInt32BE(at + 4) > 0) end = at + FRAME_BYTES;
  }
  return end;
}

describe('a write-ahead log that is torn behind its last commit loses nothing that was answered', () => {
  const here = place({ after });
  const luck = chance();
  const told = `the seed was ${luck.seed}`;
  let left: Left;
  before(async () => {
    left = await leftBy(here, luck, 'SIGKILL');
  });
  const behind: Readonly<Record<string, (whole: Buffer) => Buffer>> = {
    nothing: () => Buffer.alloc(0),
    'half a frame': (whole) => whole.subarray(WAL_HEADER_BYTES, WAL_HEADER_BYTES + FRAME_BYTES / 2),
    'an earlier frame again': (whole) => whole.subarray(WAL_HEADER_BYTES, WAL_HEADER_BYTES + FRAME_BYTES),
    'a frame with another page in it': (whole) =>
      Buffer.concat([whole.subarray(-FRAME_BYTES, -PAGE_BYTES), Buffer.alloc(PAGE_BYTES, 0x5a)]),
    zeros: () => Buffer.alloc(3 * FRAME_BYTES),
    rubbish: () => Buffer.from(Array.from({ length: 9000 }, () => luck.whole(0, 255))),
  };
  for (const [what, tail] of Object.entries(behind)) {
    test(`with ${what} behind it`, async () => {
      const change = (wal: Buffer): Buffer => {
        const whole = wal.subarray(0, lastCommit(wal));
        return Buffer.concat([whole, tail(whole)]);
      };
      await onCopy(left, WAL, change, async (dataDir) => {
        const service = await startService({ dataDir });
        try {
          for (const task of left.tasks) await isRecorded(service, task, left.ledger, `${what}, ${told}`);
          const [task] = left.tasks;
          assert.ok(task !== undefined);
          const answer = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
          assert.equal(expecting(200, answer).decision, 'allow');
        } finally {
          await service.stop('keep');
        }
      });
    });
  }
});

const eventsIn = async (dataDir: string): Promise<readonly RecordedEvent[]> => {
  const log = await openSqliteLog({ file: join(dataDir, DB) });
  try {
    return await log.readAll({ after: 0n, limit: 10_000 });
  } finally {
    await log.close();
  }
};

test('a write-ahead log that lost commits gives what was before them, whole, or the start says that it cannot', async (t) => {
  const left = await leftBy(place(t), chance(), 'SIGKILL');
  let whole: readonly RecordedEvent[] = [];
  await onCopy(
    left,
    WAL,
    (wal) => wal,
    async (copy) => void (whole = await eventsIn(copy)),
  );
  let shorter = 0;
  for (let tear = 0; tear < TEARS * 2; tear += 1) {
    // By turns torn off, and with a bit that has flipped: what comes behind it is not believed.
    const change = (wal: Buffer): Buffer => {
      const at = left.luck.whole(WAL_HEADER_BYTES, lastCommit(wal) - 1);
      if (tear % 2 === 0) return wal.subarray(0, at);
      const bytes = Buffer.from(wal);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      return bytes;
    };
    await onCopy(left, WAL, change, async (dataDir) => {
      const service = await startService({ dataDir }).catch((error: Error) => error.message);
      if (typeof service === 'string')
        return assert.match(service, /^[^\n]*tokens\.json belongs to another event log[^\n]*$/);
      try {
        const events = await service.service.stores.log.readAll({ after: 0n, limit: 10_000 });
        assert.deepEqual(events, whole.slice(0, events.length), `the seed was ${left.luck.seed}`);
        if (events.length < whole.length) shorter += 1;
        for (const { taskId, traceId } of left.tasks) {
          const { status, body } = await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}/replay`);
          if (status === 200) assert.equal(body.identical, true);
          else assert.equal(status, 404, taskId);
        }
      } finally {
        await service.stop('keep');
      }
    });
  }
  assert.ok(shorter > 0, 'nothing was torn off');
});

describe('a damaged database ends the start in one line, or is said to be so where it is read', () => {
  const here = place({ after });
  const luck = chance();
  let left: Left;
  before(async () => {
    left = await leftBy(here, luck, 'SIGTERM');
  });
  const page = (bytes: Buffer, at: number): Buffer =>
    Buffer.from(bytes).fill(0x5a, at * PAGE_BYTES, (at + 1) * PAGE_BYTES);
  const pageOf = (bytes: Buffer): number => luck.whole(1, bytes.length / PAGE_BYTES - 1);
  const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    'its header': (bytes) => page(bytes, 0),
    'its second half': (bytes) => bytes.subarray(0, (bytes.length / PAGE_BYTES / 2) * PAGE_BYTES),
    'its last page, in part': (bytes) => bytes.subarray(0, -1000),
    ...Object.fromEntries(
      Array.from({ length: TEARS }, (_, index) => [`a page (${index})`, (bytes: Buffer) => page(bytes, pageOf(bytes))]),
    ),
  };
  const outcomes: string[] = [];
  for (const [what, change] of Object.entries(damages)) {
    test(`that has lost ${what}`, async (t) => {
      await onCopy(left, DB, change, async (copy) => {
        const program = place(t).launch({ env: { SALLYPORT_DATA: copy } });
        const url = await Promise.race([listening(program).catch(() => undefined), program.exit.then(() => undefined)]);
        if (url === undefined) {
          outcomes.push('refused');
          assert.deepEqual(await ended(program), { code: 1, signal: null });
          return assert.match(program.stderr(), /^sallyport: [^\n]*\n$/);
        }
        outcomes.push('started');
        const service = { call: callerOf(url, tokensOf(copy)) };
        for (const task of left.tasks) {
          const trace = await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}`);
          // All of it, or a plain word that it cannot be had: never a part as if it were the whole.
          if (trace.status === 200) await isRecorded(service, task, left.ledger, what);
          else assert.match(trace.body.code, /^(log_unavailable|view_stale)$/);
          const decided = await service.call('host', 'POST', '/v1/calls/authorize', callBody(task));
          if (decided.status !== 200) assert.match(decided.body.code, /^(log_unavailable|outcome_unknown)$/);
        }
        assert.equal((await service.call('nobody', 'GET', '/health/live')).status, 200);
        program.kill('SIGTERM');
        assert.equal((await ended(program)).signal, null);
      });
    });
  }
  test('and the start is refused for some of them', (t) => {
    t.diagnostic(outcomes.join(', '));
    assert.ok(outcomes.includes('refused'));
  });
});
