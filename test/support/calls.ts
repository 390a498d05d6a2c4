import assert from 'node:assert/strict';
import { fingerprintDefinition, type DigestedDefinition } from '../../libs/kernel/definition-digest.js';
import type { Answered, TestService } from './service.js';
import { callBody, expecting } from './world.js';

export function definitionDigestOf(definition: unknown): string {
  const fingerprint = fingerprintDefinition(definition as DigestedDefinition);
  assert.ok(fingerprint.ok);
  return fingerprint.value.digest;
}

/** Issues a directive; gives the way to lift it, or lifts it at once. */
export async function stop(
  service: TestService,
  target: Answered,
  { lift = false }: { lift?: boolean } = {},
): Promise<() => Promise<Answered>> {
  const issued = await service.call('operator', 'POST', '/v1/directives', { target, reason: 'test' });
  const { id } = expecting(201, issued);
  const lifting = async () =>
    expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'test' }));
  if (lift) await lifting();
  return lifting;
}

/** The decision on a call of a task, by default one that is allowed in the ready world. */
export async function decide(
  service: TestService,
  task: Answered,
  more: Record<string, unknown> = {},
  who: Answered = 'host',
): Promise<Answered> {
  const capability = task.pins[0]?.capability ?? 'memory';
  const body = callBody(task, { capability, ...more });
  return expecting(200, await service.call(who, 'POST', '/v1/calls/authorize', body));
}
