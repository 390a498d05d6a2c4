import assert from 'node:assert/strict';
import { systemClock } from '../kernel/time.js';
import { sealEvent } from './event.js';
import { MemoryLog, type Fault } from './memory/memory-log.js';
import {
  LogClosed,
  LogOverloaded,
  LogUnavailable,
  OutcomeUnknown,
  type Batch,
  type Recall,
  type StreamCheck,
} from './port.js';
import { settledLog } from './settled.js';
import { test } from '../../test/support/testing.js';

const time = '2026-11-22T10:00:00.000Z';

function allow(stream: string, expected: number, data: unknown = 'allow', checks: readonly StreamCheck[] = []): Batch {
  const event = { stream, revision: expected + 1, type: 'CallDecided', schemaVersion: 1, time, actor: 'host:h', data };
  return { writes: [{ stream, expected, events: [sealEvent(event)] }], checks };
}

class CountingLog extends MemoryLog {
  sent = 0;

  override append(batch: Batch, recall?: Recall) {
    this.sent += 1;
    return super.append(batch, recall);
  }
}

function givenWithin(deadlineMs: number, ...faults: readonly Fault[]) {
  const memory = new CountingLog();
  memory.failNext(...faults);
  const log = settledLog(memory, { clock: systemClock, deadlineMs, maxUnsettled: 3 });
  return { memory, log };
}

const given = (...faults: readonly Fault[]) => givenWithin(100, ...faults);

/** More faults than one deadline holds attempts. */
const outage = (fault: Fault = 'failed'): Fault[] => Array.from({ length: 50 }, () => fault);

const cases: { readonly faults: readonly Fault[]; readonly kind: 'committed' | 'refused' }[] = [
  { faults: [], kind: 'committed' },
  { faults: ['failed'], kind: 'committed' },
  { faults: ['persisted'], kind: 'committed' },
  { faults: ['untaken'], kind: 'committed' },
  { faults: ['untaken', 'failed', 'untaken'], kind: 'committed' },
  { faults: ['failed', 'failed', 'persisted', 'failed'], kind: 'committed' },
  { faults: ['refused'], kind: 'refused' },
  { faults: ['failed', 'refused'], kind: 'refused' },
];

for (const { faults, kind } of cases) {
  test(`${faults.map(String).join(', ') || 'no fault'}: ${kind}, and written once at most`, async () => {
    const { memory, log } = givenWithin(10_000, ...faults);
    assert.equal((await log.append(allow('calls-1', 0))).kind, kind);
    assert.equal(await memory.head('calls-1'), kind === 'committed' ? 1 : 0);
    await log.close();
  });
}

test('a batch of unknown fate whose checks have moved meanwhile is refused', async () => {
  const { memory, log } = given('failed');
  const answer = log.append(allow('calls-1', 0, 'allow', [{ stream: 'directives', expected: 0 }]));
  assert.equal((await memory.append(allow('directives', 0, 'disable'))).kind, 'committed');
  assert.equal((await answer).kind, 'refused');
  assert.equal(await memory.head('calls-1'), 0);
  await log.close();
});

/** It throws, and nothing of it was or will be written. */
const isUnwritten = (error: unknown): boolean =>
  error instanceof LogUnavailable && !(error instanceof OutcomeUnknown) && !(error instanceof LogClosed);

const dataIn = async (log: MemoryLog): Promise<unknown[]> =>
  (await log.readAll({ after: 0n })).map(({ json }) => (JSON.parse(json) as { data: unknown }).data);

for (const { fault, standing, written } of [
  { fault: 'failed', standing: false, written: ['another'] },
  { fault: 'persisted', standing: false, written: ['first'] },
  // A stop is sent again before anything else on its stream.
  { fault: 'failed', standing: true, written: ['first'] },
  { fault: 'persisted', standing: true, written: ['first'] },
  { fault: 'untaken', standing: true, written: ['first'] },
] as const) {
  test(`past the deadline: ${fault}${standing ? ', and it stands' : ''}: ${written.join()} comes to be`, async () => {
    const { memory, log } = given(...outage(fault));
    await assert.rejects(log.append({ ...allow('calls-1', 0, 'first'), standing }), OutcomeUnknown);
    await assert.rejects(log.append(allow('calls-1', 0, 'another')), isUnwritten);
    await assert.rejects(log.append(allow('calls-2', 0, 'x', [{ stream: 'calls-1', expected: 0 }])), isUnwritten);
    await assert.rejects(log.head('calls-1'), LogUnavailable);
    await assert.rejects(log.read('calls-1'), LogUnavailable);

    memory.endFaults();
    const outcome = await log.append(allow('calls-1', 0, 'another'));
    assert.equal(outcome.kind, written[0] === 'another' ? 'committed' : 'refused');
    assert.equal(await log.head('calls-1'), 1);
    assert.deepEqual(await dataIn(memory), written);
    await log.close();
  });
}

