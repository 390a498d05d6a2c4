import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { digestOfBytes } from '../../libs/kernel/digest.js';
import { projectRoot } from '../support/root.js';
import { after, before, test, type TestContext } from '../support/testing.js';
import { place } from '../process/child.js';
import { archive, archiveOf, assertWhole, countIn, endedTraces, listsOf, type Ended, type Ground } from './ground.js';

const TRACES = 12;

let ground: Ground;
before(async () => {
  ground = await endedTraces(TRACES);
});
after(() => ground.remove());

/** Starts `sallyport archive --prune`, and kills it once `isTime`, or at its end. Answers whether it was killed in time. */
async function killedOnce(t: TestContext, folder: Ended, isTime: () => boolean): Promise<boolean> {
  const program = join(projectRoot, 'dist', 'apps', 'pdp', 'archive', 'main.js');
  const command = [
    process.execPath,
    program,
    '--before',
    folder.before,
    '--out',
    archiveOf(folder),
    '--prune',
  ] as const;
  const env = { SALLYPORT_DATA: folder.dataDir, SALLYPORT_WITNESS_DIR: folder.witness };
  const running = place(t).launch({ command, env });
  const run = { ended: false };
  void running.exit.then(() => (run.ended = true));
  while (!run.ended && !isTime()) await turn();
  running.kill('SIGKILL');
  return (await running.exit).signal === 'SIGKILL';
}

const filesOf = (folder: Ended): string[] => (existsSync(archiveOf(folder)) ? readdirSync(archiveOf(folder)) : []);
const callsOf = (taskId: string): string =>
  `SELECT count(*) FROM events JOIN streams ON id = stream_id WHERE name = 'calls-${taskId}'`;

/** Each trace is in the log, whole, or its bundle is in the archive, as the log's own list names it. */
async function assertNothingLost(folder: Ended): Promise<number> {
  await assertWhole(folder);
  const bundles = new Map(
    listsOf(folder).flatMap(({ traces }) => traces.map((trace) => [trace.traceId, trace] as const)),
  );
  let removed = 0;
  for (const { taskId, traceId } of folder.tasks.ended) {
    const left = countIn(folder, callsOf(taskId));
    if (left === 9) continue;
    removed += 1;
    assert.equal(left, 0, 'a trace is removed whole or not at all');
    const { file = '', digest } = bundles.get(traceId) ?? {};
    assert.equal(digestOfBytes(readFileSync(join(archiveOf(folder), file))), digest);
  }
  return removed;
}

test('a kill while bundles are written, recorded or removed loses nothing, and the same command completes it', async (t) => {
  const isPruning = (folder: Ended) => () => countIn(folder, 'SELECT count(*) FROM pruned') > 0;
  const isRecorded = (folder: Ended) => () =>
    countIn(folder, "SELECT count(*) FROM events WHERE category = 'archives'") > 0;
  const isWritten = (count: number) => (folder: Ended) => () =>
    filesOf(folder).filter((name) => !name.startsWith('.')).length >= count;
  const removed: number[] = [];
  let kills = 0;
  for (const moment of [isWritten(1), isWritten(TRACES + 1), isRecorded, isPruning]) {
    const folder = ground.copy();
    const isKilled = await killedOnce(t, folder, moment(folder));
    removed.push(await assertNothingLost(folder));
    if (!isKilled) continue;
    kills += 1;
    await archive(folder, '--prune', '--yes');
    assert.equal(await assertNothingLost(folder), TRACES);
  }
  t.diagnostic(`traces that were removed at the kills: ${removed.join(', ')}`);
  assert.ok(kills > 0, 'every run ended before its kill');
});
