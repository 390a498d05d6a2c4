import assert from 'node:assert/strict';
import { newCapability, scopeOf } from '../support/actors.js';
import { eventsOf } from '../support/events.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask, proposal } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Names that a caller chooses are content: names of members, categories, and names of context items. Labels are not lost. */

/** A key of letters alone. */
const KEY = 'AKIAIOSFODNNQEXAMPLQ';

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

interface Scene {
  ask(more: Answered): Promise<Answered>;
  respond(text: string): Promise<void>;
  recorded(): Promise<string>;
}

async function scene(inputSchema: Answered = { type: 'object' }, sensitivity = 'internal'): Promise<Scene> {
  const { manifest, ...rest } = proposal();
  const operations = {
    send: { effects: ['write'], needs: { context: ['crm/*'] } },
    read: { effects: ['read'], returns: 'confidential' },
  };
  const tools = [
    { name: 'send', inputSchema },
    { name: 'read', inputSchema: { type: 'object' } },
  ];
  const version = { ...rest, definition: { tools }, manifest: { ...manifest, operations, sensitivity } };
  const capability = await newCapability(service, version);
  const task = await openTask(service, { scope: scopeOf(capability) });
  const ask = async (more: Answered): Promise<Answered> => {
    const body = callBody(task, { capability, operation: 'send', arguments: {}, ...more });
    return expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
  };
  return {
    ask,
    async respond(text) {
      const { callId } = await ask({ operation: 'read' });
      const body = { taskId: task.taskId, result: { content: [{ type: 'text', text }] } };
      expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, body));
    },
    recorded: async () => JSON.stringify((await eventsOf(service, `calls-${task.taskId}`)).map(({ data }) => data)),
  };
}

test('a key of letters alone does not leave as the name of a member', async () => {
  const { ask, recorded } = await scene();
  for (const given of [{ extra: { [KEY]: 1, own: 2 } }, { extra: { [KEY]: 1, own: 2, mail: 'a@lovelace.org' } }]) {
    const { outbound } = await ask({ arguments: given });
    assert.equal(outbound.arguments.extra.own, 2);
    assert.ok(!JSON.stringify(outbound).includes(KEY));
  }
  assert.ok(!(await recorded()).includes(KEY));
});

test('a key of letters alone is no category, in no answer and in no event', async () => {
  const { ask, recorded } = await scene();
  const context = [
    { id: 'a', source: 'crm/1', level: 'internal', categories: [KEY], content: 'x' },
    { id: 'b', source: 'crm/2', level: 'internal', derivedFrom: ['a'], content: 'y' },
  ];
  const labels = [{ path: '/a', level: 'internal', categories: [KEY] }];
  const { decision, outbound } = await ask({ arguments: { a: 'x' }, context, labels });
  assert.equal(decision, 'allow');
  assert.equal(outbound.context.length, 2);
  assert.ok(!JSON.stringify(outbound).includes(KEY));
  assert.ok(!(await recorded()).includes(KEY));
});

test('the errors of arguments have no name with a key in it, and name a word', async () => {
  const { ask, recorded } = await scene({ type: 'object', properties: { a: {} }, additionalProperties: false });
  for (const [name, shown] of [
    [KEY, '/*'],
    ['mispelt', '/mispelt'],
  ] as const) {
    const { reason, checks } = await ask({ arguments: { [name]: 1 } });
    assert.equal(reason, 'arguments_invalid');
    assert.deepEqual(checks.at(-1).evidence.errors[0].path, shown);
  }
  assert.ok(!(await recorded()).includes(KEY));
});

const SENTENCE = 'the quarterly numbers of the northern division fell by eleven percent';

test('a context item whose id, source or media type repeats a response has its label', async () => {
  const { ask, respond, recorded } = await scene();
  const item = { id: 'a', source: 'crm/1', level: 'internal', content: 'x' };
  const named = [
    { ...item, id: SENTENCE },
    { ...item, id: 'b', source: `crm/${SENTENCE}` },
    { ...item, id: 'c', mimeType: SENTENCE },
  ];
  assert.equal((await ask({ context: named })).outbound.context.length, 3, 'nobody has seen it');
  await respond(SENTENCE);
  const { outbound } = await ask({ context: [...named, { ...item, id: 'd' }] });
  assert.deepEqual(
    outbound.context.map(({ id }: Answered) => id),
    ['d'],
  );
  assert.deepEqual(
    outbound.refusals,
    [0, 1, 2].map((index) => ({ path: `/context/${index}`, reason: 'context_above_sensitivity' })),
  );
  assert.ok(!(await recorded()).includes(SENTENCE));
});

test('long sources of context items that resemble one another have no label because of that', async () => {
  const { ask } = await scene();
  const source = 'crm/https://crm.example.com/customers/of/the/northern/division/';
  await ask({ context: [{ id: 'a', source: `${source}1`, level: 'confidential', content: 'x' }] });
  const { outbound } = await ask({ context: [{ id: 'b', source: `${source}2`, level: 'internal', content: 'y' }] });
  assert.equal(outbound.context[0].source, `${source}2`);
});

test('a sentence is no category and no source of a label, in no answer and in no event', async () => {
  const { ask, respond, recorded } = await scene();
  await respond(SENTENCE);
  const categories = [SENTENCE, 'financial'];
  const context = [{ id: 'a', source: 'crm/1', level: 'internal', categories, content: 'x' }];
  const labels = [{ path: '/a', level: 'internal', categories, source: SENTENCE }];
  const { outbound } = await ask({ arguments: { a: 'x' }, context, labels });
  assert.deepEqual(outbound.context[0].categories, ['[long name]', 'financial']);
  assert.deepEqual(outbound.labels[0].categories, ['[long name]', 'financial']);
  assert.ok(!JSON.stringify(outbound).includes(SENTENCE));
  assert.ok(!(await recorded()).includes(SENTENCE));
});

test('many labels of one place do not hide those of others', async () => {
  const { ask, respond } = await scene(undefined, 'confidential');
  await respond(SENTENCE);
  const labels = Array.from({ length: 256 }, () => ({ path: '/a', level: 'public' }));
  const context = [{ id: 'a', source: 'crm/1', level: 'confidential', content: 'x' }];
  const { outbound } = await ask({ arguments: { a: 'x', to: `ada@lovelace.org ${SENTENCE}` }, labels, context });
  assert.deepEqual(
    outbound.labels.map(({ path, level, categories }: Answered) => [path, level, categories]),
    [
      ['/arguments/a', 'public', []],
      ['/arguments/to', 'confidential', ['pii:email']],
      ['/context/0', 'confidential', []],
    ],
  );
});

test('labels of more places than an answer holds are joined at the places above, in the answer and in the record', async () => {
  const { ask, recorded } = await scene(undefined, 'confidential');
  const list = Array.from({ length: 300 }, (_, index) => `ada${index}@lovelace.org`);
  const labels = [{ path: '/z', level: 'confidential', categories: ['financial'] }];
  const { outbound } = await ask({ arguments: { list, z: 'x' }, labels });
  const expected = [
    ['/arguments/z', ['financial']],
    ['/arguments/list', ['pii:email']],
  ];
  assert.deepEqual(
    outbound.labels.map(({ path, categories }: Answered) => [path, categories]),
    expected,
  );
  assert.ok((await recorded()).includes('financial'));
});
