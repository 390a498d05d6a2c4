import { randomUUID } from 'node:crypto';
import type { Answered, Callable } from '../support/service.js';
import {
  ALLOW_ALL,
  callBody,
  expecting,
  INTEGRITY,
  MEMORY_DEFINITION,
  openTask,
  proposal,
  registration,
} from '../support/world.js';

/** A text that must not leave, with the place where it was given. */
const canary = (place: string): string => `c4n4ry-${place}`;

/** The canaries in a text, each once. */
export const canariesIn = (text: string): string[] => [...new Set(text.match(/c4n4ry-[a-z-]+/gi) ?? [])].sort();

const [recall, store, count] = MEMORY_DEFINITION.tools;
const DEFINITION = {
  ...MEMORY_DEFINITION,
  instructions: canary('definition-instructions'),
  tools: [{ ...recall, description: canary('definition-description') }, store, count],
};

/**
 * A life of a service with a canary in every place for content and free text. Everything is decided in more than one way.
 * Returns the tasks.
 */
export async function liveWithCanaries(service: Callable): Promise<Answered[]> {
  const post = async (who: Parameters<Callable['call']>[0], path: string, body: unknown, status = 200) =>
    expecting(status, await service.call(who, 'POST', path, body));
  const version = (verb: string) => `/v1/capabilities/memory/versions/1.0.0/${verb}`;

  const supplyChain = { repository: `https://git.example.com/${canary('supply-chain')}`, commit: 'c0ffee' };
  const proposed = proposal('1.0.0', { definition: DEFINITION, supplyChain });
  await post('registrar', '/v1/capabilities', registration('memory', proposed), 201);
  const review = { verdict: 'approved', exceptions: ['signature_missing'], reason: canary('review') };
  await post('reviewer', version('review'), review);
  const policy = { cedar: `${ALLOW_ALL} // ${canary('policy-text')}`, reason: canary('policy') };
  await post('registrar', '/v1/policies/default', policy, 201);
  await post('reviewer', '/v1/policies/default/1/review', { verdict: 'approved', reason: canary('policy-review') });
  const user = { id: canary('user-id'), roles: ['staff'], attributes: { note: canary('user-attributes') } };
  const task = await openTask(service, { user, purpose: canary('purpose') });
  await callsOf(service, task);
  await drift(service, task);
  await post('reviewer', version('reinstate'), { reason: canary('reinstate') });
  const target = { type: 'effect', effect: 'deploy' };
  const { id } = await post('operator', '/v1/directives', { target, reason: canary('directive') }, 201);
  await post('operator', `/v1/directives/${id}/lift`, { reason: canary('lift') });
  await post('operator', version('revoke'), { reason: canary('revoke') });
  await authorize(service, task, {});
  await post('host', `/v1/tasks/${task.taskId}/close`, { reason: canary('close') });
  await authorize(service, task, {});
  return [task];
}

const observed = (task: Answered) => ({
  definitionDigest: task.pins[0].definitionDigest,
  server: { method: 'package', integrity: INTEGRITY, command: canary('server-command') },
});

async function authorize(service: Callable, task: Answered, more: object): Promise<Answered> {
  const body = callBody(task, { instanceId: randomUUID(), arguments: { key: canary('arguments') }, ...more });
  return expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
}

/** Allowed, accepted and rejected; denied for its arguments, its context and its server. */
async function callsOf(service: Callable, task: Answered): Promise<void> {
  const item = (level: string) => ({ id: 'note-1', source: 'memory', level, content: canary('context') });
  for (const structuredContent of [{ notes: 1, more: canary('response') }, { notes: canary('response-structured') }]) {
    const context = [item('internal')];
    const { callId, decision } = await authorize(service, task, {
      operation: 'count',
      context,
      observed: observed(task),
    });
    if (decision !== 'allow') throw new Error(`the call was denied, and was to be allowed`);
    const of = `/v1/calls/${callId}`;
    const result = { content: [{ type: 'text', text: canary('response-text') }], structuredContent };
    expecting(200, await service.call('host', 'POST', `${of}/response`, { taskId: task.taskId, result }));
    const outcome = {
      status: 'failed',
      effect: { type: 'read', summary: canary('outcome-summary'), reference: canary('outcome-reference') },
      control: { decision: 'asked', reason: canary('outcome-reason') },
    };
    expecting(200, await service.call('host', 'POST', `${of}/outcome`, { taskId: task.taskId, ...outcome }));
  }
  await authorize(service, task, { arguments: { [canary('argument-name')]: canary('arguments-wrong') } });
  await authorize(service, task, { context: [item('restricted')] });
  const other = { ...observed(task), server: { method: 'package', integrity: `sha512-${canary('integrity')}` } };
  await authorize(service, task, { observed: other });
  await authorize(service, { ...task, taskId: randomUUID() }, {});
}

/** The server shows another definition, to two hosts, so that the version is suspended. */
async function drift(service: Callable, task: Answered): Promise<void> {
  const host = { name: 'second-host', roles: ['host'], host: { mayStop: true } };
  const second = expecting(201, await service.call('admin', 'POST', '/v1/principals', host));
  await openTask(service, {}, second);
  const definition = { ...DEFINITION, instructions: canary('drift') };
  const shown = { definition, server: { method: 'package', integrity: INTEGRITY } };
  await authorize(service, task, { observed: shown });
  const path = '/v1/capabilities/memory/versions/1.0.0/observations';
  expecting(200, await service.call(second, 'POST', path, { definition }));
}
