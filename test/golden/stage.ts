import { isJsonObject, type Json } from '../../libs/kernel/canonical-json.js';
import { systemClock, type Clock } from '../../libs/kernel/time.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting } from '../support/world.js';
import { blockOf, type Blocks, type Changes, type Step } from './case.js';
import type { Bindings } from './placeholders.js';

/** A service whose clock a case can put forward, and the tokens of the principals that were added to it. */
export interface Stage {
  readonly service: TestService;
  readonly tokens: Map<string, string>;
  wait(ms: number): void;
  /** The time of the service's clock, in milliseconds. */
  now(): number;
}

export async function openStage(): Promise<Stage> {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs };
  const service = await startService({ clock });
  return { service, tokens: new Map(), wait: (ms) => void (aheadMs += ms), now: () => clock.wallMs() };
}

/** The defaults of a task, if its step does not give them. */
const TASK = { agent: 'assistant', user: { id: 'ada', roles: ['staff'] }, purpose: 'golden case' };
const REASON = 'golden case';

/** Whether a step leaves everything but the case's own task as it was. */
export const isOfTask = (step: Step): boolean =>
  'task' in step || 'close' in step || 'call' in step || 'approval' in step;

/** Whether a step can be done once for several cases: it names nothing, and the clock stays where it is. */
export const isShared = (step: Step): boolean => !('directive' in step || 'principal' in step || 'wait' in step);

/** Carries out one step, as the role that may. */
export async function perform(stage: Stage, step: Step, blocks: Blocks, names: Bindings): Promise<void> {
  const { service } = stage;
  const post = async (who: Parameters<TestService['call']>[0], path: string, body: unknown, status = 200) =>
    expecting(status, await service.call(who, 'POST', path, names.fill(body)));
  const ofVersion = ({ capability, version }: { capability: string; version: string }, verb: string) =>
    `/v1/capabilities/${capability}/versions/${version}/${verb}`;

  if ('register' in step) {
    const { capability, change = {} } = step.register;
    const body = changed(blockOf(blocks.capabilities, capability), change);
    await post('registrar', '/v1/capabilities', body, 201);
  } else if ('propose' in step) {
    const { capability, change } = step.propose;
    const body = changed(blockOf(blocks.capabilities, capability)['version'] ?? null, change);
    await post('registrar', `/v1/capabilities/${capability}/versions`, body, 201);
  } else if ('review' in step) {
    const { verdict = 'approved', exceptions = [] } = step.review;
    await post('reviewer', ofVersion(step.review, 'review'), { verdict, reason: REASON, exceptions });
  } else if ('amend' in step) {
    const { add = [], remove = [] } = step.amend;
    await post('reviewer', ofVersion(step.amend, 'exceptions'), { add, remove, reason: REASON });
  } else if ('suspend' in step) {
    await post(step.suspend.by, ofVersion(step.suspend, 'suspend'), { reason: REASON });
  } else if ('revoke' in step) {
    await post(step.revoke.by, ofVersion(step.revoke, 'revoke'), { reason: REASON });
  } else if ('reinstate' in step) {
    await post('reviewer', ofVersion(step.reinstate, 'reinstate'), { reason: REASON });
  } else if ('observe' in step) {
    const { definition, by } = step.observe;
    await post(hostOf(stage, by), ofVersion(step.observe, 'observations'), { definition });
  } else if ('policy' in step) {
    const body = { cedar: blockOf(blocks.policies, step.policy), reason: REASON };
    const { policyVersion } = await post('registrar', '/v1/policies/default', body, 201);
    await post('reviewer', `/v1/policies/default/${policyVersion}/review`, { verdict: 'approved', reason: REASON });
  } else if ('publisher' in step) {
    await addPublisher(stage, step.publisher, post);
  } else if ('revokeKey' in step) {
    const { publisher, keyId } = step.revokeKey;
    await post('operator', `/v1/publishers/${publisher}/keys/${keyId}/revoke`, { reason: REASON });
  } else if ('publishers' in step) {
    const { capability, publishers } = step.publishers;
    const path = `/v1/capabilities/${capability}/publishers`;
    expecting(200, await service.call('registrar', 'PUT', path, { publishers, reason: REASON }));
    await post('reviewer', `${path}/review`, { verdict: 'approved', reason: REASON });
  } else if ('principal' in step) {
    const { token } = await post('admin', '/v1/principals', step.principal, 201);
    stage.tokens.set(step.principal.name, token);
  } else if ('directive' in step) {
    const { as, target } = step.directive;
    const { id } = await post('operator', '/v1/directives', { target, reason: REASON }, 201);
    names.bind(named('directive', as), id);
  } else if ('lift' in step) {
    await post('operator', `/v1/directives/${String(names.fill(step.lift))}/lift`, { reason: REASON });
  } else if ('task' in step) {
    const { as, by, ...task } = step.task;
    const opened: Answered = await post(hostOf(stage, by), '/v1/tasks', { ...TASK, ...task }, 201);
    names.bind(named('task', as), opened.taskId);
    names.bind(named('trace', as), opened.traceId);
    names.bind(named('expiresAt', as), opened.expiresAt);
  } else if ('close' in step) {
    await post('host', `/v1/tasks/${String(names.fill(step.close.task))}/close`, {});
  } else if ('call' in step) {
    await post('host', '/v1/calls/authorize', step.call);
  } else if ('approval' in step) {
    const { call, verdict } = step.approval;
    const { approval } = await post('host', '/v1/calls/authorize', call);
    names.bind('approval', approval.id);
    names.bind('approvalEnd', approval.expiresAt);
    await post('approver', `/v1/approvals/${approval.id}/decide`, { verdict, reason: REASON });
  } else if ('wait' in step) {
    stage.wait(step.wait);
  } else {
    throw new Error(`no such step: ${Object.keys(step).join()}`);
  }
}

type Post = (who: 'registrar' | 'reviewer', path: string, body: unknown, status?: number) => Promise<Answered>;

async function addPublisher(
  { now }: Stage,
  { id, keyId, publicKey, expiresInMs }: Extract<Step, { publisher: unknown }>['publisher'],
  post: Post,
): Promise<void> {
  const notAfter = expiresInMs === undefined ? {} : { notAfter: new Date(now() + expiresInMs).toISOString() };
  await post('registrar', '/v1/publishers', { id, name: id }, 201);
  await post('registrar', `/v1/publishers/${id}/keys`, { keyId, algorithm: 'ed25519', publicKey, ...notAfter }, 201);
  await post('reviewer', `/v1/publishers/${id}/keys/${keyId}/review`, { verdict: 'approved', reason: REASON });
}

/** Who a host is to the service: the usual one, or one that the world added. */
export function hostOf(stage: Stage, name: string | undefined): 'host' | { token: string } {
  if (name === undefined) return 'host';
  const token = stage.tokens.get(name);
  if (token === undefined) throw new Error(`the world has no principal ${name}`);
  return { token };
}

const named = (kind: string, as: string | undefined): string => (as === undefined ? kind : `${kind}.${as}`);

/** A block with some of its parts put in or replaced. */
function changed(block: Json, changes: Changes): Json {
  const copy = structuredClone<Json>(block);
  for (const [pointer, value] of Object.entries(changes)) {
    const path = pointer.split('/').slice(1);
    const last = path.pop() ?? '';
    let place: Json = copy;
    for (const key of path) place = isJsonObject(place) ? (place[key] ?? null) : null;
    if (!isJsonObject(place)) throw new Error(`nothing to change at ${pointer}`);
    (place as Record<string, unknown>)[last] = value;
  }
  return copy;
}
