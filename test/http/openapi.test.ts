import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { components } from '../../libs/contract/components.js';
import { openApi } from '../../libs/contract/openapi.js';
import { OPERATIONS } from '../../libs/contract/operations.js';
import { PROBLEM_CODES } from '../../libs/contract/problem.js';
import { serviceOf, SERVICE_NAMES } from '../../libs/wire/protos.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { expecting } from '../support/world.js';

let service: TestService;
let described: Answered;
before(async () => {
  service = await startService();
  described = expecting(200, await service.call('nobody', 'GET', '/openapi.json'));
});
after(() => service.stop());

type Described = { readonly method: string; readonly path: string; readonly operation: Answered };

const operationsIn = (document: Answered): Described[] =>
  Object.entries(document.paths as Record<string, Record<string, Answered>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

test('the description is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(described));
  assert.ok(valid, JSON.stringify(errors, undefined, 2));
});

test('every route is described, and everything described is a route', () => {
  const routes = service.server.routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  assert.deepEqual(
    operationsIn(described)
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
    routes.sort(),
  );
});

test('each described operation names its callers, and asks for no token if it is public', () => {
  for (const { operation } of operationsIn(described)) {
    const op = OPERATIONS.find(({ id }) => id === operation.operationId);
    assert.deepEqual(operation['x-roles'], op?.roles, operation.operationId);
    assert.deepEqual(operation.security, op?.roles === 'public' ? [] : undefined, operation.operationId);
  }
});

test('every problem code is described with an example, and nothing else is', () => {
  assert.deepEqual(Object.keys(described.components.examples).sort(), [...PROBLEM_CODES].sort());
  const answered = operationsIn(described).flatMap(({ operation }) =>
    Object.values(operation.responses as Record<string, Answered>).flatMap(({ content }) =>
      Object.keys(content?.['application/problem+json']?.examples ?? {}),
    ),
  );
  // No described operation can be asked with a method that it does not have.
  const ofOperations = PROBLEM_CODES.filter((code) => code !== 'method_not_allowed');
  assert.deepEqual([...new Set(answered)].sort(), ofOperations.sort());
  assert.deepEqual(described.components.schemas.Problem.properties.code.enum, PROBLEM_CODES);
});

test('operations have different ids, and every example fits its schema', () => {
  assert.equal(new Set(OPERATIONS.map(({ id }) => id)).size, OPERATIONS.length);
  const answers = OPERATIONS.flatMap(({ body, answers }) => [...Object.values(answers), ...(body ? [body] : [])]);
  const examples = answers.flatMap((schema) =>
    (components.get(schema)?.examples ?? []).map((example) => ({ schema, example })),
  );
  assert.ok(examples.length >= 5);
  for (const { schema, example } of examples) assert.ok(schema.safeParse(example).success, JSON.stringify(example));
});

test('the audit lists that stream as text say so, after their JSON', () => {
  const media = operationsIn(described).flatMap(({ path, operation }) => {
    const named = Object.keys(operation.responses[200]?.content ?? {});
    return named.includes('text/csv') ? [[path, named]] : [];
  });
  const streamed = ['application/json', 'text/csv', 'application/jsonl'];
  assert.deepEqual(media, [
    ['/v1/audit/calls', streamed],
    ['/v1/audit/events', streamed],
  ]);
});

// Seen with openapi-python-client, which refuses the whole document. `npm run client:check` runs it.
test('no list has a boolean for its items: generators of clients refuse it', () => {
  assert.doesNotMatch(JSON.stringify(described), /"items":(true|false)/);
});

test('a reference leads to a schema or an example that is there', () => {
  for (const [, kind = '', name = ''] of JSON.stringify(described).matchAll(/"#\/components\/(\w+)\/(\w+)"/g)) {
    assert.ok(Object.hasOwn(described.components[kind], name), `${kind} ${name}`);
  }
});

test('the description is answered without a token, and not again to a client that has it', async () => {
  const first = await service.call('nobody', 'GET', '/openapi.json');
  const etag = first.headers.get('etag') ?? '';
  assert.match(etag, /^"[\w-]{43}"$/);
  for (const tags of [etag, `"other", ${etag}`, `W/${etag}`]) {
    const again = await service.call('nobody', 'GET', '/openapi.json', undefined, { 'if-none-match': tags });
    assert.deepEqual([again.status, again.body], [304, undefined]);
    assert.equal(again.headers.has('content-length'), false, 'RFC 9110, 8.6');
  }
  expecting(200, await service.call('nobody', 'GET', '/openapi.json', undefined, { 'if-none-match': '"other"' }));
});

test('the proto and the operations name the same gRPC methods, all of them for hosts', () => {
  const inProto = SERVICE_NAMES.flatMap((name) => Object.keys(serviceOf(name)).map((method) => `${name}/${method}`));
  const named = OPERATIONS.flatMap(({ rpc, rpcStream }) => [rpc, rpcStream]).filter((name) => name !== undefined);
  assert.deepEqual(named.sort(), inProto.sort());
  for (const { rpc, rpcStream, roles, id } of OPERATIONS) {
    if ((rpc ?? rpcStream) !== undefined) assert.ok(roles === 'any' || roles.includes('host'), id);
  }
  const streaming = (path: string) => {
    const [name = '', method = ''] = path.split('/');
    return serviceOf(name as (typeof SERVICE_NAMES)[number])[method]?.responseStream;
  };
  for (const { rpc, rpcStream } of OPERATIONS) {
    if (rpc !== undefined) assert.equal(streaming(rpc), false, rpc);
    if (rpcStream !== undefined) assert.equal(streaming(rpcStream), true, rpcStream);
  }
});

test('the description is the same each time it is made', () => {
  assert.deepEqual(openApi(OPERATIONS, described.info.version), described);
});

test('the work of hosts and of auditors is bounded: an operation without admission is named here', () => {
  const unbounded = OPERATIONS.filter(({ method, path, roles, admission }) => {
    if (path.startsWith('/v1/audit/')) return admission !== 'audits';
    const isForHosts = roles === 'any' || (roles !== 'public' && roles.includes('host'));
    return isForHosts && method !== 'GET' && admission !== 'calls';
  });
  // They end or stop something: a service that is full has to take them.
  assert.deepEqual(unbounded.map(({ id }) => id).sort(), ['acknowledgeDirectives', 'closeTask']);
});
