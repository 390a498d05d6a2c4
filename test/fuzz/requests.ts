import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Role } from '../../libs/vocabulary/words.js';
import { addPrincipal, newCapability, scopeOf, unique } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { heldCall, reviewedWith } from '../support/quarantine.js';
import type { Answered, TestService } from '../support/service.js';
import { addKey, keyPath, newKey, newPublisher } from '../support/signing.js';
import {
  activatePolicy,
  callBody,
  expecting,
  openTask,
  proposal,
  readyWorld,
  registration,
  taskBody,
} from '../support/world.js';

/** A request that is right: who may send it, where to, and what. */
export interface Right {
  readonly who: Role | 'nobody';
  readonly path: string;
  readonly body?: Answered;
}

/** For each route of the service a way to make right requests, one after the other. */
export type Rights = Readonly<Record<string, () => Right | Promise<Right>>>;

const VERSIONS_EACH = 400;

/** The result of `make`, made again after this many uses. */
function rarely<Made>(uses: number, make: () => Promise<Made>): () => Promise<Made> {
  let left = 0;
  let made: Promise<Made> | undefined;
  return () => {
    if (made === undefined || left === 0) {
      left = uses;
      made = make();
    }
    left -= 1;
    return made;
  };
}

/** Half a minute, where a checkpoint takes a second. */
const SEALED_TRIES = 1_500;

/** The id of the first event, once a checkpoint has it. */
async function sealedEvent(service: TestService): Promise<string> {
  const { items } = expecting(200, await service.call('auditor', 'GET', '/v1/audit/events?limit=1'));
  const [{ id }] = items;
  for (let tries = 0; tries < SEALED_TRIES; tries += 1) {
    if ((await service.call('auditor', 'GET', `/v1/audit/events/${id}/proof`)).status === 200) return id;
    await pause(20);
  }
  throw new Error('no checkpoint covers the first event: was the service started with sealing?');
}

