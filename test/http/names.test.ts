import assert from 'node:assert/strict';
import { newCapability, scopeOf, unique } from '../support/actors.js';
import { decide, stop } from '../support/calls.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, expecting, MEMORY_DEFINITION, openTask, proposal, registration } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

const register = (version: Answered) =>
  service.call('registrar', 'POST', '/v1/capabilities', registration(unique('cap'), version));
const tool = (name: string): Answered => ({ name, inputSchema: { type: 'object' } });
const withTools = (...names: string[]): Answered =>
  proposal('1.0.0', { definition: { ...MEMORY_DEFINITION, tools: [...MEMORY_DEFINITION.tools, ...names.map(tool)] } });

test('a disable of a source matches every spelling of the source', async () => {
  const id = await newCapability(service, proposal('1.0.0', { source: { type: 'pypi', name: 'foo-bar' } }));
  const task = await openTask(service, { scope: scopeOf(id) });
  const source = 'pypi:Foo_Bar\u200b';
  const body = { target: { type: 'source', source }, reason: 'test' };
  const issued = expecting(201, await service.call('operator', 'POST', '/v1/directives', body));
  assert.deepEqual(issued.target, { type: 'source', source: 'pypi:foo-bar' });
  assert.deepEqual([issued.matches.versions, issued.matches.openTasks], [1, 1]);
  const { reason, rule } = await decide(service, task);
  assert.deepEqual([reason, rule], ['disabled', 'source:pypi:foo-bar']);
  expecting(200, await service.call('operator', 'POST', `/v1/directives/${issued.id}/lift`, { reason: 'test' }));
  assert.equal((await decide(service, task)).decision, 'allow');
  const other = await newCapability(service, proposal('1.0.0', { source: { type: 'pypi', name: 'Foo.Bar' } }));
  const letGo = await stop(service, { type: 'source', source: 'pypi:foo-bar' });
  assert.equal((await decide(service, await openTask(service, { scope: scopeOf(other) }))).reason, 'disabled');
  await letGo();
});

test('a source whose name does not fit its type is not registered, one of no type is not disabled', async () => {
  for (const name of ['left-pad ', 'Left-Pad', 'left\u200b-pad', 'l\u0435ft-pad']) {
    const { errors } = refused(
      400,
      'malformed_request',
      await register(proposal('1.0.0', { source: { type: 'npm', name } })),
    );
    assert.equal(errors[0].path, '/version/source/name');
    assert.match(errors[0].message, /npm package/);
  }
  for (const source of ['left-pad', 'cargo:serde', 'npm:']) {
    const body = { target: { type: 'source', source }, reason: 'test' };
    refused(400, 'malformed_request', await service.call('operator', 'POST', '/v1/directives', body));
  }
});

test('names that nobody sees, and names that look the same, are not registered', async () => {
  for (const [names, message] of [
    [[''], /empty/],
    [['look\u200b'], /"look\\u\{200b\}" holds characters that nobody sees/],
    [['\u202elook'], /nobody sees/],
    [['look '], /nobody sees/],
    [['l\u043eok', 'look'], /look the same: .*|look the same/],
    [['rec\u0430ll'], /"recall" and "rec\u0430ll" look the same: U\+0430/],
    [['\uff52ecall'], /look the same: U\+FF52/],
  ] as const) {
    const { errors } = refused(400, 'malformed_request', await register(withTools(...names)));
    assert.match(errors[0].message, message);
    assert.equal(errors[0].path, '/definition/tools');
  }
  const { definition, manifest } = proposal();
  const prompts = { ...definition, prompts: [{ name: 'greet' }, { name: 'gr\u0435et' }] };
  const refusal = refused(400, 'malformed_request', await register(proposal('1.0.0', { definition: prompts })));
  assert.equal(refusal.errors[0].path, '/definition/prompts');
  const resources = { ...definition, resources: [{ uri: 'memory://a' }, { uri: 'memory://\u0430' }] };
  expecting(201, await register(proposal('1.0.0', { definition: resources })));
  const operations = {
    'resource:memory://a': { effects: ['read'] },
    'resource:memory://\u0430': { effects: ['read'] },
  };
  const named = { definition: resources, manifest: { ...manifest, operations } };
  assert.match(
    refused(400, 'malformed_request', await register(proposal('1.0.0', named))).errors[0].message,
    /look the same/,
  );
  expecting(201, await register(withTools('\u043f\u043e\u0438\u0441\u043a', '\u691c\u7d22', 'Recall')));
});
