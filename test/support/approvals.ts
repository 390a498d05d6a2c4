import { sealFact } from '../../libs/streams/facts.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { toInstant } from '../../libs/kernel/time.js';
import { unique, type Actor } from './actors.js';
import { decide } from './calls.js';
import type { Answered, Callable, TestService } from './service.js';
import { expecting } from './world.js';

/** An approver, who is somebody's human or nobody's. */
export async function addApprover(
  service: Callable,
  user?: string,
  roles: readonly string[] = ['approver'],
): Promise<Actor> {
  const name = unique('approver');
  const body = { name, roles, ...(user === undefined ? {} : { user }) };
  const { token } = expecting(201, await service.call('admin', 'POST', '/v1/principals', body));
  return { name, token };
}

export const decideApproval = (
  service: Callable,
  who: Parameters<Callable['call']>[0],
  id: string,
  verdict: 'granted' | 'denied',
  reason?: string,
): ReturnType<Callable['call']> =>
  service.call(who, 'POST', `/v1/approvals/${id}/decide`, { verdict, ...(reason === undefined ? {} : { reason }) });

/** Taints a task as a quarantined response of it does. */
export async function taint(service: TestService, task: Answered, call: Record<string, unknown> = {}): Promise<void> {
  const { callId, decision } = await decide(service, task, call);
  if (decision !== 'allow') throw new Error('the call was not allowed');
  const { log } = service.service.stores;
  const stream = `calls-${task.taskId}`;
  const revision = await log.head(stream);
  const data = {
    callId,
    taskId: task.taskId,
    attempt: 1,
    verdict: 'quarantined',
    findings: [],
    commitments: { raw: digestOf('') },
    requestDigest: digestOf(''),
    epoch: 0,
  };
  const fact = { type: 'ResponseValidated', data, actor: 'local-host', time: toInstant(Date.now()) };
  const events = [sealFact(stream, revision + 1, fact, { traceId: task.traceId, correlationId: callId })];
  const { kind } = await log.append({ writes: [{ stream, expected: revision, events }], checks: [] });
  if (kind !== 'committed') throw new Error(kind);
}
