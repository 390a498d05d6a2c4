import type { AppendOutcome, Batch } from '../../libs/event-log/port.js';
import { eventsOf } from '../support/events.js';
import { startService, type Answered } from '../support/service.js';
import { openTask, readyWorld } from '../support/world.js';
import { appendingBy, writesTo } from './logs.js';
import type { TestContext } from '../support/testing.js';

/** `failed`: nothing is written. `persisted`: it is written. `silent`: it is written, and there is no answer at all. */
export type Fault = 'failed' | 'persisted' | 'silent';

/** Long past the deadline of an append. */
export const ALWAYS = Number.MAX_SAFE_INTEGER;

/** A ready service whose store fails as ordered, with a task. */
export async function faultyWorld(t: TestContext) {
  const faults = { kind: 'failed' as Fault, prefix: '', times: 0 };
  /**
   * The appends to `calls-` that reached the store, each with the store's answer and the answer that it was made to
   * give.
   */
  const sent: { batch: Batch; told: string }[] = [];
  const unanswered: (() => void)[] = [];
  const faulty = async (batch: Batch, append: (batch: Batch) => Promise<AppendOutcome>): Promise<AppendOutcome> => {
    if (faults.times === 0 || !touches(batch, faults.prefix)) {
      const outcome = await append(batch);
      if (writesTo(batch, 'calls-')) sent.push({ batch, told: outcome.kind });
      return outcome;
    }
    faults.times -= 1;
    if (writesTo(batch, 'calls-')) sent.push({ batch, told: 'unknown' });
    if (faults.kind !== 'failed') await append(batch);
    if (faults.kind === 'silent') await new Promise<void>((resolve) => unanswered.push(resolve));
    return { kind: 'unknown', cause: 'TEST' };
  };
  const service = await startService({ wrapLog: (log) => appendingBy(log, faulty) });
  t.after(async () => {
    heal();
    await service.stop();
  });
  await readyWorld(service);
  const task = await openTask(service);
  sent.splice(0);

  const heal = (): void => {
    faults.times = 0;
    for (const answer of unanswered.splice(0)) answer();
  };
  const fail = (kind: Fault, prefix: string, times: number): void =>
    void Object.assign(faults, { kind, prefix, times });
  const authorize = (body: Answered) => service.call('host', 'POST', '/v1/calls/authorize', body);
  const recorded = async () =>
    (await eventsOf(service, `calls-${task.taskId}`)).map(({ data, position }) => ({ ...data, position }));
  const ready = async () => (await service.call('nobody', 'GET', '/health/ready')).status;
  return { service, task, sent, fail, heal, authorize, recorded, ready };
}

/** Writes to such a stream, or only asks whether it has moved. */
const touches = (batch: Batch, prefix: string): boolean =>
  writesTo(batch, prefix) ||
  (batch.writes.length === 0 && batch.checks.some(({ stream }) => stream.startsWith(prefix)));
