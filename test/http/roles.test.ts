import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Role } from '../../libs/vocabulary/words.js';
import { addPrincipal } from '../support/actors.js';
import { refused } from '../support/problems.js';
import { startService, type TestService } from '../support/service.js';
import { expecting } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Every route of the service, and the roles that may call it; `any` principal, or `public` without a token. */
const TABLE = `
  POST   /v1/principals                                        admin
  GET    /v1/principals                                        admin
  POST   /v1/principals/:name/rotate                           admin
  DELETE /v1/principals/:name                                  admin
  POST   /v1/capabilities                                      registrar
  GET    /v1/capabilities                                      any
  GET    /v1/capabilities/:id                                  any
  POST   /v1/capabilities/:id/versions                         registrar
  GET    /v1/capabilities/:id/versions/:version                any
  GET    /v1/capabilities/:id/versions/:version/diff           any
  POST   /v1/capabilities/:id/versions/:version/review         reviewer
  POST   /v1/capabilities/:id/versions/:version/exceptions     reviewer
  POST   /v1/capabilities/:id/versions/:version/suspend        reviewer operator
  POST   /v1/capabilities/:id/versions/:version/reinstate      reviewer
  POST   /v1/capabilities/:id/versions/:version/revoke         reviewer operator
  POST   /v1/capabilities/:id/versions/:version/observations   host
  PUT    /v1/capabilities/:id/publishers                       registrar
  POST   /v1/capabilities/:id/publishers/review                reviewer
  POST   /v1/publishers                                        registrar
  GET    /v1/publishers                                        any
  GET    /v1/publishers/:id                                    any
  POST   /v1/publishers/:id/keys                               registrar
  POST   /v1/publishers/:id/keys/:keyId/review                 reviewer
  POST   /v1/publishers/:id/keys/:keyId/revoke                 reviewer operator
  POST   /v1/publishers/:id/revoke                             reviewer operator
  GET    /v1/reviews                                           any
  POST   /v1/policies/:set                                     registrar
  POST   /v1/policies/:set/:policyVersion/review               reviewer
  GET    /v1/policies/:set                                     any
  POST   /v1/tasks                                             host
  GET    /v1/tasks/:taskId                                     host
  POST   /v1/tasks/:taskId/close                               host
  POST   /v1/calls/authorize                                   host
  POST   /v1/calls/:callId/response                            host
  POST   /v1/calls/:callId/outcome                             host
  GET    /v1/approvals                                         approver auditor
  GET    /v1/approvals/:id                                     host approver auditor
  POST   /v1/approvals/:id/decide                              approver
  GET    /v1/calls/:callId/response                            host
  POST   /v1/calls/:callId/release                             reviewer operator
  GET    /v1/responses                                         reviewer operator
  POST   /v1/directives                                        operator
  POST   /v1/directives/:id/lift                               operator
  GET    /v1/directives                                        any
  POST   /v1/directives/acks                                   host
  GET    /v1/directives/:id/propagation                        operator auditor
  GET    /v1/directives/watch                                  host
  GET    /v1/directives/terms                                  any
  POST   /v1/tasks/:taskId/shred                               admin
  POST   /v1/users/:user/erase                                 admin
  GET    /v1/audit/traces/:traceId                             auditor
  GET    /v1/audit/traces/:traceId/replay                      auditor
  GET    /v1/audit/calls                                       auditor
  GET    /v1/audit/calls/:callId                               auditor
  GET    /v1/audit/tasks                                       auditor
  GET    /v1/audit/exposure                                    auditor reviewer
  GET    /v1/audit/traces/:traceId/bundle                      auditor
  GET    /v1/audit/sample                                     auditor
  GET    /v1/audit/events                                      auditor
  GET    /v1/audit/checkpoints                                 auditor
  GET    /v1/audit/events/:id/proof                            auditor
  GET    /v1/audit/consistency                                 auditor
  GET    /log/checkpoint                                       auditor
  GET    /log/tile/:level/:first                               auditor
  GET    /log/tile/:level/:first/:second                       auditor
  GET    /log/tile/:level/:first/:second/:third                auditor
  GET    /.well-known/sallyport-log                            public
  GET    /.well-known/jwks.json                                public
  GET    /health/live                                          public
  GET    /health/ready                                         public
  GET    /metrics                                              public
  GET    /docs                                                 public
  GET    /asyncapi.json                                        public
  GET    /openapi.json                                         public
`;

interface Row {
  readonly method: string;
  readonly path: string;
  readonly may: readonly string[];
}

