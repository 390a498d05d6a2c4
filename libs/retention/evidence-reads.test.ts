import assert from 'node:assert/strict';
import { test } from '../../test/support/testing.js';
import { MemoryLog } from '../event-log/memory/memory-log.js';
import { LogUnavailable, OutcomeUnknown, type Batch } from '../event-log/port.js';
import { settledLog } from '../event-log/settled.js';
import { systemClock, toInstant } from '../kernel/time.js';
import { families, type EventOf } from '../streams/catalogue.js';
import { MAX_QUERY_CHARS, MAX_READS_LISTED } from '../streams/retention-events.js';
import { EvidenceReads } from './evidence-reads.js';

type Recorded = EventOf<'EvidenceRead'>['data'];

function world() {
  const inner = new MemoryLog();
  const settled = settledLog(inner, { clock: systemClock });
  let nowMs = 0;
  let failing = false;
  let doubtful = false;
  let poisoned: string | undefined;
  const log = {
    head: (stream: string) => settled.head(stream),
    append: async (batch: Batch) => {
      if (failing) throw new LogUnavailable('the disk is full');
      if (poisoned !== undefined && JSON.stringify(batch).includes(poisoned)) throw new TypeError('unforeseen');
      const outcome = await settled.append(batch);
      if (doubtful) throw new OutcomeUnknown('the disk does not answer');
      return outcome;
    },
  };
  const reads = new EvidenceReads(log, { now: () => toInstant(nowMs), monotonicMs: () => nowMs });
  return {
    reads,
    pass: (ms: number) => (nowMs += ms),
    fail: (is: boolean) => (failing = is),
    doubt: (is: boolean) => (doubtful = is),
    poison: (text: string) => (poisoned = text),
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
  await reads.note('bob', trace('a'));
  assert.equal((await recorded('bob')).length, 1);
  // Nothing is read meanwhile: the timer is real, and would fire if the machine is slow.
  for (const id of ['a', 'b', 'b']) {
    pass(300);
    await reads.note('ada', trace(id));
  }
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

/** The questions of all events, and whether no event lists more than it may. */
const listed = (events: readonly Recorded[]) => {
  for (const { what, count } of events) {
    assert.ok(what.length <= MAX_READS_LISTED);
    assert.equal(
      count,
      what.reduce((sum, each) => sum + each.count, 0),
    );
  }
  return events.flatMap(({ what }) => what.map(({ traceId }) => traceId));
};
const fillers = Array.from({ length: 100 }, (_, index) => `t${index}`);

test('a question is listed however many others come in the same second, and few are gathered', async () => {
  const { reads, recorded } = world();
  await reads.note('ada', trace('first'));
  for (const id of fillers) await reads.note('ada', trace(id));
  assert.equal(listed(await recorded()).length, 1 + 3 * MAX_READS_LISTED);
  await reads.close();
  assert.deepEqual(listed(await recorded()), ['first', ...fillers]);
  await assert.rejects(reads.note('ada', trace('late')), LogUnavailable);
});

test('questions that come at once are all listed too, in few events', async () => {
  const { reads, recorded } = world();
  await reads.note('ada', trace('first'));
  await Promise.all(fillers.map((id) => reads.note('ada', trace(id))));
  await reads.close();
  const events = await recorded();
  assert.deepEqual(listed(events).sort(), ['first', ...fillers].sort());
  assert.equal(events.length, 1 + Math.ceil(fillers.length / MAX_READS_LISTED));
});

test('questions that were answered are listed after a failure, and refused ones do not pile up', async () => {
  const { reads, fail, recorded } = world();
  await reads.note('ada', trace('first'));
  fail(true);
  const outcomes = await Promise.allSettled(fillers.map((id) => reads.note('ada', trace(id))));
  const answered = fillers.filter((_, index) => outcomes[index]?.status === 'fulfilled');
  assert.ok(answered.length >= MAX_READS_LISTED - 1);
  for (const id of fillers) await assert.rejects(reads.note('ada', trace(`more-${id}`)), LogUnavailable);
  fail(false);
  await reads.note('ada', trace('last'));
  await reads.close();
  const all = listed(await recorded());
  for (const id of ['first', 'last', ...answered]) assert.ok(all.includes(id), id);
  assert.ok(all.length <= 2 + 2 * MAX_READS_LISTED, `${all.length} questions`);
});

test('a record of unknown outcome is no answer, and is made again: a reader never hears of a command', async () => {
  const { reads, doubt, recorded } = world();
  doubt(true);
  const refusal = await reads.note('ada', trace('a')).catch((error: unknown) => error);
  assert.ok(refusal instanceof LogUnavailable && !(refusal instanceof OutcomeUnknown));
  doubt(false);
  await reads.note('ada', trace('b'));
  await reads.close();
  assert.deepEqual(listed(await recorded()), ['a', 'a', 'b']);
});

test('a filter that is cut within a character is recorded, and one that no event can hold is left out', async () => {
  const { reads, recorded, poison } = world();
  const start = 'x'.repeat(MAX_QUERY_CHARS - 1);
  await reads.note('ada', { operation: 'findCalls', query: `${start}😀` });
  assert.deepEqual((await recorded())[0]?.what, [{ operation: 'findCalls', query: `${start}\ufffd`, count: 1 }]);
  poison('bad');
  await reads.note('bob', { operation: 'findCalls', query: 'agent=bad' });
  await reads.note('bob', { operation: 'findTasks', query: 'agent=good' });
  await reads.close();
  assert.deepEqual(
    (await recorded('bob')).flatMap(({ what }) => what),
    [
      { operation: 'findCalls', count: 1 },
      { operation: 'findTasks', query: 'agent=good', count: 1 },
    ],
  );
});

test('no question is answered while readings cannot be recorded, and none of them is lost', async () => {
  const { reads, pass, fail, recorded } = world();
  fail(true);
  await assert.rejects(reads.note('ada', trace('a')), LogUnavailable);
  await assert.rejects(reads.note('ada', trace('a')), LogUnavailable);
  fail(false);
  await reads.note('ada', trace('b'));
  assert.deepEqual((await recorded())[0]?.what, [{ ...trace('a'), count: 2 }]);
  pass(1000);
  await reads.note('ada', trace('b'));
  assert.deepEqual((await recorded())[1]?.what, [{ ...trace('b'), count: 2 }]);
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
