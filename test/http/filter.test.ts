import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { newCapability, scopeOf } from '../support/actors.js';
import { eventsOf } from '../support/events.js';
import { refused } from '../support/problems.js';
import { OVERRIDE } from '../support/quarantine.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask, proposal, registration } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Outbound content of calls: the filter, its record, and the flow of labels, over HTTP. */

const KEY = 'AKIAIOSFODNN7EXAMPLQ';
const MAIL = 'ada.lovelace@lovelace-analytics.org';

let service: TestService;
let strict: TestService;
before(async () => {
  service = await startService();
  strict = await startService({ env: { SALLYPORT_FLOW: 'strict', SALLYPORT_CONTEXT_LEVEL: 'internal' } });
  for (const each of [service, strict]) await activatePolicy(each);
});
after(() => Promise.all([service.stop(), strict.stop()]));

const MAIL_SCHEMA = {
  type: 'object',
  properties: {
    to: { type: 'string' },
    body: { type: 'string' },
    cc: { type: 'string' },
    extra: { type: 'object' },
  },
  required: ['to'],
};

const needs = {
  arguments: [{ path: '/to', accepts: ['pii:email'] }, { path: '/body', maxLength: 2000 }, '/extra'],
  context: ['crm/*'],
  contextBytes: 100_000,
};

const mail = (operation: Answered = { needs }, sensitivity = 'internal'): Answered => {
  const { manifest, ...rest } = proposal();
  const operations = {
    send: { effects: ['write'], ...operation },
    read: { effects: ['read'], returns: 'confidential' },
  };
  const tools = [
    { name: 'send', inputSchema: MAIL_SCHEMA },
    { name: 'read', inputSchema: { type: 'object' } },
  ];
  return { ...rest, definition: { tools }, manifest: { ...manifest, operations, sensitivity } };
};

/** Zero-width spaces split each run that a raw text could share. */
const SPLIT = Array.from('The budget of the harbour is due in May').join('\u200b');

interface Scene {
  readonly task: Answered;
  ask(more: Answered): Promise<Answered>;
}

async function scene(on: TestService, version: Answered = mail(), more: Answered = {}): Promise<Scene> {
  const capability = await newCapability(on, version);
  const task = await openTask(on, { scope: scopeOf(capability), ...more });
  const ask = async (body: Answered) =>
    expecting(
      200,
      await on.call('host', 'POST', '/v1/calls/authorize', callBody(task, { capability, operation: 'send', ...body })),
    );
  return { task, ask };
}

const respond = async (on: TestService, { task, ask }: Scene, text: string): Promise<string> => {
  const { callId } = await ask({ operation: 'read', arguments: {} });
  const body = { taskId: task.taskId, result: { content: [{ type: 'text', text }] } };
  expecting(200, await on.call('host', 'POST', `/v1/calls/${callId}/response`, body));
  return callId;
};

const recordedIn = async ({ task }: Scene) =>
  JSON.stringify((await eventsOf(service, `calls-${task.taskId}`)).map(({ data }) => data));

const filteredIn = async (on: TestService, { task }: Scene) =>
  (await eventsOf(on, `calls-${task.taskId}`)).filter(({ type }) => type === 'ContextFiltered').map(({ data }) => data);

test('arguments: declared, needed, redacted, and labelled; a repeat and the evidence say the same', async () => {
  const made = await scene(service);
  const given = { to: MAIL, body: `use ${KEY}`, cc: 'x', hidden: 'y' };
  const body = { callId: randomUUID(), arguments: given };
  const { decision, outbound, traceId } = await made.ask(body);
  assert.equal(decision, 'allow');
  assert.equal(outbound.arguments.to, MAIL);
  assert.match(outbound.arguments.body, /^use \[redacted secret:[a-z0-9_-]+\]$/);
  assert.deepEqual(Object.keys(outbound.arguments).sort(), ['body', 'to']);
  const types = outbound.redactions.map(({ path, type }: Answered) => [path, type.split(':')[0]]);
  assert.deepEqual(types, [
    ['/arguments/body', 'secret'],
    ['/arguments/cc', 'not_needed'],
    ['/arguments/hidden', 'not_declared'],
  ]);
  assert.deepEqual(outbound.labels, [
    { path: '/arguments/to', level: 'confidential', categories: ['pii:email'], source: 'detected' },
  ]);
  assert.deepEqual((await made.ask(body)).outbound, outbound, 'a repeat');
  const trace = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}`));
  assert.deepEqual(trace.calls[0].outbound, outbound, 'evidence');
  const replay = expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}/replay`));
  assert.equal(replay.identical, true);
});