test('what the store never took is answered as not written, and leaves its stream free', async () => {
  const { memory, log } = given(...outage('untaken'));
  await assert.rejects(log.append(allow('calls-1', 0)), isUnwritten);
  memory.endFaults();
  assert.equal((await log.append(allow('calls-1', 0, 'another'))).kind, 'committed');
  assert.deepEqual(await dataIn(memory), ['another']);
  await log.close();
});

test('after its answer nothing is sent but the question whether the streams have moved', async () => {
  const { memory, log } = given(...outage());
  await assert.rejects(log.append(allow('calls-1', 0, 'first')), OutcomeUnknown);
  const { sent } = memory;
  memory.endFaults();
  assert.equal(await log.head('calls-1'), 0);
  assert.equal(memory.sent, sent + 1);
  assert.deepEqual(await dataIn(memory), []);
  assert.equal(await log.head('calls-1'), 0);
  assert.equal(memory.sent, sent + 1);
  await log.close();
});

test('what waits behind an append that hangs is taken back at its deadline, and never written', async () => {
  let release: (() => void) | undefined;
  const until = new Promise<void>((resolve) => (release = resolve));
  const { memory, log } = given({ kind: 'held', until });
  const appends = [
    assert.rejects(log.append(allow('calls-1', 0, 'hangs')), OutcomeUnknown),
    assert.rejects(log.append(allow('calls-1', 1, 'pipelined')), isUnwritten),
    assert.rejects(log.append(allow('calls-2', 0, 'behind')), isUnwritten),
    assert.rejects(log.append({ ...allow('calls-3', 0, 'stop'), standing: true }), OutcomeUnknown),
  ];
  await Promise.all(appends);
  release?.();
  assert.equal(await log.head('calls-2'), 0);
  assert.equal(await log.head('calls-3'), 1);
  assert.deepEqual(await dataIn(memory), ['hangs', 'stop']);
  await log.close();
});

test('closed while it insists: unknown, if it may have been written', async () => {
  const { log } = givenWithin(10_000, ...outage());
  const answer = assert.rejects(log.append(allow('calls-1', 0)), OutcomeUnknown);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await log.close();
  await answer;
});

test('an unknown fate holds up its own streams and no others', async () => {
  const { memory, log } = given(...outage());
  await assert.rejects(
    log.append(allow('calls-1', 0, 'allow', [{ stream: 'directives', expected: 0 }])),
    LogUnavailable,
  );
  memory.endFaults();
  memory.failNext('failed');
  // Only checked by the batch of unknown fate, so it cannot have moved: no attempt is spent on that batch.
  assert.equal((await log.append(allow('directives', 0))).kind, 'committed');
  assert.equal(await log.head('calls-2'), 0);
  assert.equal(await memory.head('calls-1'), 0);
  await log.close();
});

test('what was pipelined on one stream keeps its order', async () => {
  // The fifth fault meets the first batch again. Were the second sent before that one is settled, it would be refused.
  const { memory, log } = given(...outage().slice(0, 5));
  const outcomes = await Promise.all([0, 1, 2, 3].map((revision) => log.append(allow('calls-1', revision))));
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['committed', 'committed', 'committed', 'committed'],
  );
  assert.equal(await memory.head('calls-1'), 4);
  await log.close();
});

test('too many of unknown fate: nothing is appended until their fate is learnt', async () => {
  const { memory, log } = given(...outage());
  for (const stream of ['calls-1', 'calls-2', 'calls-3']) {
    await assert.rejects(log.append(allow(stream, 0)), LogUnavailable);
  }
  await assert.rejects(log.append(allow('calls-4', 0)), /too many/);
  memory.endFaults();
  assert.equal((await log.append(allow('calls-4', 0))).kind, 'committed');
  assert.equal((await memory.readAll({ after: 0n })).length, 1);
  await log.close();
});

test('an append that hangs ends at the deadline, is not sent twice at once, and settles when it answers', async () => {
  let release: (() => void) | undefined;
  const until = new Promise<void>((resolve) => (release = resolve));
  const { memory, log } = given({ kind: 'held', until });
  await assert.rejects(log.append(allow('calls-1', 0)), LogUnavailable);
  await assert.rejects(log.append(allow('calls-1', 0, 'another')), LogUnavailable);
  assert.equal(memory.sent, 1);
  release?.();
  await memory.append(allow('calls-9', 0));
  assert.equal((await memory.readAll({ after: 0n })).length, 2);
  assert.equal((await log.append(allow('calls-1', 1))).kind, 'committed');
  await log.close();
});

test('what the log does not take is thrown as it is, and leaves nothing unsettled', async () => {
  const memory = new MemoryLog({ maxQueuedBatches: 1 });
  const log = settledLog(memory, { clock: systemClock, deadlineMs: 100 });
  const [first, second] = await Promise.allSettled([log.append(allow('calls-1', 0)), log.append(allow('calls-2', 0))]);
  assert.equal(first?.status, 'fulfilled');
  assert.ok(second?.status === 'rejected' && second.reason instanceof LogOverloaded);
  assert.equal((await log.append(allow('calls-2', 0))).kind, 'committed');
  await log.close();
  await assert.rejects(log.append(allow('calls-3', 0)), LogClosed);
});