/** Makes what the requests are about. */
export async function rightRequests(service: TestService): Promise<Rights> {
  await readyWorld(service);
  const [suspended, observed] = await Promise.all(Array.from({ length: 2 }, () => newCapability(service)));
  // A capability has at most 1,000 versions.
  const roomy = rarely(VERSIONS_EACH, () => newCapability(service));
  const pending = async () => {
    const id = await roomy();
    const version = `1.0.${Math.floor(Math.random() * 1e9)}`;
    expecting(201, await service.call('registrar', 'POST', `/v1/capabilities/${id}/versions`, proposal(version)));
    return `/v1/capabilities/${id}/versions/${version}`;
  };
  const approved = `/v1/capabilities/${suspended}/versions/1.0.0`;
  const task = await openTask(service);
  await openTask(service, { scope: scopeOf(observed ?? '') });
  const other = await addPrincipal(service, ['host']);
  const policy = await activatePolicy(service);
  const reason = 'because';
  const { definition } = proposal();
  const call = async () => {
    const { callId } = await decide(service, task);
    return `/v1/calls/${callId}`;
  };
  await reviewedWith(service, 'held-notes', 'hold');
  const held = await heldCall(service, 'held-notes');
  const get = (who: Right['who'], path: string) => (): Right => ({ who, path });
  const post = (who: Role, path: string, body: () => Answered) => (): Right => ({ who, path, body: body() });
  // A task of its own: the trace of the other one grows with each call.
  const told = await openTask(service);
  const { callId: toldCall } = await decide(service, told);
  const guarded = await openTask(service, { approve: { effects: ['read'], by: 'other' } });
  const { approval } = await decide(service, guarded);
  const publisher = await newPublisher(service);
  const keyed = async () => {
    const [id, key] = [await newPublisher(service), newKey()];
    await addKey(service, id, key, { verdict: 'none' });
    return { id, key };
  };
  const instances = [randomUUID(), randomUUID()];
  const nothing = { target: { type: 'capability', capability: unique('nothing') }, reason };
  const directive = expecting(201, await service.call('operator', 'POST', '/v1/directives', nothing));
  const trace = `/v1/audit/traces/${told.traceId}`;
  return {
    'GET /v1/principals': get('admin', '/v1/principals?limit=3&state=all'),
    'POST /v1/principals': post('admin', '/v1/principals', () => ({
      name: unique('host'),
      roles: ['host'],
      host: { agents: ['assistant'], userRoles: ['staff'], capabilities: ['memory'] },
      user: 'ada',
    })),
    'POST /v1/principals/:name/rotate': post('admin', `/v1/principals/${other.name}/rotate`, () => ({})),
    'DELETE /v1/principals/:name': get('admin', `/v1/principals/${unique('nobody')}`),
    'POST /v1/capabilities': post('registrar', '/v1/capabilities', () => registration(unique('cap'))),
    'GET /v1/capabilities': get('auditor', '/v1/capabilities?status=approved&kind=mcp-server&limit=2&cursor=a2E'),
    'GET /v1/capabilities/:id': get('auditor', '/v1/capabilities/memory'),
    'POST /v1/capabilities/:id/versions': async () => ({
      who: 'registrar',
      path: `/v1/capabilities/${await roomy()}/versions`,
      body: proposal(`2.${Math.floor(Math.random() * 1e9)}`),
    }),
    'GET /v1/capabilities/:id/versions/:version': get('auditor', '/v1/capabilities/memory/versions/1.0.0'),
    'GET /v1/capabilities/:id/versions/:version/diff': get(
      'auditor',
      '/v1/capabilities/memory/versions/1.0.0/diff?against=1.0.0',
    ),
    'POST /v1/capabilities/:id/versions/:version/review': async () => ({
      who: 'reviewer',
      path: `${await pending()}/review`,
      body: { verdict: 'approved', reason, exceptions: ['signature_missing'], expectedRevision: 1 },
    }),
    'POST /v1/capabilities/:id/versions/:version/exceptions': post('reviewer', `${approved}/exceptions`, () => ({
      add: ['signature_missing'],
      remove: [],
      reason,
    })),
    'POST /v1/capabilities/:id/versions/:version/suspend': post('operator', `${approved}/suspend`, () => ({ reason })),
    'POST /v1/capabilities/:id/versions/:version/reinstate': post('reviewer', `${approved}/reinstate`, () => ({
      reason,
    })),
    'POST /v1/capabilities/:id/versions/:version/revoke': async () => ({
      who: 'operator',
      path: `${await pending()}/revoke`,
      body: { reason },
    }),
    'POST /v1/capabilities/:id/versions/:version/observations': post(
      'host',
      `/v1/capabilities/${observed}/versions/1.0.0/observations`,
      () => ({ definition, probe: { protocolVersion: '1', clientCapabilities: {} } }),
    ),
    'GET /v1/reviews': get('auditor', '/v1/reviews?status=pending'),
    'PUT /v1/capabilities/:id/publishers': async () => ({
      who: 'registrar',
      path: `/v1/capabilities/${await roomy()}/publishers`,
      body: { publishers: [publisher, unique('other')], reason },
    }),
    'POST /v1/capabilities/:id/publishers/review': async () => {
      const path = `/v1/capabilities/${await roomy()}/publishers`;
      expecting(200, await service.call('registrar', 'PUT', path, { publishers: [unique('other')], reason }));
      return { who: 'reviewer', path: `${path}/review`, body: { verdict: 'approved', reason } };
    },
    'POST /v1/publishers': post('registrar', '/v1/publishers', () => ({
      id: unique('publisher'),
      name: 'A publisher',
    })),
    'GET /v1/publishers': get('auditor', '/v1/publishers?limit=2'),
    'GET /v1/publishers/:id': get('auditor', `/v1/publishers/${publisher}`),
    'POST /v1/publishers/:id/keys': async () => {
      const { keyId, algorithm, publicKey } = newKey();
      const notAfter = new Date(Date.now() + 3_600_000).toISOString();
      const path = `/v1/publishers/${await newPublisher(service)}/keys`;
      return { who: 'registrar', path, body: { keyId, algorithm, publicKey, notAfter } };
    },
    'POST /v1/publishers/:id/keys/:keyId/review': async () => {
      const { id, key } = await keyed();
      return { who: 'reviewer', path: `${keyPath(id, key.keyId)}/review`, body: { verdict: 'rejected', reason } };
    },
    'POST /v1/publishers/:id/keys/:keyId/revoke': async () => {
      const { id, key } = await keyed();
      return { who: 'operator', path: `${keyPath(id, key.keyId)}/revoke`, body: { reason } };
    },
    'POST /v1/publishers/:id/revoke': async () => ({
      who: 'reviewer',
      path: `/v1/publishers/${await newPublisher(service)}/revoke`,
      body: { reason },
    }),
    'POST /v1/policies/:set': post('registrar', '/v1/policies/fuzzed', () => ({
      cedar: '@id("a") permit(principal, action, resource) when { context.arguments.key == "a" };',
      reason,
    })),
    'POST /v1/policies/:set/:policyVersion/review': post(
      'reviewer',
      `/v1/policies/default/${policy.policyVersion}/review`,
      () => ({ verdict: 'approved', reason }),
    ),
    'GET /v1/policies/:set': get('auditor', '/v1/policies/default'),
    'POST /v1/tasks': post('host', '/v1/tasks', () => ({
      ...taskBody(),
      taskId: randomUUID(),
      user: { id: 'ada', roles: ['staff'], attributes: { team: 'notes' } },
      ttlMs: 1000,
    })),
    'POST /v1/users/:user/erase': post('admin', `/v1/users/${unique('user')}/erase`, () => ({ reason })),
    'POST /v1/tasks/:taskId/shred': async () => ({
      who: 'admin',
      path: `/v1/tasks/${(await openTask(service)).taskId}/shred`,
      body: { reason },
    }),
    'GET /v1/tasks/:taskId': get('host', `/v1/tasks/${task.taskId}`),
    'POST /v1/tasks/:taskId/close': async () => ({
      who: 'host',
      path: `/v1/tasks/${(await openTask(service)).taskId}/close`,
      body: { reason },
    }),
    'POST /v1/calls/authorize': post('host', '/v1/calls/authorize', () => ({ ...callBody(task), explain: true })),
    'POST /v1/calls/:callId/response': async () => ({
      who: 'host',
      path: `${await call()}/response`,
      body: {
        taskId: task.taskId,
        result: { content: [{ type: 'text', text: 'a note' }], structuredContent: { n: 1 } },
      },
    }),
    'GET /v1/calls/:callId/response': get('host', `/v1/calls/${held.callId}/response?taskId=${held.taskId}`),
    'POST /v1/calls/:callId/release': async () => {
      const { callId, taskId } = await heldCall(service, 'held-notes');
      return { who: 'reviewer', path: `/v1/calls/${callId}/release`, body: { taskId, reason } };
    },
    'GET /v1/responses': get('operator', '/v1/responses?state=held&limit=3'),
    'POST /v1/calls/:callId/outcome': async () => ({
      who: 'host',
      path: `${await call()}/outcome`,
      body: { taskId: task.taskId, status: 'succeeded', effect: { type: 'read', summary: 'read' } },
    }),
    'GET /v1/directives': get('host', '/v1/directives'),
    'GET /v1/directives/terms': get('host', '/v1/directives/terms'),
    'POST /v1/directives/acks': async () => {
      const { epoch, stateRoot } = expecting(200, await service.call('host', 'GET', '/v1/directives'));
      const body = { instanceId: instances[epoch % 2], epoch, stateRoot, appliedAt: new Date().toISOString() };
      return { who: 'host', path: '/v1/directives/acks', body };
    },
    'GET /v1/directives/:id/propagation': get('auditor', `/v1/directives/${directive.id}/propagation`),
    'GET /v1/directives/watch': () => ({
      who: 'host',
      path: `/v1/directives/watch?sinceEpoch=0&instanceId=${instances[0]}`,
    }),
    'GET /v1/audit/traces/:traceId': get('auditor', trace),
    'GET /v1/audit/traces/:traceId/replay': get('auditor', `${trace}/replay`),
    'GET /v1/audit/traces/:traceId/bundle': get('auditor', `${trace}/bundle`),
    'GET /v1/audit/sample': get('auditor', '/v1/audit/sample?calls=3&seed=fuzz'),
    'GET /v1/audit/calls': get('auditor', '/v1/audit/calls?capability=memory&decision=deny&limit=3'),
    'GET /v1/audit/calls/:callId': get('auditor', `/v1/audit/calls/${toldCall}`),
    'GET /v1/approvals': get(
      'approver',
      `/v1/approvals?state=pending&task=${guarded.taskId}&capability=memory&limit=3`,
    ),
    'GET /v1/approvals/:id': get('host', `/v1/approvals/${approval.id}?waitMs=1`),
    'POST /v1/approvals/:id/decide': post('approver', `/v1/approvals/${approval.id}/decide`, () => ({
      verdict: 'granted',
      reason,
    })),
    'GET /v1/audit/exposure': get('auditor', '/v1/audit/exposure?capability=memory&version=1.0.0&limit=3'),
    'GET /v1/audit/tasks': get('auditor', '/v1/audit/tasks?status=open&host=local-host&limit=3'),
    'GET /v1/audit/events': get('auditor', '/v1/audit/events?after=3&types=TaskOpened&limit=3'),
    'GET /v1/audit/checkpoints': get('auditor', '/v1/audit/checkpoints?after=0&limit=3'),
    'GET /v1/audit/events/:id/proof': get('auditor', `/v1/audit/events/${await sealedEvent(service)}/proof`),
    'GET /v1/audit/consistency': get('auditor', '/v1/audit/consistency?from=1&to=2'),
    'GET /log/checkpoint': get('auditor', '/log/checkpoint'),
    'GET /log/tile/:level/:first': get('auditor', '/log/tile/0/000'),
    'GET /log/tile/:level/:first/:second': get('auditor', '/log/tile/0/000.p/1'),
    'GET /log/tile/:level/:first/:second/:third': get('auditor', '/log/tile/0/x001/000.p/1'),
    'GET /.well-known/sallyport-log': get('nobody', '/.well-known/sallyport-log'),
    'GET /.well-known/jwks.json': get('nobody', '/.well-known/jwks.json'),
    'GET /health/live': get('nobody', '/health/live'),
    'GET /health/ready': get('nobody', '/health/ready'),
    'GET /metrics': get('nobody', '/metrics'),
    'GET /openapi.json': get('nobody', '/openapi.json'),
    'GET /asyncapi.json': get('nobody', '/asyncapi.json'),
    'GET /docs': get('nobody', '/docs'),
    // Last: a directive that came out otherwise than meant may stop all the others.
    'POST /v1/directives': post('operator', '/v1/directives', () => ({
      id: randomUUID(),
      target: { type: 'version', capability: unique('nothing'), version: '1.0.0' },
      reason,
    })),
    'POST /v1/directives/:id/lift': post('operator', `/v1/directives/${randomUUID()}/lift`, () => ({ reason })),
  };
}
