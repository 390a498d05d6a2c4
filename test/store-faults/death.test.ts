import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../../libs/kernel/time.js';
import { LogUnavailable, type AppendOutcome } from '../../libs/event-log/port.js';
import { settledLog } from '../../libs/event-log/settled.js';
import { RESTART_MS } from '../../libs/event-log/sqlite/shared/settings.js';
import { batch, committed, dataOf, write } from '../contracts/facts.js';
import { inPlace } from './place.js';
import { test } from '../support/testing.js';

/** The worker threads that this process starts, by the last part of their script's name. */
const workers = new Map<string, Worker>();
let startedWorkers = 0;
process.on('worker', (worker) => {
  startedWorkers += 1;
  // Which one it is shows in the order: a log starts its writer, then its reader.
  workers.set(workers.has('writer') ? 'reader' : 'writer', worker);
});

async function kill(name: 'writer' | 'reader'): Promise<void> {
  const worker = workers.get(name);
  assert.ok(worker !== undefined);
  // The next one that is started takes its place.
  workers.delete(name);
  await worker.terminate();
}

test('the writer dies: what it had is unknown or unwritten, a repeat settles it, and every event stands once', () =>
  inPlace(async ({ open }) => {
    workers.clear();
    const log = await open();
    const sent = Array.from({ length: 200 }, (_, index) =>
      batch([write(`calls-${index % 10}`, Math.floor(index / 10), index)]),
    );
    const answers = sent.map((one) => log.append(one));
    await new Promise((resolve) => setImmediate(resolve));
    await kill('writer');
    const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
    assert.ok(kinds.some((kind) => kind === 'unknown' || kind === 'unwritten'));
    for (const one of sent) {
      const outcome = await log.append(one);
      assert.equal(outcome.kind, 'committed');
    }
    const events = await log.readAll({ after: 0n });
    assert.deepEqual(
      events
        .map(dataOf)
        .map(Number)
        .sort((one, two) => one - two),
      sent.map((_, index) => index),
    );
    assert.equal(log.stats().deaths, 1);
  }));

test('behind settledLog nobody notices', () =>
  inPlace(async ({ open }) => {
    workers.clear();
    const log = settledLog(await open(), { clock: systemClock, deadlineMs: 5_000 });
    const answers = Array.from({ length: 100 }, (_, index) => log.append(batch([write('calls-1', index, index)])));
    await new Promise((resolve) => setImmediate(resolve));
    await kill('writer');
    for (const answer of answers) assert.equal((await answer).kind, 'committed');
    assert.equal(await log.head('calls-1'), 100);
  }));

test('the writer dies while nothing waits: the next append finds a new one', () =>
  inPlace(async ({ open }) => {
    workers.clear();
    const log = await open();
    await committed(log, write('a-1', 0, 1));
    await kill('writer');
    await committed(log, write('a-1', 1, 2));
    assert.equal(await log.head('a-1'), 2);
  }));

test('the writer dies between an append and its posting: a repeat finds a new one, with nobody else asking', () =>
  inPlace(async ({ open }) => {
    workers.clear();
    const log = await open();
    const one = batch([write('a-1', 0, 1)]);
    const { promise: first, resolve } = Promise.withResolvers<AppendOutcome>();
    // Before the log hears of the death it orders the posting, which then finds no writer.
    workers.get('writer')?.prependListener('exit', () => resolve(log.append(one)));
    await kill('writer');
    assert.equal((await first).kind, 'unwritten');
    assert.equal((await log.append(one)).kind, 'committed');
  }));

test('a writer that cannot be started again: unwritten at once, and it goes on when the file is back', () =>
  inPlace(async ({ file, open }) => {
    workers.clear();
    const log = await open();
    await committed(log, write('a-1', 0, 1));
    renameSync(file, `${file}.away`);
    mkdirSync(file);
    await kill('writer');
    const next = batch([write('a-1', 1, 2)]);
    startedWorkers = 0;
    const startedMs = performance.now();
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const outcome = await log.append(next);
      assert.deepEqual(outcome, { kind: 'unwritten', cause: 'OPEN_CANNOT_OPEN' });
    }
    const pauses = Math.floor((performance.now() - startedMs) / RESTART_MS);
    assert.ok(startedWorkers <= 1 + pauses, `${startedWorkers} starts in ${pauses} pauses: not fifty of them`);
    rmdirSync(file);
    renameSync(`${file}.away`, file);
    const settled = settledLog(log, { clock: systemClock, deadlineMs: 2_000 });
    assert.equal((await settled.append(next)).kind, 'committed');
    assert.equal(await log.head('a-1'), 2);
  }));

test('the reader dies: reads fail or succeed, never hang, and followers go on', () =>
  inPlace(async ({ open }) => {
    workers.clear();
    const log = await open();
    await committed(log, write('a-1', 0, 1));
    const seen: unknown[] = [];
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const subscription = log.subscribe(
      { after: 0n },
      { onEvents: (events) => void seen.push(...events.map(dataOf)), onCaughtUp: () => seen.length === 2 && resolve() },
    );
    const readings = Array.from({ length: 50 }, () => log.head('a-1'));
    const settled = Promise.allSettled(readings);
    await kill('reader');
    for (const result of await settled) {
      assert.ok(result.status === 'fulfilled' ? result.value === 1 : result.reason instanceof LogUnavailable);
    }
    assert.equal(await log.head('a-1'), 1);
    await committed(log, write('a-1', 1, 2));
    await all;
    assert.deepEqual(seen, [1, 2]);
    await subscription.close();
  }));

test('kill -9 loses nothing that was acknowledged', () =>
  inPlace(async ({ file, open, spawn }) => {
    for (let round = 0; round < 2; round += 1) {
      const target = `${file}.${round}`;
      const other = spawn(['append', target]);
      assert.equal(await other.line(), 'open');
      const acknowledged = new Map<string, number>();
      for (let count = 0; count < 500 * (round + 1); count += 1) {
        const [stream = '', revision] = ((await other.line()) ?? '').split(' ');
        acknowledged.set(stream, Number(revision));
      }
      await other.kill();
      const log = await open({ file: target });
      for (const [stream, revision] of acknowledged) {
        const events = await log.read(stream);
        assert.ok(events.length >= revision, `${stream} has ${events.length} of ${revision}`);
      }
    }
  }));
