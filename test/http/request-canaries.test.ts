import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { runEventsLane } from '../../libs/relay/events-lane.js';
import { until } from '../relay/ground.js';
import { memoryTopic } from '../relay/memory-topic.js';
import { newCapability, scopeOf } from '../support/actors.js';
import { addApprover, decideApproval } from '../support/approvals.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask, proposal } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Secrets and personal data in each field of a request reach no server, event, log line, copy of an event or error. */

const lines: string[] = [];
let service: TestService;
before(async () => {
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  service = await startService({ logger, sealing: undefined });
  await activatePolicy(service);
});
after(() => service.stop());

const luhn = (digits: string): string => {
  const sum = Array.from(digits)
    .reverse()
    .map((digit, index) => (index % 2 === 0 ? Number(digit) * 2 : Number(digit)))
    .reduce((total, each) => total + (each > 9 ? each - 9 : each), 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
};
const iban = (account: string): string => `DE${98n - (BigInt(`${account}131400`) % 97n)}${account}`.padEnd(22, '0');

let made = 0;

/** Canaries, each made once and known by its place. */
class Canaries {
  readonly places = new Map<string, string>();

  private next(place: string, value: (mark: string) => string): string {
    made += 1;
    const canary = value(String(1000 + made));
    this.places.set(canary, place);
    return canary;
  }

  secret = (place: string): string =>
    this.next(place, (mark) => `ghp_c${mark}${'a1B2c3D4e5F6'.repeat(3).slice(0, 31)}`);
  email = (place: string): string => this.next(place, (mark) => `ca${mark}@lovelace-analytics.org`);
  card = (place: string): string => this.next(place, (mark) => luhn(`4${mark}0000002222`));
  iban = (place: string): string => this.next(place, (mark) => iban(`37040044053${mark}777`));

  /** All kinds of them. */
  text = (place: string): string =>
    `see ${this.secret(place)} or ${this.email(place)}, ${this.card(place)} and ${this.iban(place)}.`;

  /** The places of canaries that a text has. */
  in(text: string): string[] {
    return [...this.places].filter(([canary]) => text.includes(canary)).map(([canary, place]) => `${place}: ${canary}`);
  }
}

const schema = {
  type: 'object',
  properties: {
    to: { type: 'string' },
    body: { type: 'string' },
    cc: { type: 'string' },
    extra: { type: 'object' },
    list: { type: 'array' },
    count: {},
    strict: { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false },
  },
};
const mail = (): Answered => {
  const { manifest, ...rest } = proposal();
  const needs = { arguments: ['/to', '/body', '/extra', '/list', '/count', '/strict'], context: ['*'] };
  const operations = {
    send: { effects: ['write'], needs },
    narrow: { effects: ['read'], needs: { context: ['crm'] } },
  };
  const tools = ['send', 'narrow'].map((name) => ({ name, inputSchema: schema }));
  return { ...rest, definition: { tools }, manifest: { ...manifest, operations } };
};

const argumentsOf = ({ text, secret, card, email }: Canaries): Answered => ({
  to: text('argument'),
  body: JSON.stringify({ deep: { in: text('JSON text') } }),
  cc: text('argument that is not needed'),
  hidden: text('argument that is not declared'),
  [secret('name that is not declared')]: 1,
  count: Number(card('number')),
  extra: { a: [{ b: { c: [text('deep argument')] } }], [`${email('deep name')} ${secret('deep name')}`]: 1 },
  list: [text('item'), { [text('name in an item')]: text('value of it') }],
});

const contextOf = ({ text, secret, email }: Canaries): Answered[] => [
  {
    id: `i ${secret('id')} ${email('id')}`,
    source: `crm ${text('source')}`,
    level: 'internal',
    categories: [secret('category'), email('category')],
    mimeType: `text/${secret('mimeType')}`,
    content: text('content'),
    derivedFrom: [secret('derivedFrom')],
  },
  {
    id: `j ${text('id')}`,
    source: text('source'),
    level: 'restricted',
    content: text('content above the sensitivity'),
  },
  {
    id: `k ${text('id')}`,
    source: 'crm',
    level: 'internal',
    content: text('content that is too large').padEnd(70_000),
  },
];

const labelsOf = ({ text, secret, email }: Canaries): Answered[] => [
  { path: '/body', level: 'internal', categories: [secret('category'), email('category')], source: text('source') },
  { path: `/extra/${secret('path')}`, level: 'restricted', categories: [email('category')] },
];

async function scene(approve?: Answered) {
  const capability = await newCapability(service, mail());
  const task = await openTask(service, { scope: scopeOf(capability), approve });
  const ask = (more: Answered, headers: Record<string, string> = {}) => {
    const body = callBody(task, { capability, operation: 'send', ...more });
    return service.call('host', 'POST', '/v1/calls/authorize', body, headers);
  };
  return { task, ask };
}

test('what is redacted, refused or taken out is in nothing that leaves', async (t) => {
  const topic = memoryTopic();
  const { control, clock, stores } = service.service;
  const parts = { log: stores.log, clock, time: control.time, holder: randomUUID(), exclusive: false, takeoverMs: 200 };
  const lane = runEventsLane(parts, topic, { source: 'urn:test', checkpointMs: 50 });
  t.after(() => lane.stop());
  const canaries = new Canaries();
  const { text, secret } = canaries;
  const headers = { 'user-agent': text('header'), tracestate: secret('header'), 'x-request-id': secret('header') };
  const { task, ask } = await scene({ effects: ['write'], by: 'other' });
  const bob = await addApprover(service, 'bob');

  const body = { arguments: argumentsOf(canaries), context: contextOf(canaries), labels: labelsOf(canaries) };
  const { approval } = expecting(200, await ask(body, headers));
  expecting(200, await decideApproval(service, bob, approval.id, 'granted', `fine: ${text('reason')}`));
  const { reason, outbound, callId } = expecting(200, await ask(body, headers));
  assert.equal(reason, 'ok');
  assert.deepEqual(canaries.in(JSON.stringify(outbound)), []);
  const required = { ...body.context[1], required: true };
  const denied = expecting(200, await ask({ operation: 'narrow', arguments: {}, context: [required] }));
  assert.equal(denied.reason, 'context_not_needed');
  const strict = { a: 1, [secret('name that the schema refuses')]: 1, [canaries.email('name that it refuses')]: {} };
  const invalid = expecting(200, await ask({ arguments: { strict, [secret('name')]: 1 }, explain: true }));
  assert.equal(invalid.reason, 'arguments_invalid');
  assert.deepEqual(canaries.in(JSON.stringify([denied, invalid])), []);
  const unknown = expecting(200, await ask({ ...body, version: '9.9.9' }));
  assert.equal(unknown.decision, 'deny');

  await until(() => topic.records.some(({ value }) => value.includes(unknown.callId)));
  const get = async (path: string, who: 'auditor' | 'admin' = 'auditor') =>
    JSON.stringify(expecting(200, await service.call(who, 'GET', path)));
  const recorded = await stores.log.readAll({ after: 0n, limit: 10_000 });
  const told = {
    events: recorded.map(({ json }) => json).join(),
    listed: await get('/v1/audit/events?limit=1000'),
    ocsf: await get('/v1/audit/events?format=ocsf&limit=1000'),
    kafka: topic.records.map(({ value, headers: sent }) => `${value}${JSON.stringify(sent)}`).join(),
    calls: await get('/v1/audit/calls'),
    tasks: await get('/v1/audit/tasks'),
    approvals: await get('/v1/approvals'),
    exposure: await get(`/v1/audit/exposure?capability=${task.pins[0].capability}`),
    bundle: await get(`/v1/audit/traces/${task.traceId}/bundle?content=omit`),
    logs: lines.join(),
  };
  for (const [where, each] of Object.entries(told)) assert.deepEqual(canaries.in(each), [], where);
  for (const each of [told.events, told.kafka, told.ocsf, told.bundle]) assert.ok(each.includes(callId));
});

test('the refusal of a request does not repeat it', async () => {
  const canaries = new Canaries();
  const { text, secret } = canaries;
  const { task, ask } = await scene();
  const whole = { arguments: argumentsOf(canaries), context: contextOf(canaries), labels: labelsOf(canaries) };
  const [item] = whole.context;
  const bodies: Answered[] = [
    { callId: secret('callId') },
    { taskId: secret('taskId') },
    { capability: text('capability') },
    { version: text('version') },
    { instanceId: secret('instanceId') },
    { arguments: text('arguments') },
    { context: [{ ...item, level: secret('level') }] },
    { context: [{ ...item, categories: [text('category').padEnd(200)] }] },
    { context: [item, item] },
    { context: { [secret('name')]: 1 } },
    { labels: [{ path: text('path'), level: 'internal' }] },
    { labels: [{ path: '/body', level: text('level') }] },
    { approval: { grade: secret('grade'), at: text('at') } },
    { observed: { definitionDigest: secret('digest'), server: { method: secret('method') } } },
  ];
  for (const body of bodies) {
    const answer = await ask({ ...whole, ...body });
    // A decision tells its host which item to summarise, by the id that the host gave it.
    const told = answer.status === 200 ? { ...answer.body, obligations: [] } : answer.body;
    assert.deepEqual(canaries.in(JSON.stringify(told)), [], JSON.stringify(Object.keys(body)));
  }
  const path = `/v1/approvals/${randomUUID()}/decide`;
  for (const body of [{ verdict: secret('verdict') }, { verdict: 'granted', reason: text('reason').padEnd(3000) }]) {
    const answer = await service.call('approver', 'POST', path, body);
    assert.deepEqual(canaries.in(JSON.stringify(answer.body)), []);
  }
  const traceparent = { traceparent: secret('traceparent') };
  assert.deepEqual(canaries.in(JSON.stringify((await ask(whole, traceparent)).body.errors ?? [])), []);
  assert.deepEqual(canaries.in(lines.join()), [], 'log lines');
  const events = (await service.service.stores.log.readAll({ after: 0n, limit: 10_000 })).map(({ json }) => json);
  assert.deepEqual(canaries.in(events.join()), [], task.taskId);
});
