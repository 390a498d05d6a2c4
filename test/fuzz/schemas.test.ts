import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { scopeOf, unique } from '../support/actors.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { approve, callBody, openTask, readyWorld, registration } from '../support/world.js';
import {
  HOSTILE_DEFINITIONS,
  LINEAR_PATTERNS,
  REFUSED_PATTERNS,
  REFUSED_SCHEMAS,
  schemas,
  versionOf,
  versionWith,
} from './hostile.js';
import { FUZZ_SEED, fuzzing } from './settings.js';
import { isSound, isWell, wireTo, type Reply, type Wire } from './wire.js';

/** Ten times what vetting may take, because the machine may be busy; what it took is printed. */
const VETTING_MS = 1000;

let service: TestService;
let wire: Wire;
before(async () => {
  service = await startService();
  wire = wireTo(service.url);
  await readyWorld(service);
});
after(async () => {
  console.log(`schemas: seed ${FUZZ_SEED}, slowest answer ${wire.slowestMs().toFixed(0)} ms`);
  wire.close();
  await service.stop();
});

async function post(who: 'registrar' | 'host', path: string, body: Answered): Promise<Reply> {
  const headers = { authorization: `Bearer ${service.tokens[who]}`, 'content-type': 'application/json' };
  const reply = await wire.send('POST', path, headers, Buffer.from(JSON.stringify(body)));
  isSound(reply);
  return reply;
}

const register = (id: string, version: Answered) => post('registrar', '/v1/capabilities', registration(id, version));

async function isRefused(version: Answered): Promise<number> {
  const id = unique('cap');
  const { status, ms } = await register(id, version);
  assert.ok(status === 400 || status === 413, `status ${status}`);
  assert.ok(ms < VETTING_MS, `took ${ms} ms`);
  assert.equal((await service.call('auditor', 'GET', `/v1/capabilities/${id}`)).status, 404);
  return ms;
}

/** Registers, reviews and calls a capability; the answers to a call with each of the arguments. */
async function called(version: Answered, ...args: Answered[]): Promise<Answered[]> {
  const capability = unique('cap');
  assert.equal((await register(capability, version)).status, 201);
  await approve(service, capability);
  const task = await openTask(service, { scope: scopeOf(capability) });
  const answers: Answered[] = [];
  for (const each of args) {
    const { body } = await post('host', '/v1/calls/authorize', callBody(task, { capability, arguments: each }));
    assert.notEqual(body.reason, 'internal_error');
    answers.push(body);
  }
  return answers;
}

test('a pattern that could run away is refused at registration, at once', async () => {
  let slowestMs = 0;
  for (const pattern of REFUSED_PATTERNS) {
    const schema = { type: 'object', properties: { key: { type: 'string', pattern } } };
    slowestMs = Math.max(slowestMs, await isRefused(versionWith(schema)));
    slowestMs = Math.max(slowestMs, await isRefused(versionWith({ patternProperties: { [pattern]: true } })));
  }
  console.log(`patterns are refused within ${slowestMs.toFixed(0)} ms`);
});

test('a pattern that hangs other engines is decided on in time', async () => {
  for (const pattern of LINEAR_PATTERNS) {
    const schema = { type: 'object', properties: { key: { type: 'string', pattern } }, required: ['key'] };
    const [worst] = await called(versionWith(schema), { key: `${'a'.repeat(20_000)}!` });
    assert.deepEqual([worst.decision, worst.reason], ['deny', 'arguments_invalid'], pattern);
  }
  assert.ok(wire.slowestMs() < VETTING_MS * 2, `${wire.slowestMs()} ms`);
});

for (const [name, schema] of Object.entries(REFUSED_SCHEMAS)) {
  test(`a schema is refused: ${name}`, async () => {
    await isRefused(versionWith(schema));
    await isRefused(versionWith({ type: 'object', properties: { a: schema } }));
  });
}

for (const [name, definition] of Object.entries(HOSTILE_DEFINITIONS)) {
  test(`a definition is refused, and denied as an observation: ${name}`, async () => {
    await isRefused(versionOf(definition));
    const task = await openTask(service);
    const body = callBody(task);
    const observed = { server: body.observed.server, definition };
    const { status, body: answer } = await post('host', '/v1/calls/authorize', { ...body, observed });
    assert.ok(status === 400 || answer.decision === 'deny', `${status} ${answer.decision}`);
  });
}

test('whatever schema is taken can be decided on', async () => {
  const counts = { taken: 0, refused: 0 };
  const property = fc.asyncProperty(schemas, fc.jsonValue({ maxDepth: 2 }), async (schema, value) => {
    const wide = { ...(typeof schema === 'object' ? schema : { allOf: [schema] }) };
    const { status } = await register(unique('cap'), versionWith(wide));
    counts[status === 201 ? 'taken' : 'refused'] += 1;
    if (status !== 201) return;
    await called(versionWith(wide), {}, { key: value }, { a: value, key: 'a', constructor: value });
  });
  await fc.assert(property, fuzzing());
  assert.ok(counts.taken > 0 && counts.refused > 0, JSON.stringify(counts));
  await isWell(service);
});
