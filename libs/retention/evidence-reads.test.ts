import assert from 'node:assert/strict';
import { test } from '../../test/support/testing.js';
import { MemoryLog } from '../event-log/memory/memory-log.js';
import { LogUnavailable } from '../event-log/port.js';
import { settledLog } from '../event-log/settled.js';
import { systemClock, toInstant } from '../kernel/time.js';
import { families, type EventOf } from '../streams/catalogue.js';
import { MAX_READS_LISTED } from '../streams/retention-events.js';
import { EvidenceReads } from './evidence-reads.js';

type Recorded = EventOf<'EvidenceRead'>['data'];

function world() {
  const inner = new MemoryLog();
  const settled = settledLog(inner, { clock: systemClock });
  let nowMs = 0;
  let failing = false;
  const log = {
    head: (stream: string) => settled.head(stream),
    append: async (...batch: Parameters<typeof settled.append>) => {
      if (failing) throw new LogUnavailable('the disk is full');
      return settled.append(...batch);
    },
  };
  const reads = new EvidenceReads(log, { now: () => toInstant(nowMs), monotonicMs: () => nowMs });
  return {
    reads,
    pass: (ms: number) => (nowMs += ms),
    fail: (is: boolean) => (failing = is),
    inner,
    recorded: async (by = 'ada'): Promise<Recorded[]> =>
      (await inner.read(families.reads.stream(by))).map(({ json }) => families.reads.read(json).data),
  };
}

const trace = (traceId: string) => ({ operation: 'getTrace', traceId });

test('the first question is recorded before its answer, and further ones within a second are one event', async () => {
  const { reads, pass, recorded } = world();
  await reads.note('ada', trace('a'));
  const [first] = await recorded();
  assert.deepEqual(first, {
    by: 'ada',
    what: [{ operation: 'getTrace', traceId: 'a', count: 1 }],
    count: 1,
    from: toInstant(0),
    to: toInstant(0),
  });
  for (const id of ['a', 'b', 'b']) {
    pass(300);
    await reads.note('ada', trace(id));
  }
  await reads.note('bob', trace('a'));
  assert.deepEqual([(await recorded()).length, (await recorded('bob')).length], [1, 1]);
  pass(100);
  await reads.note('ada', trace('c'));
  const [, second] = await recorded();
  assert.deepEqual([second?.count, second?.from, second?.to], [4, toInstant(300), toInstant(1000)]);
  assert.deepEqual(
    second?.what.map(({ traceId, count }) => [traceId, count]),
    [
      ['a', 1],
      ['b', 2],
      ['c', 1],
    ],
  );
});

test('a tail of the log is recorded ever more seldom, up to once a minute, and a new question within a second', async () => {
  const { reads, pass, recorded } = world();
  const tail = { operation: 'listEvents' };
  for (let second = 0; second < 600; second += 1) {
    await reads.note('ada', tail);
    pass(1000);
  }
  const events = await recorded();
  assert.ok(events.length < 20, `${events.length} events for 600 polls`);
  await reads.note('ada', trace('a'));
  const later = await recorded();
  assert.equal(later.length, events.length + 1);
  assert.equal(
    later.reduce((sum, { count }) => sum + count, 0),
    601,
  );
});

test('what is gathered has a bound, and nothing is left uncounted', async () => {
  const { reads, recorded } = world();
  await reads.note('ada', trace('first'));
  for (let index = 0; index < 100; index += 1) await reads.note('ada', trace(`t${index}`));
  await reads.close();
  const [, rest] = await recorded();
  assert.deepEqual([rest?.what.length, rest?.count], [MAX_READS_LISTED, 100]);
  await assert.rejects(reads.note('ada', trace('late')), LogUnavailable);
});

test('no question is answered while readings cannot be recorded, and none of them is lost', async () => {
  const { reads, pass, fail, recorded } = world();
  fail(true);
  await assert.rejects(reads.note('ada', trace('a')), LogUnavailable);
  await assert.rejects(reads.note('ada', trace('a')), LogUnavailable);
  fail(false);
  await reads.note('ada', trace('b'));
  assert.deepEqual(
    (await recorded())[0]?.what.map(({ traceId, count }) => [traceId, count]),
    [
      ['a', 2],
      ['b', 1],
    ],
  );
  pass(100);
  await reads.note('ada', trace('c'));
  fail(true);
  pass(2000);
  await assert.rejects(reads.note('ada', trace('d')), LogUnavailable);
  await assert.rejects(reads.note('ada', trace('c')), LogUnavailable);
});

test('another writer of the stream is no fault', async () => {
  const { reads, pass, recorded, inner } = world();
  await reads.note('ada', trace('a'));
  const other = new EvidenceReads(settledLog(inner, { clock: systemClock }), {
    now: () => toInstant(5000),
    monotonicMs: () => 0,
  });
  await other.note('ada', trace('b'));
  pass(5000);
  await Promise.all([reads.note('ada', trace('c')), reads.note('ada', trace('d'))]);
  await reads.close();
  assert.equal(
    (await recorded()).reduce((sum, { count }) => sum + count, 0),
    4,
  );
});