test('ContextFiltered comes right before its decision, and holds no value', async () => {
  const made = await scene(service);
  const context = [
    { id: 'item-canary', source: 'crm/canary-source', level: 'internal', content: `secret ${KEY} canary-content` },
    { id: 'b', source: 'chat/canary', content: 'canary-refused' },
  ];
  const labels = [{ path: '/body', level: 'internal', categories: ['financial'], source: 'canary-label' }];
  const args = { to: MAIL, body: `canary-body ${KEY}`, 'canary-name': 'canary-value', extra: { 'canary-deep': KEY } };
  const answer = await made.ask({ arguments: args, context, labels });
  assert.equal(answer.decision, 'allow');
  assert.ok(!JSON.stringify(answer.outbound).includes(KEY));
  const events = await eventsOf(service, `calls-${made.task.taskId}`);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['ContextFiltered', 'CallDecided'],
  );
  const [filtered, decided] = events;
  assert.equal(String(decided?.position), answer.position, 'the answer has the position of the decision');
  const text = JSON.stringify(events.map(({ data }) => data));
  for (const canary of [KEY, MAIL, 'canary']) assert.ok(!text.includes(canary), canary);
  assert.equal(decided?.data.filtered, true);
  assert.deepEqual(filtered?.data.items, [
    { path: '/context/0', bytes: 42, level: 'internal', categories: [], sent: true, need: 'crm/*' },
    { path: '/context/1', bytes: 14, level: 'confidential', categories: [], sent: false },
  ]);
  assert.equal(filtered?.data.attestedBy, decided?.data.host);
  assert.deepEqual(filtered?.data.refusals, [{ path: '/context/1', reason: 'context_not_needed' }]);
  assert.match(filtered?.data.pack, /^sha256:/);
});

test('nothing taken out, refused or labelled: no ContextFiltered', async () => {
  const made = await scene(service);
  await made.ask({ arguments: { to: 'me', body: 'hello' } });
  assert.deepEqual(await filteredIn(service, made), []);
});

test('a required item that is refused denies, and the evidence names its path', async () => {
  const made = await scene(service);
  const context = [{ id: 'a', source: 'chat', content: 'x', required: true }];
  const { decision, reason, checks, outbound } = await made.ask({ arguments: { to: 'me' }, context });
  assert.deepEqual([decision, reason, outbound], ['deny', 'context_not_needed', undefined]);
  assert.deepEqual(checks.at(-1), { check: 'context', outcome: 'fail', evidence: { path: '/context/0' } });
  assert.equal((await filteredIn(service, made)).length, 1, 'a deny is recorded with what was refused');
});

test('arguments that no longer match their schema deny', async () => {
  const made = await scene(service);
  const labels = [{ path: '/to', level: 'restricted' }];
  const { reason, checks } = await made.ask({ arguments: { to: 'me' }, labels });
  assert.equal(reason, 'context_above_sensitivity');
  assert.deepEqual(checks.at(-1).evidence, { path: '/arguments/to', type: 'above_sensitivity' });
});

