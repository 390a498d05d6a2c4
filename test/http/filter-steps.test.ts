import assert from 'node:assert/strict';
import { newCapability, scopeOf } from '../support/actors.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask, proposal } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Each step of the filter, over HTTP. */

const KEY = 'AKIAIOSFODNN7EXAMPLQ';
const MAIL = 'ada.lovelace@lovelace-analytics.org';
const CARD = 4111111111111111;

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

const needs = { arguments: [{ path: '/body', maxLength: 40 }, '/extra', '/to'], context: ['crm', 'mail/*'] };

type Ask = (more: Answered) => Promise<Answered>;

function versionOf(sensitivity: string, more: Answered, inputSchema: Answered): Answered {
  const { manifest, ...rest } = proposal();
  const operations = {
    send: { effects: ['write'], needs: { ...needs, ...more } },
    read: { effects: ['read'], returns: 'restricted' },
    look: { effects: ['read'], returns: 'internal' },
  };
  const tools = ['send', 'read', 'look'].map((name) => ({ name, inputSchema }));
  return { ...rest, definition: { tools }, manifest: { ...manifest, operations, sensitivity } };
}

async function asking(
  sensitivity = 'internal',
  more: Answered = {},
  on = service,
  inputSchema: Answered = { type: 'object' },
): Promise<Ask> {
  const version = versionOf(sensitivity, more, inputSchema);
  const capability = await newCapability(on, version);
  const task = await openTask(on, { scope: scopeOf(capability) });
  return async (body) => {
    const asked = callBody(task, { capability, operation: 'send', arguments: {}, ...body });
    return expecting(200, await on.call('host', 'POST', '/v1/calls/authorize', asked)).outbound;
  };
}

test('a value longer than its maximum is refused, and one of that length is sent', async () => {
  const ask = await asking();
  const { arguments: sent, refusals } = await ask({ arguments: { to: 'me', body: 'x'.repeat(41) } });
  assert.deepEqual([sent, refusals], [{ to: 'me' }, [{ path: '/arguments/body', reason: 'context_too_large' }]]);
  const body = 'x'.repeat(40);
  assert.deepEqual((await ask({ arguments: { body } })).arguments, { body });
});

test('a plain member that is not declared, or not needed, is taken out alone', async () => {
  const ask = await asking('internal', { arguments: ['/to'] }, service, {
    type: 'object',
    properties: { to: {}, cc: {} },
  });
  for (const [name, type] of [
    ['cc', 'not_needed'],
    ['hidden', 'not_declared'],
  ] as const) {
    const { arguments: sent, redactions } = await ask({ arguments: { to: 'me', [name]: 'x' } });
    assert.deepEqual(sent, { to: 'me' });
    assert.deepEqual(redactions, [{ path: `/arguments/${name}`, type, count: 1 }]);
  }
});

test('a context item has the label of the response that it repeats, or is derived from', async () => {
  const capability = await newCapability(service, versionOf('internal', {}, { type: 'object' }));
  const task = await openTask(service, { scope: scopeOf(capability) });
  const ask = async (body: Answered): Promise<Answered> => {
    const asked = callBody(task, { capability, operation: 'send', arguments: {}, ...body });
    return expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', asked));
  };
  const text = 'the quarterly numbers of the northern division fell by eleven percent';
  const answered = async (operation: string, said: string): Promise<string> => {
    const { callId } = await ask({ operation });
    const body = { taskId: task.taskId, result: { content: [{ type: 'text', text: said }] } };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, body));
    return callId;
  };
  const [callId, looked] = [await answered('read', text), await answered('look', 'a note')];
  const item = { id: 'a', source: 'crm', level: 'public', content: 'fell' };
  for (const labelled of [
    { ...item, content: `see: ${text}` },
    { ...item, derivedFrom: [callId] },
  ]) {
    const { outbound } = await ask({ context: [labelled] });
    assert.deepEqual(outbound.refusals, [{ path: '/context/0', reason: 'context_above_sensitivity' }]);
  }
  const { outbound } = await ask({ context: [{ ...item, derivedFrom: [looked] }] });
  assert.deepEqual([outbound.context[0]?.level, outbound.refusals], ['internal', []]);
});

test('a number that is a card is redacted, and so is the name of a member', async () => {
  const ask = await asking();
  const extra = { card: CARD, count: 7, [`card ${CARD}`]: 'x', [MAIL]: { deep: 1 } };
  const { arguments: sent, redactions } = await ask({ arguments: { extra } });
  assert.deepEqual(sent, { extra: { card: '[redacted pii:card]', count: 7 } });
  assert.deepEqual(redactions.map(({ type }: Answered) => type).sort(), ['pii:card', 'pii:card', 'pii:email']);
});

