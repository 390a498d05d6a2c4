import assert from 'node:assert/strict';
import type { EventLog } from '../../libs/event-log/port.js';
import { withLog, type MakeLog } from './log-under-test.js';
import { committed, dataOf, namesOf, write } from './facts.js';
import { test } from '../support/testing.js';

export function reading(makeLog: MakeLog): void {
  const on = (name: string, body: Parameters<typeof withLog>[1]) => test(name, withLog(makeLog, body));

  on('finds nothing in an empty log', async (log) => {
    assert.equal(await log.end(), 0n);
    assert.equal(await log.head('directives'), 0);
    assert.deepEqual(await log.read('directives'), []);
    assert.deepEqual(await log.readAll({ after: 0n }), []);
  });

  on('gives back the very text that was appended', async (log) => {
    const odd = { text: 'é 😀 \u2028 \\ " \u0000', nested: { ',"id":"': [1e-7, -0, null] } };
    const wrote = write('capability-x', 0, odd);
    await committed(log, wrote);
    const [event] = await log.read('capability-x');
    assert.equal(event?.json, wrote.events[0]?.json);
    assert.deepEqual(
      { stream: event?.stream, revision: event?.revision, type: event?.type },
      { stream: 'capability-x', revision: 1, type: 'Happened' },
    );
    assert.deepEqual(await log.readAll({ after: 0n }), [event]);
  });

  on('reads a stream after a revision, however long it is', async (log) => {
    const revisions = Array.from({ length: 1_203 }, (_, index) => index + 1);
    await committed(log, write('calls-1', 0, ...revisions.slice(0, 900)));
    await committed(log, write('calls-1', 900, ...revisions.slice(900)), write('calls-2', 0, 'else'));
    assert.deepEqual((await log.read('calls-1')).map(dataOf), revisions);
    assert.deepEqual((await log.read('calls-1', 1_200)).map(dataOf), [1_201, 1_202, 1_203]);
    assert.deepEqual(await log.read('calls-1', 1_203), []);
    assert.deepEqual(await log.read('calls-1', 5_000), []);
    assert.deepEqual((await log.read('calls-1', 0, 700)).map(dataOf), revisions.slice(0, 700));
    assert.deepEqual((await log.read('calls-1', 1_200, 2)).map(dataOf), [1_201, 1_202]);
    assert.deepEqual((await log.read('calls-1', 1_200, 5)).map(dataOf), [1_201, 1_202, 1_203]);
    assert.deepEqual(await log.read('calls-1', 0, 0), []);
  });

  on('sees everything that was committed before the read', async (log) => {
    for (let revision = 1; revision <= 20; revision += 1) {
      const position = await committed(log, write('directives', revision - 1, revision));
      assert.equal(await log.head('directives'), revision);
      assert.equal(await log.end(), position);
    }
  });

  on('reads the last events backwards from the end, in order of position', async (log) => {
    assert.deepEqual(await log.last(5), []);
    await someTraffic(log);
    const all = await readToEnd(log, 1_000);
    for (const count of [1, 2, 7, all.length, all.length + 1])
      assert.deepEqual(await log.last(count), all.slice(-count));
    assert.deepEqual(await log.last(0), []);
  });

  on('reads all streams in order of position, page after page, each event once', async (log) => {
    const expected = await someTraffic(log);
    for (const limit of [1, 7, 1_000]) {
      const events = await readToEnd(log, limit);
      assert.deepEqual(namesOf(events), expected);
      for (const [index, event] of events.entries()) {
        assert.ok(index === 0 || event.position >= (events[index - 1]?.position ?? 0n));
      }
    }
  });

  on('never splits a batch that shares one position', async (log) => {
    await committed(log, write('a-1', 0, 1, 2, 3), write('b-1', 0, 1));
    await committed(log, write('a-1', 3, 4));
    let after = 0n;
    let events = 0;
    for (;;) {
      const page = await log.readAll({ after, limit: 2 });
      const [first, last] = [page.at(0), page.at(-1)];
      if (first === undefined || last === undefined) break;
      // If the last page had stopped inside a batch, the rest of that batch would have been skipped.
      assert.ok(first.position > after);
      events += page.length;
      after = last.position;
    }
    assert.equal(events, 5);
  });

  on('reads only the categories that are asked for', async (log) => {
    await someTraffic(log);
    const namesIn = async (...categories: string[]) => namesOf(await log.readAll({ after: 0n, categories }));
    assert.deepEqual(await namesIn('directives'), ['directives@1', 'directives@2']);
    assert.deepEqual(await namesIn('task', 'directives'), ['task-1@1', 'directives@1', 'directives@2', 'task-1@2']);
    assert.deepEqual((await namesIn('calls')).length, 30);
    assert.deepEqual(await namesIn('call'), []);
    assert.deepEqual(await namesIn(), []);
    assert.deepEqual((await namesIn('calls', 'task')).length, 32);
    const [first] = await log.readAll({ after: 0n, categories: ['directives'] });
    const rest = await log.readAll({ after: first?.position ?? 0n, categories: ['directives'] });
    assert.deepEqual(namesOf(rest), ['directives@2']);
  });
}

/** Appends a small mixture of streams, one event at a time. Returns its names in order. */
async function someTraffic(log: EventLog): Promise<string[]> {
  const names: string[] = [];
  const add = async (stream: string, revision: number) => {
    await committed(log, write(stream, revision - 1, revision));
    names.push(`${stream}@${revision}`);
  };
  await add('task-1', 1);
  await add('directives', 1);
  for (let revision = 1; revision <= 15; revision += 1) {
    await add('calls-1', revision);
    await add('calls-2', revision);
  }
  await add('directives', 2);
  await add('task-1', 2);
  return names;
}

async function readToEnd(log: EventLog, limit: number) {
  const events = [...(await log.readAll({ after: 0n, limit }))];
  for (;;) {
    const page = await log.readAll({ after: events.at(-1)?.position ?? 0n, limit });
    if (page.length === 0) return events;
    events.push(...page);
  }
}