test('context items: level, size, and the obligation to summarise; a summary keeps the level', async () => {
  const made = await scene(service, mail({ needs: { ...needs, contextBytes: 10 } }));
  const context = [
    { id: 'high', source: 'crm/1', level: 'restricted', content: 'x' },
    { id: 'long', source: 'crm/2', level: 'internal', content: 'x'.repeat(11) },
    { id: 'plain', source: 'crm/3', content: 'x' },
  ];
  const { outbound, obligations } = await made.ask({ arguments: { to: 'me' }, context });
  assert.deepEqual(
    outbound.refusals.map(({ reason }: Answered) => reason),
    ['context_above_sensitivity', 'context_too_large', 'context_above_sensitivity'],
  );
  assert.deepEqual(obligations, ['summarise:long']);
  const summary = { id: 's', source: 'crm/4', level: 'public', content: 'short', derivedFrom: ['long'] };
  const { outbound: next } = await made.ask({ arguments: { to: 'me' }, context: [summary] });
  assert.equal(next.context[0].level, 'internal');
  const higher = { ...summary, id: 't', derivedFrom: ['high'] };
  const { outbound: last } = await made.ask({ arguments: { to: 'me' }, context: [higher] });
  assert.deepEqual(last.refusals, [{ path: '/context/0', reason: 'context_above_sensitivity' }]);
  const unknown = { ...summary, id: 'u', derivedFrom: ['never seen'] };
  const { outbound: unknownOut } = await made.ask({ arguments: { to: 'me' }, context: [unknown] });
  assert.equal(unknownOut.refusals.length, 1, 'an unknown origin has the highest label');
});

const SECRET_TEXT = 'the quarterly numbers of the northern division fell by eleven percent';

test('detect: what repeats a response verbatim has its label, also with other case and white space', async () => {
  const made = await scene(service);
  await respond(service, made, `Report: ${SECRET_TEXT}. End.`);
  const repeated = `FYI: ${SECRET_TEXT.toUpperCase().replaceAll(' ', '\n')}`;
  const { outbound } = await made.ask({ arguments: { to: 'me', body: repeated } });
  assert.deepEqual(outbound.arguments, { to: 'me' });
  assert.deepEqual(outbound.redactions, [{ path: '/arguments/body', type: 'above_sensitivity', count: 1 }]);
  const { outbound: other } = await made.ask({
    arguments: { to: 'me', body: 'words of my own, and of nobody else at all' },
  });
  assert.equal(Object.keys(other.arguments).length, 2);
});

const ITEM_TEXT = 'the bridge at the old mill is closed until the end of the summer';
const PAGE_TEXT = 'seven people of the second office move to the house by the lake';
const blobIn = (mimeType: string, bytes: Buffer): Answered => ({
  content: [{ type: 'resource', resource: { uri: 'a:b', mimeType, blob: bytes.toString('base64') } }],
});

test('detect: bytes of a response that are text count as its text, in every encoding', async () => {
  const made = await scene(service);
  const latin = 'les résultats chiffrés de la région nord ont baissé de onze pour cent';
  for (const [mimeType, text, bytes] of [
    ['text/plain; charset=iso-8859-1', latin, Buffer.from(latin, 'latin1')],
    ['text/plain', SECRET_TEXT, Buffer.from(`${SECRET_TEXT}\u00ff`, 'latin1')],
    ['text/plain', ITEM_TEXT, Buffer.from(`\ufeff${ITEM_TEXT} €`, 'utf16le')],
    ['text/html', PAGE_TEXT, Buffer.from(`<p>${PAGE_TEXT}</p>`)],
  ] as const) {
    const { callId } = await made.ask({ operation: 'read', arguments: {} });
    const body = { taskId: made.task.taskId, result: blobIn(mimeType, bytes) };
    expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, body));
    const { outbound } = await made.ask({ arguments: { to: 'me', body: text } });
    assert.deepEqual(outbound.arguments, { to: 'me' }, mimeType);
  }
});

test('detect: the same after a restart, from the payload records', async (t) => {
  const first = await startService();
  await activatePolicy(first);
  const made = await scene(first);
  const source = await respond(first, made, SECRET_TEXT);
  const context = [
    { id: 'i', source: 'crm/1', level: 'internal', content: 'an admitted item of context with its own words' },
  ];
  await made.ask({ arguments: { to: 'me' }, context });
  await first.stop('keep');
  const again = await startService({ dataDir: first.dataDir });
  t.after(() => again.stop());
  const { capability } = made.task.pins[0];
  const ask = async (body: string) =>
    expecting(
      200,
      await again.call(
        'host',
        'POST',
        '/v1/calls/authorize',
        callBody(made.task, { capability, operation: 'send', arguments: { to: 'me', body } }),
      ),
    );
  assert.deepEqual((await ask(SECRET_TEXT)).outbound.arguments, { to: 'me' });
  const { outbound } = await ask('see an admitted item of context with its own words');
  assert.deepEqual(outbound.labels, [
    { path: '/arguments/body', level: 'internal', categories: [], source: outbound.labels[0].source },
  ]);
  assert.ok(source);
});