test('a value of any type below a member that is named a secret is redacted', async () => {
  const ask = await asking('restricted');
  for (const secret of [8421, '8421', -84.21, { value: 'hunter2!xY' }, { deep: [{ pin: 8421 }] }, [8421]]) {
    for (const name of ['password', 'db_passphrase']) {
      const extra = { [name]: secret, port: 8421 };
      const { arguments: sent, redactions } = await ask({ arguments: { extra } });
      assert.ok(!/8421|84\.21|hunter2/.test(JSON.stringify(sent.extra[name])), JSON.stringify(sent));
      assert.deepEqual([sent.extra.port, redactions[0].type], [8421, 'secret:password']);
    }
  }
  const long = { password: { ['x'.repeat(200)]: { ['y'.repeat(200)]: 'hunter2!xY' } } };
  assert.ok(!JSON.stringify(await ask({ arguments: { extra: long } })).includes('hunter2'));
  const plain = { passwordless: 8421, password: { enabled: true, policy: null, length: 12 } };
  assert.deepEqual((await ask({ arguments: { extra: plain } })).arguments.extra, plain);
});

test('a secret leaves at no sensitivity, and personal data only up to it', async () => {
  const ask = await asking('restricted');
  const { arguments: sent } = await ask({ arguments: { to: MAIL, extra: `${KEY} ${CARD}` } });
  assert.deepEqual(sent, { to: MAIL, extra: `[redacted secret:aws_access_key] ${CARD}` });
});

test('an accepted type does not let a secret through that is a part of it', async () => {
  const ask = await asking('internal', { arguments: [{ path: '/to', accepts: ['pii:email'] }] });
  assert.deepEqual((await ask({ arguments: { to: MAIL } })).arguments, { to: MAIL });
  const { arguments: sent } = await ask({ arguments: { to: `${KEY}@lovelace-analytics.org` } });
  assert.deepEqual(sent, { to: '[redacted pii:email]' });
});

test('a context item without a level has the one of the setting', async (t) => {
  const levelOf = async (env: Record<string, string>): Promise<Answered> => {
    const on = await startService({ env });
    t.after(() => on.stop());
    await activatePolicy(on);
    const ask = await asking('confidential', {}, on);
    return (await ask({ context: [{ id: 'a', source: 'crm', content: 'x' }] })).context[0].level;
  };
  assert.equal(await levelOf({}), 'confidential');
  assert.equal(await levelOf({ SALLYPORT_CONTEXT_LEVEL: 'public' }), 'public');
});

test('a label whose pointer leads nowhere counts for the nearest value above', async () => {
  const ask = await asking();
  const labels = [{ path: '/extra/mispelt/deep', level: 'restricted' }];
  assert.deepEqual((await ask({ arguments: { to: 'me', extra: { a: 1 } }, labels })).arguments, { to: 'me' });
});

test('a context item: its source, its default size, and what is redacted in it and in its names', async () => {
  const ask = await asking();
  const item = (id: string, source: string, content: string) => ({ id, source, level: 'internal', content });
  const context = [
    { ...item(`id ${KEY}`, `mail/ ${MAIL}`, `${KEY} ${MAIL} hi`), mimeType: `text/${KEY}` },
    item('b', 'crm/1', 'x'),
    item('c', 'crm', 'x'.repeat(65_537)),
    item('d', 'crm', 'x'.repeat(65_536)),
  ];
  const { context: sent, refusals } = await ask({ context });
  const secret = '[redacted secret:aws_access_key]';
  assert.deepEqual(
    sent.map(({ id, source, mimeType }: Answered) => [id, source, mimeType]),
    [
      [`id ${secret}`, 'mail/ [redacted pii:email]', `text/${secret}`],
      ['d', 'crm', undefined],
    ],
  );
  assert.equal(sent[0].content, `${secret} [redacted pii:email] hi`);
  assert.deepEqual(refusals, [
    { path: '/context/1', reason: 'context_not_needed' },
    { path: '/context/2', reason: 'context_too_large' },
  ]);
});

test('an operation that names no context gets none', async () => {
  const ask = await asking('internal', { context: undefined });
  const { context, refusals } = await ask({ context: [{ id: 'a', source: 'crm', level: 'public', content: 'x' }] });
  assert.deepEqual([context, refusals.length], [[], 1]);
});