const ROWS: readonly Row[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [method = '', path = '', ...may] = line.trim().split(/\s+/);
    return { method, path, may };
  });

const routeOf = ({ method, path }: Pick<Row, 'method' | 'path'>) => `${method} ${path.replaceAll(/:\w+/g, ':_')}`;

/** The path with ids of things that do not exist. A watch gets a query that is refused, because it would not end. */
const concrete = (path: string) =>
  path.replace(/\/watch$/, '/watch?sinceEpoch=none').replaceAll(/:(\w+)/g, (_, parameter: string) => {
    if (parameter === 'traceId') return randomUUID().replaceAll('-', '');
    if (parameter === 'policyVersion') return '7';
    if (parameter === 'version') return '9.9.9';
    return parameter.endsWith('Id') || parameter === 'id' ? randomUUID() : 'no-such-thing';
  });

const MALFORMED = '{"taskId": ';

let service: TestService;
before(async () => {
  service = await startService({ sealing: undefined });
});
after(() => service.stop());

test('every route of the service is in the table, and every row of the table is a route', () => {
  const served = service.server.routes.map(routeOf).sort();
  assert.deepEqual(served, ROWS.map(routeOf).sort());
});

for (const row of ROWS) {
  const { method, path, may } = row;
  const body = method === 'GET' || method === 'DELETE' ? undefined : MALFORMED;

  if (may[0] === 'public') {
    test(`${method} ${path} needs no token`, async () => {
      expecting(200, await service.call('nobody', method, path));
      expecting(200, await service.call({ token: 'sallyport_wrong' }, method, path));
    });
    continue;
  }

  test(`${method} ${path} is open to ${may.join(', ')} and to no other role`, async () => {
    for (const role of Role.options) {
      const answer = await service.call(role, method, concrete(path), body);
      if (may.includes(role) || may[0] === 'any') {
        assert.ok(answer.status !== 401 && answer.status !== 403, `${role}: ${answer.status}`);
        assert.ok(answer.status < 500, `${role}: ${answer.status}`);
      } else {
        refused(403, 'forbidden', answer);
      }
    }
  });

  test(`${method} ${path} refuses a caller without a valid token`, async () => {
    const callers = ['nobody', { token: 'sallyport_wrong' }, { token: `${service.tokens.admin}x` }, { token: '' }];
    for (const caller of callers as Parameters<TestService['call']>[0][]) {
      const answer = await service.call(caller, method, concrete(path), body);
      refused(401, 'unauthenticated', answer);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer\b/);
    }
  });
}

test('the token of a removed principal opens no route any more', async () => {
  const removed = await addPrincipal(service, [...Role.options]);
  for (const { method, path, may } of ROWS.filter(({ may }) => may[0] !== 'public')) {
    const answer = await service.call(removed, method, concrete(path), method === 'POST' ? MALFORMED : undefined);
    assert.ok(answer.status !== 401 && answer.status !== 403, `before: ${method} ${path} ${may.join(' ')}`);
  }
  expecting(204, await service.call('admin', 'DELETE', `/v1/principals/${removed.name}`));
  for (const { method, path } of ROWS.filter(({ may }) => may[0] !== 'public')) {
    refused(401, 'unauthenticated', await service.call(removed, method, concrete(path), undefined));
  }
});

test('a token counts only as a bearer token in the authorization header', async () => {
  const { admin } = service.tokens;
  const basic = Buffer.from(`local-admin:${admin}`).toString('base64');
  for (const authorization of [`Basic ${basic}`, admin, `Bearer ${admin} ${admin}`, `Bearer "${admin}"`]) {
    refused(
      401,
      'unauthenticated',
      await service.call('nobody', 'GET', '/v1/capabilities', undefined, { authorization }),
    );
  }
  refused(401, 'unauthenticated', await service.call('nobody', 'GET', `/v1/capabilities?access_token=${admin}`));
  const authorization = `bearer ${admin}`;
  expecting(200, await service.call('nobody', 'GET', '/v1/capabilities', undefined, { authorization }));
});

test('a principal with several roles may do what each of them may', async () => {
  const both = await addPrincipal(service, ['operator', 'auditor']);
  const issued = await service.call(both, 'POST', '/v1/directives', {
    target: { type: 'category', category: 'nothing' },
    reason: 'both',
  });
  expecting(201, issued);
  expecting(200, await service.call(both, 'GET', '/v1/audit/events'));
  refused(403, 'forbidden', await service.call(both, 'POST', '/v1/tasks', {}));
});