test('detect: text that an agent copies from the envelope as it is shown keeps its label, also after a restart', async (t) => {
  const first = await startService();
  await activatePolicy(first);
  // A read needs no approval in a task that is tainted.
  const made = await scene(first, mail({ needs, effects: ['read'] }));
  const { callId } = await made.ask({ operation: 'read', arguments: {} });
  const text = `Notes. ${OVERRIDE} ${SPLIT}`;
  const body = { taskId: made.task.taskId, result: { content: [{ type: 'text', text }] } };
  const answer = expecting(200, await first.call('host', 'POST', `/v1/calls/${callId}/response`, body));
  const [{ part, span }] = answer.content.flagged;
  const shown = answer.content.parts[part].text as string;
  const quoted = shown.slice(span[0], span[1]);
  assert.match(quoted, /^\S{32,}$/, 'it is marked');
  const cleaned = SPLIT.replaceAll('\u200b', '');
  assert.ok(shown.includes(cleaned), 'it is cleaned');
  const { capability } = made.task.pins[0];
  const labelsOn = async (on: TestService, copied: string) => {
    const asked = { capability, operation: 'send', arguments: { to: 'me', body: copied } };
    const { outbound } = expecting(
      200,
      await on.call('host', 'POST', '/v1/calls/authorize', callBody(made.task, asked)),
    );
    return outbound.arguments;
  };
  for (const copied of [quoted, cleaned]) assert.deepEqual(await labelsOn(first, copied), { to: 'me' }, copied);
  await first.stop('keep');
  const again = await startService({ dataDir: first.dataDir });
  t.after(() => again.stop());
  for (const copied of [quoted, cleaned]) assert.deepEqual(await labelsOn(again, copied), { to: 'me' }, copied);
});

test('an item of a call that was denied before its filter keeps its level for what is derived from it, also after a restart', async (t) => {
  let on = await startService();
  t.after(() => on.stop());
  await activatePolicy(on);
  const at = await scene(on);
  const denied = { id: 'z', source: 'crm/ada', level: 'restricted', content: 'The whole file of Ada.' };
  const { reason } = await at.ask({ arguments: { to: 7 }, context: [denied] });
  assert.equal(reason, 'arguments_invalid');
  const summary = { id: 's', source: 'crm/ada', level: 'internal', content: 'Ada is fine.', derivedFrom: ['z'] };
  const refusals = async () => (await at.ask({ arguments: { to: 'x' }, context: [summary] })).outbound.refusals;
  const refusedItem = [{ path: '/context/0', reason: 'context_above_sensitivity' }];
  assert.deepEqual(await refusals(), refusedItem);
  await on.stop('keep');
  on = await startService({ dataDir: on.dataDir });
  const again = { ...callBody(at.task, { capability: at.task.pins[0].capability, operation: 'send' }) };
  const body = { ...again, callId: randomUUID(), arguments: { to: 'y' }, context: [summary] };
  const { outbound } = expecting(200, await on.call('host', 'POST', '/v1/calls/authorize', body));
  assert.deepEqual(outbound.refusals, refusedItem);
});

test('strict: an argument without a stated level has the highest label of the task, which needs an approval', async () => {
  const made = await scene(strict);
  assert.equal((await made.ask({ arguments: { to: 'me', body: 'hi' } })).outbound.arguments.body, 'hi');
  await respond(strict, made, 'short');
  const labels = [
    { path: '/to', level: 'public' },
    { path: '/body', level: 'public' },
  ];
  const { outbound } = await made.ask({ arguments: { to: 'me', body: 'hi' }, labels });
  assert.deepEqual(outbound.arguments, { to: 'me', body: 'hi' }, 'the word of the host');
  const body = { callId: randomUUID(), arguments: { to: 'me', body: 'hi' } };
  const { reason, approval } = await made.ask(body);
  assert.deepEqual([reason, approval.by, approval.why], ['approval_required', 'other', ['flow']]);
});

