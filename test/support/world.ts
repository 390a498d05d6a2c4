import { randomUUID } from 'node:crypto';
import assert from 'node:assert/strict';
import type { Answered, Callable } from './service.js';

/** A capability that can be allowed: reviewed with the exceptions that it needs, a policy, and ways to call it. */

export const INTEGRITY = 'sha512-bWVtb3J5';

export const MEMORY_DEFINITION = {
  serverInfo: { name: 'memory', version: '1.0.0' },
  instructions: 'Remembers things.',
  tools: [
    {
      name: 'recall',
      description: 'Recalls a note.',
      inputSchema: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] },
      annotations: { readOnlyHint: true },
    },
    {
      name: 'store',
      description: 'Stores a note.',
      inputSchema: { type: 'object' },
      annotations: { destructiveHint: true },
    },
    {
      name: 'count',
      description: 'Counts notes.',
      inputSchema: { type: 'object' },
      outputSchema: { type: 'object', properties: { notes: { type: 'integer' } }, required: ['notes'] },
    },
  ],
} as const;

export const proposal = (version = '1.0.0', more: Record<string, unknown> = {}): Answered => ({
  version,
  source: { type: 'npm', name: '@example/memory', version, integrity: INTEGRITY },
  definition: MEMORY_DEFINITION,
  manifest: {
    operations: {
      recall: { effects: ['read'] },
      store: { effects: ['write'] },
      count: { effects: ['read'] },
    },
    sensitivity: 'internal',
    server: { method: 'package', integrity: INTEGRITY },
  },
  ...more,
});

export const registration = (id = 'memory', version: Answered = proposal()): Answered => ({
  id,
  kind: 'mcp-server',
  category: 'notes',
  owner: 'team-notes',
  version,
});

export const ALLOW_ALL = '@id("allow-all") permit(principal, action, resource);';

/** Expects a status and gives the body. */
export function expecting(status: number, answer: { status: number; body: Answered }): Answered {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  return answer.body;
}

export async function register(service: Callable, id = 'memory', version: Answered = proposal()): Promise<Answered> {
  return expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration(id, version)));
}

export async function approve(
  service: Callable,
  id = 'memory',
  version = '1.0.0',
  exceptions = ['signature_missing'],
  quarantine?: 'quote' | 'hold' | 'refuse',
): Promise<Answered> {
  const body = { verdict: 'approved', reason: 'looked at it', exceptions, quarantine };
  return expecting(
    200,
    await service.call('reviewer', 'POST', `/v1/capabilities/${id}/versions/${version}/review`, body),
  );
}

export async function activatePolicy(service: Callable, cedar = ALLOW_ALL): Promise<Answered> {
  const proposed = expecting(
    201,
    await service.call('registrar', 'POST', '/v1/policies/default', { cedar, reason: 'test' }),
  );
  const path = `/v1/policies/default/${proposed.policyVersion}/review`;
  return expecting(200, await service.call('reviewer', 'POST', path, { verdict: 'approved', reason: 'test' }));
}

export const taskBody = (more: Record<string, unknown> = {}): Answered => ({
  agent: 'assistant',
  user: { id: 'ada', roles: ['staff'] },
  purpose: 'test',
  scope: [{ capability: 'memory', effects: ['read', 'write'] }],
  ...more,
});

export async function openTask(
  service: Callable,
  more: Record<string, unknown> = {},
  who: Parameters<Callable['call']>[0] = 'host',
): Promise<Answered> {
  return expecting(201, await service.call(who, 'POST', '/v1/tasks', taskBody(more)));
}

/** An authorize body that is allowed in the ready world. */
export const callBody = (
  task: { taskId: string; pins: { definitionDigest: string }[] },
  more: Record<string, unknown> = {},
): Answered => ({
  callId: randomUUID(),
  taskId: task.taskId,
  capability: 'memory',
  operation: 'recall',
  arguments: { key: 'a' },
  observed: { definitionDigest: task.pins[0]?.definitionDigest, server: { method: 'package', integrity: INTEGRITY } },
  ...more,
});

/** Registered, reviewed, with a policy in force. */
export async function readyWorld(service: Callable): Promise<void> {
  await register(service);
  await approve(service);
  await activatePolicy(service);
}

/** The history of a call in the answer for its trace. */
export function historyIn(trace: Answered, call: Answered): Answered[] {
  const positions = new Set<string>(call.capabilityHistory);
  const events: Answered[] = trace.histories[call.capability] ?? [];
  return events.filter(({ position }) => positions.has(position));
}
