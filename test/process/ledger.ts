import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import type { Answered, Callable } from '../support/service.js';
import { callBody, expecting } from '../support/world.js';
import type { Chance } from '../support/chance.js';

/** The answers that clients received whole, for comparison with the record. */
export interface Ledger {
  readonly allows: { taskId: string; callId: string; position: string; body: Answered }[];
  readonly responses: { taskId: string; callId: string; position: string }[];
  readonly outcomes: { taskId: string; callId: string; position: string }[];
  answers: number;
}

export const newLedger = (): Ledger => ({ allows: [], responses: [], outcomes: [], answers: 0 });

/**
 * One client: one call after the other, until the service is gone. Every answer is in the ledger before the next call.
 */
export async function hammer(
  service: Callable,
  tasks: readonly Answered[],
  ledger: Ledger,
  luck: Chance,
): Promise<void> {
  const { whole, of } = luck;
  let last: Answered;
  const post = async (path: string, body: unknown): Promise<Answered> => {
    const answer = await service.call('host', 'POST', path, body);
    ledger.answers += 1;
    assert.ok(answer.status === 200, JSON.stringify(answer.body));
    return answer.body;
  };
  try {
    for (;;) {
      const task = of(tasks);
      const body = last !== undefined && whole(0, 4) === 0 ? last : callBody(task, { callId: randomUUID() });
      const { taskId, callId } = body;
      // Every so often one that is denied.
      const asked = whole(0, 9) === 0 ? { ...callBody(task), arguments: {} } : body;
      const { decision, position } = await post('/v1/calls/authorize', asked);
      if (decision === 'deny') continue;
      // A call that has its response is over.
      last = undefined;
      ledger.allows.push({ taskId, callId, position, body });
      if (whole(0, 3) > 0) {
        last = body;
        continue;
      }
      const result = { content: [{ type: 'text', text: 'a note' }] };
      const responded = await post(`/v1/calls/${callId}/response`, { taskId, result });
      ledger.responses.push({ taskId, callId, position: responded.position });
      const outcome = await post(`/v1/calls/${callId}/outcome`, { taskId, status: 'succeeded' });
      ledger.outcomes.push({ taskId, callId, position: outcome.position });
    }
  } catch (error) {
    // A service that is killed resets connections or ends answers early: those were not received.
    if (error instanceof TypeError) return;
    throw error;
  }
}

/** Waits until the clients have had so many more answers, or the time is over. */
export async function moreAnswers(ledger: Ledger, count: number, timeoutMs: number): Promise<void> {
  const enough = ledger.answers + count;
  for (const endMs = performance.now() + timeoutMs; ledger.answers < enough && performance.now() < endMs;)
    await pause(1);
}

/** Compares every answer about a task with its trace and its replay. */
export async function isRecorded(service: Callable, task: Answered, ledger: Ledger, told: string): Promise<void> {
  const path = `/v1/audit/traces/${task.traceId}`;
  const { calls, events } = expecting(200, await service.call('auditor', 'GET', path));
  const ofTask = <Entry extends { taskId: string }>(entries: Entry[]) =>
    entries.filter(({ taskId }) => taskId === task.taskId);
  const decided = new Map(events.map((event: Answered) => [event.position, event]));
  const evidence = new Map(calls.map((call: Answered) => [call.position, call]));
  for (const { callId, position } of ofTask(ledger.allows)) {
    const event = decided.get(position) as Answered;
    assert.deepEqual(
      [event?.type, event?.data.callId, event?.data.decision],
      ['CallDecided', callId, 'allow'],
      `the allow of ${callId} at ${position} is not in the trace: ${told}`,
    );
    const call = evidence.get(position) as Answered;
    assert.deepEqual([call?.callId, call?.attempt, call?.decision], [callId, event.data.attempt ?? 1, 'allow'], told);
  }
  for (const { callId, position } of ofTask(ledger.responses)) {
    const event = decided.get(position) as Answered;
    assert.deepEqual(
      [event?.type, event?.data.callId],
      ['ResponseValidated', callId],
      `response at ${position}: ${told}`,
    );
  }
  for (const { callId, position } of ofTask(ledger.outcomes)) {
    const event = events.find(({ type, data }: Answered) => type === 'OutcomeRecorded' && data.callId === callId);
    // A repeated outcome is answered with a position at or after its own.
    assert.ok(event !== undefined && BigInt(event.position) <= BigInt(position), `outcome of ${callId}: ${told}`);
  }
  const replay = expecting(200, await service.call('auditor', 'GET', `${path}/replay`));
  assert.equal(replay.identical, true, told);
  assert.equal(replay.calls.length, events.filter(({ type }: Answered) => type === 'CallDecided').length, told);
}
