import assert from 'node:assert/strict';
import type { Recall } from '../../libs/event-log/port.js';
import { withLog, type MakeLog } from './log-under-test.js';
import { batch, committed, dataOf, write } from './facts.js';
import { test } from '../support/testing.js';

/** A caller takes a batch back before the store has taken it. A log that cannot take appends back sets nothing. */
export function recalling(makeLog: MakeLog): void {
  const on = (name: string, body: Parameters<typeof withLog>[1]): unknown => test(name, withLog(makeLog, body));

  on('a batch that is taken back at once is unwritten, and its stream free', async (log) => {
    const recall: Recall = {};
    const answer = log.append(batch([write('calls-1', 0, 'taken back')]), recall);
    const isBack = recall.takeBack?.() === true;
    assert.equal((await answer).kind, isBack ? 'unwritten' : 'committed');
    assert.equal(await log.head('calls-1'), isBack ? 0 : 1);
    await committed(log, write('calls-1', isBack ? 0 : 1, 'next'));
  });

  on('an answered batch cannot be taken back', async (log) => {
    const recall: Recall = {};
    assert.equal((await log.append(batch([write('calls-1', 0, 'there')]), recall)).kind, 'committed');
    assert.notEqual(recall.takeBack?.(), true);
    // A late try does not affect later batches.
    const next = log.append(batch([write('calls-2', 0, 'next')]));
    assert.notEqual(recall.takeBack?.(), true);
    assert.equal((await next).kind, 'committed');
  });

  on('the store and the caller never both have a batch, however they race', async (log) => {
    const sent = Array.from({ length: 400 }, (_, index) => {
      const recall: Recall = {};
      const answer = log.append(batch([write(`calls-${index}`, 0, index)]), recall);
      return { index, recall, answer };
    });
    const back = new Set<number>();
    // Takes back a few in each turn, from the last one on, while the store works from the first one on.
    for (const { index, recall } of sent.toReversed()) {
      if (index % 3 === 0 && recall.takeBack?.() === true) back.add(index);
      if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const { index, answer } of sent)
      assert.equal((await answer).kind, back.has(index) ? 'unwritten' : 'committed', `batch ${index}`);
    const written = (await log.readAll({ after: 0n, limit: 1_000 })).map(dataOf);
    const kept = sent.map(({ index }) => index).filter((index) => !back.has(index));
    assert.deepEqual(written, kept);
    assert.ok(back.size > 0, 'none was taken back');
  });

  on('what rests on a batch that was taken back is refused', async (log) => {
    const recall: Recall = {};
    const first = log.append(batch([write('calls-1', 0, 1)]), recall);
    const second = log.append(batch([write('calls-1', 1, 2)]));
    const isBack = recall.takeBack?.() === true;
    await first;
    assert.equal((await second).kind, isBack ? 'refused' : 'committed');
  });
}
