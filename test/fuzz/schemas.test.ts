import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import * as fc from 'fast-check';
import { whyUnvettable } from '../../libs/content/schema/schema-vetting.js';
import type { Json } from '../../libs/kernel/canonical-json.js';
import { parseStrictJson } from '../../libs/kernel/strict-json.js';
import { scopeOf, unique } from '../support/actors.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { approve, callBody, openTask, readyWorld, registration } from '../support/world.js';
import {
  HOSTILE_DEFINITIONS,
  LARGEST_SCHEMAS,
  LINEAR_PATTERNS,
  REFUSED_PATTERNS,
  REFUSED_SCHEMAS,
  schemas,
  versionOf,
  versionWith,
} from './hostile.js';
import { FUZZ_SEED, fuzzing } from './settings.js';
import { TRICKS } from './tricks.js';
import { isSound, isWell, wireTo, type Reply, type Wire } from './wire.js';
import { after, before, test } from '../support/testing.js';

/** The longest time for vetting. */
const VETTING_MS = 100;
/** By the clock, where a machine that is busy may be slow. */
const ANSWER_MS = 2000;

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

const post = (who: 'registrar' | 'reviewer' | 'host', path: string, body: Answered): Promise<Reply> =>
  posted(who, path, Buffer.from(JSON.stringify(body)));

async function posted(who: 'registrar' | 'reviewer' | 'host', path: string, body: Buffer): Promise<Reply> {
  const headers = { authorization: `Bearer ${service.tokens[who]}`, 'content-type': 'application/json' };
  const reply = await wire.send('POST', path, headers, body);
  isSound(reply);
  return reply;
}

const register = (id: string, version: Answered) => post('registrar', '/v1/capabilities', registration(id, version));

/** Milliseconds of work that a registration took, of all threads: on a busy machine it may take longer by the clock. */
async function measured(id: string, version: Answered): Promise<{ status: number; ms: number }> {
  const earlier = process.cpuUsage();
  const { status } = await register(id, version);
  const { user, system } = process.cpuUsage(earlier);
  return { status, ms: (user + system) / 1000 };
}

async function isRefused(version: Answered): Promise<void> {
  const id = unique('cap');
  const { status } = await measured(id, version);
  assert.ok(status === 400 || status === 413, `status ${status}`);
  assert.equal((await service.call('auditor', 'GET', `/v1/capabilities/${id}`)).status, 404);
}

/** A server's schema that cannot be vetted is taken, and not approved without its exception by name. */
async function isUnenforced(version: Answered): Promise<number> {
  const id = unique('cap');
  const { status, ms } = await measured(id, version);
  if (status === 413) return ms;
  assert.equal(status, 201);
  const path = `/v1/capabilities/${id}/versions/${version.version}/review`;
  const body = { verdict: 'approved', reason: 'r', exceptions: ['signature_missing'] };
  const answer = await post('reviewer', path, body);
  assert.deepEqual([answer.status, answer.body.code], [409, 'exception_required']);
  assert.deepEqual(answer.body.needed, ['schema_unenforced:recall']);
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

test('a pattern that could run away is not approved without its exception, and refused at once', async () => {
  const refusedMs: number[] = [];
  for (const pattern of REFUSED_PATTERNS) {
    const schema = { type: 'object', properties: { key: { type: 'string', pattern } } };
    for (const version of [versionWith(schema), versionWith({ patternProperties: { [pattern]: true } })]) {
      // The second time nothing else, as a collection of what came before, is likely to have been counted with it.
      const ms = Math.min(await isUnenforced(version), await isUnenforced(version));
      assert.ok(ms < VETTING_MS, `${pattern.slice(0, 40)} took ${ms} ms`);
      refusedMs.push(ms);
    }
  }
  console.log(`patterns are refused within ${Math.max(...refusedMs).toFixed(0)} ms`);
});

test('a pattern that hangs other engines is decided on in time', async () => {
  for (const pattern of LINEAR_PATTERNS) {
    const schema = { type: 'object', properties: { key: { type: 'string', pattern } }, required: ['key'] };
    const [worst] = await called(versionWith(schema), { key: `${'a'.repeat(20_000)}!` });
    assert.deepEqual([worst.decision, worst.reason], ['deny', 'arguments_invalid'], pattern);
  }
  assert.ok(wire.slowestMs() < ANSWER_MS, `${wire.slowestMs()} ms`);
});

for (const [name, schema] of Object.entries(REFUSED_SCHEMAS)) {
  test(`a schema is not approved without its exception: ${name}`, async () => {
    await isUnenforced(versionWith(schema));
    await isUnenforced(versionWith({ type: 'object', properties: { a: schema } }));
  });
}

for (const [name, schema] of Object.entries(LARGEST_SCHEMAS)) {
  test(`a schema is taken and decided on: ${name}`, async () => {
    const [answer] = await called(versionWith({ type: 'object', ...schema }), { key: 'a' });
    assert.equal(answer.decision, 'allow', JSON.stringify(answer));
  });
}

for (const [name, trick] of Object.entries(TRICKS)) {
  const bytes = Buffer.from(trick);
  if (isUtf8(bytes) && parseStrictJson(bytes.toString(), 64).ok) continue;
  test(`a registration is refused with ${name} in a schema`, async () => {
    const id = unique('cap');
    const version = versionWith({ type: 'object', default: { HERE: 1 } });
    const [head = '', tail = ''] = JSON.stringify(registration(id, version)).split('{"HERE":1}');
    const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from(tail)]);
    const { status } = await posted('registrar', '/v1/capabilities', body);
    assert.ok(status === 400 || status === 413, `status ${status}`);
    assert.equal((await service.call('auditor', 'GET', `/v1/capabilities/${id}`)).status, 404);
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
    const refusal = whyUnvettable(wide as Json);
    counts[refusal === undefined ? 'taken' : 'refused'] += 1;
    if (refusal !== undefined) return void (await isUnenforced(versionWith(wide)));
    await called(versionWith(wide), {}, { key: value }, { a: value, key: 'a', constructor: value });
  });
  await fc.assert(property, fuzzing());
  assert.ok(counts.taken > 0 && counts.refused > 0, JSON.stringify(counts));
  await isWell(service);
});
