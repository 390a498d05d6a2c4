import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#libs/kernel/time.js';
import { sealEvent } from './event.js';
import { MemoryLog, type Fault } from './memory/memory-log.js';
import { LogClosed, LogOverloaded, LogUnavailable, type Batch, type StreamCheck } from './port.js';
import { settledLog } from './settled.js';

const time = '2026-11-22T10:00:00.000Z';

function allow(stream: string, expected: number, data: unknown = 'allow', checks: readonly StreamCheck[] = []): Batch {
  const event = { stream, revision: expected + 1, type: 'CallDecided', schemaVersion: 1, time, actor: 'host:h', data };
  return { writes: [{ stream, expected, events: [sealEvent(event)] }], checks };
}

class CountingLog extends MemoryLog {
  sent = 0;

  override append(batch: Batch) {
    this.sent += 1;
    return super.append(batch);
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

test('past the deadline it throws, and the next one on that stream learns the fate first', async () => {
  for (const fault of ['failed', 'persisted'] as const) {
    const { memory, log } = given(...outage(fault));
    await assert.rejects(log.append(allow('calls-1', 0)), LogUnavailable);
    await assert.rejects(log.append(allow('calls-1', 0, 'another')), LogUnavailable);
    await assert.rejects(log.append(allow('calls-2', 0, 'x', [{ stream: 'calls-1', expected: 0 }])), LogUnavailable);
    await assert.rejects(log.head('calls-1'), LogUnavailable);
    await assert.rejects(log.read('calls-1'), LogUnavailable);

    memory.endFaults();
    // The first one is sent again before anything else, and so the other is refused.
    const outcome = await log.append(allow('calls-1', 0, 'another'));
    assert.deepEqual(outcome, { kind: 'refused', violations: [{ stream: 'calls-1', expected: 0, actual: 1 }] });
    assert.equal(await log.head('calls-1'), 1);
    assert.equal(await memory.head('calls-2'), 0);
    await log.close();
  }
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
  assert.equal((await memory.readAll({ after: 0n })).length, 4);
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
