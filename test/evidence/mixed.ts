import { randomUUID } from 'node:crypto';
import { decide, stop } from '../support/calls.js';
import type { Answered, TestService } from '../support/service.js';
import { approve, callBody, expecting, INTEGRITY, MEMORY_DEFINITION, openTask, register } from '../support/world.js';

/** A trace with events of every kind that a bundle may hold. */
export interface MixedTrace {
  readonly traceId: string;
  readonly tasks: readonly Answered[];
}

const respond = async (service: TestService, { taskId }: Answered, callId: string, body: Answered): Promise<void> =>
  void expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, { taskId, ...body }));

/** Calls that are allowed, denied and refused, responses of every verdict, outcomes, a stop, a drift and a closing. */
export async function mixedTrace(service: TestService, capability = 'memory'): Promise<MixedTrace> {
  const scope = [{ capability, effects: ['read'] }];
  const first = await openTask(service, { scope, purpose: 'sum up the week' });
  const { traceId } = first;
  const second = await openTask(service, {
    scope,
    traceId,
    user: { id: 'bob', roles: ['staff'], attributes: { a: 1 } },
  });
  const counted = await decide(service, first, { operation: 'count', arguments: {} });
  await respond(service, first, counted.callId, { result: { content: [], structuredContent: { notes: 2 } } });
  const wrong = await decide(service, first, { operation: 'count', arguments: {} });
  await respond(service, first, wrong.callId, { result: { content: [], structuredContent: { notes: 'two' } } });
  const recalled = await decide(service, second, { context: [{ id: '1', source: 'mail', content: 'hello' }] });
  await respond(service, second, recalled.callId, { result: { content: [{ type: 'text', text: 'a note' }] } });
  const outcome = { taskId: second.taskId, status: 'succeeded', effect: { type: 'read', summary: 'read one note' } };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${recalled.callId}/outcome`, outcome));
  const failing = await decide(service, second);
  await respond(service, second, failing.callId, { error: { code: -32_000, message: 'no such note' } });
  await decide(service, first, { arguments: { key: 7 } });
  await decide(service, first, { operation: 'store', arguments: {} });
  await decide(service, first, { operation: 'forget' });
  const lift = await stop(service, { type: 'capability', capability });
  await decide(service, second);
  await lift();
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
  const stray = callBody({ ...first, taskId: randomUUID() }, { capability });
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', stray, { traceparent }));
  const definition = { ...MEMORY_DEFINITION, instructions: 'Remembers other things.' };
  const server = { method: 'package', integrity: INTEGRITY };
  await decide(service, second, { observed: { definition, server } });
  await decide(service, second);
  const closing = { reason: 'the summary is done' };
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${first.taskId}/close`, closing));
  return { traceId, tasks: [first, second] };
}

/** A capability that can be called, besides that of `readyWorld`. */
export async function anotherCapability(service: TestService, id: string): Promise<void> {
  await register(service, id);
  await approve(service, id);
}