test('strict: the word of the host does not lower the label of content that it repeats', async () => {
  const made = await scene(strict);
  await respond(strict, made, SECRET_TEXT);
  const labels = ['/to', '/body'].map((path) => ({ path, level: 'public' }));
  const { outbound } = await made.ask({ arguments: { to: 'me', body: SECRET_TEXT }, labels });
  assert.deepEqual(outbound.arguments, { to: 'me' });
});

test('detect: a member whose name repeats a response is taken out, and no record has the name', async () => {
  const made = await scene(service);
  await respond(service, made, SECRET_TEXT);
  const { outbound } = await made.ask({ arguments: { to: 'me', extra: { [SECRET_TEXT]: 1, own: 2 } } });
  assert.deepEqual(outbound.arguments, { to: 'me', extra: { own: 2 } });
  assert.ok(!(await recordedIn(made)).includes(SECRET_TEXT));
});

test('categories of the host reach no event with a secret or personal data in them', async () => {
  const made = await scene(service, mail({ needs }, 'restricted'));
  const context = [
    { id: 'a', source: 'crm/1', categories: [MAIL, KEY], content: 'x' },
    { id: 'b', source: 'crm/2', derivedFrom: ['a'], content: 'y' },
  ];
  const labels = [{ path: '/body', level: 'internal', categories: [MAIL, KEY] }];
  assert.equal((await made.ask({ arguments: { to: 'me', body: 'hi' }, context, labels })).decision, 'allow');
  const text = await recordedIn(made);
  for (const canary of [MAIL, KEY]) assert.ok(!text.includes(canary), canary);
});

test('two items with one id are refused, with the place of the second', async () => {
  const made = await scene(service);
  const { capability } = made.task.pins[0];
  const context = ['a', 'b', 'a'].map((id) => ({ id, source: 'crm/1', content: 'x' }));
  const body = callBody(made.task, { capability, operation: 'send', arguments: { to: 'me' }, context });
  const answer = await service.call('host', 'POST', '/v1/calls/authorize', body);
  refused(400, 'malformed_request', answer);
  assert.equal(answer.body.errors[0].path, '/context/2/id');
});

test('large content is filtered like small content', async () => {
  const made = await scene(service, mail({ needs: { arguments: ['/to', '/body'] } }));
  const body = `${'words and more words. '.repeat(2000)}${KEY}`;
  const { outbound } = await made.ask({ arguments: { to: 'me', body, cc: 'x' } });
  assert.ok(!outbound.arguments.body.includes(KEY));
  assert.equal(outbound.arguments.body.length > 40_000, true);
  assert.deepEqual(Object.keys(outbound.arguments).sort(), ['body', 'to']);
});

test('a label whose path is no pointer is refused, and the message says what a path is', async () => {
  const { task } = await scene(service);
  const body = callBody(task, {
    operation: 'send',
    arguments: { to: 'me' },
    labels: [{ path: 'to', level: 'internal' }],
  });
  const [error] = refused(
    400,
    'malformed_request',
    await service.call('host', 'POST', '/v1/calls/authorize', body),
  ).errors;
  assert.deepEqual([error.path, /JSON Pointer/.test(error.message)], ['/labels/0/path', true]);
});

test('a manifest is refused for a pointer that the schema lacks, and for a type that no rule finds', async () => {
  const propose = (bad: Answered) =>
    service.call('registrar', 'POST', '/v1/capabilities', registration(`cap-${randomUUID()}`, mail({ needs: bad })));
  refused(400, 'malformed_request', await propose({ arguments: ['/nowhere'] }));
  refused(400, 'malformed_request', await propose({ arguments: ['no-pointer'] }));
  const unknownType = await propose({ arguments: [{ path: '/to', accepts: ['pii:email', 'pii:nothing'] }] });
  const [typeError] = refused(400, 'malformed_request', unknownType).errors;
  assert.match(typeError.path, /\/operations\/send\/needs\/arguments\/0\/accepts\/1$/);
  assert.match(typeError.message, /docs\/reference\/detectors\.md/);
  const [memberError] = refused(400, 'malformed_request', await propose({ argument: ['/to'] })).errors;
  assert.match(`${memberError.path} ${memberError.message}`, /\/operations\/send\/needs has unknown fields: argument$/);
  refused(400, 'malformed_request', await propose({ context: ['a*b'] }));
  expecting(201, await propose({ arguments: ['/extra/*'], context: ['*'] }));
});
