import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { parseEvent } from '../../libs/event-log/event.js';
import { newCapability, scopeOf } from '../support/actors.js';
import { canonicalJson, type Json } from '../../libs/kernel/canonical-json.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, MEMORY_DEFINITION, openTask, readyWorld } from '../support/world.js';
import { cooked, recipes } from './mutations.js';
import { whyNotAllowed } from './rightness.js';
import { TRICKS } from './tricks.js';
import { FUZZ_RUNS, FUZZ_SEED, fuzzing } from './settings.js';
import { isSound, isWell, wireTo, type Wire } from './wire.js';
import { after, before, test } from '../support/testing.js';

/** A refusal outside of any task is paced, so a run that makes many of them hears of it. */
const RUNS = FUZZ_RUNS * 15;

let service: TestService;
let wire: Wire;
let task: Answered;
before(async () => {
  service = await startService();
  wire = wireTo(service.url);
  await readyWorld(service);
  task = await openTask(service);
});
after(async () => {
  wire.close();
  await service.stop();
});

/** Ways to ask for the same: with nothing that is optional, and with all of it. */
const FORMS: readonly ((body: Answered) => Answered)[] = [
  (body) => body,
  (body) => ({
    ...body,
    version: '1.0.0',
    instanceId: randomUUID(),
    explain: true,
    context: [{ id: 'c', source: 'chat', level: 'internal', categories: ['pii'], content: 'said' }],
  }),
];

const authorize = (bytes: Buffer, headers: Readonly<Record<string, string>>) =>
  wire.send('POST', '/v1/calls/authorize', { authorization: `Bearer ${service.tokens.host}`, ...headers }, bytes);

/** Sends it, and holds what is true of every answer; the decision, or nothing where there was none. */
async function judged(bytes: Buffer, headers: Readonly<Record<string, string>>, task: Answered): Promise<Answered> {
  const reply = await authorize(bytes, headers);
  isSound(reply);
  if (reply.status !== 200) return {};
  const { decision, outbound, reason } = reply.body;
  assert.notEqual(reason, 'internal_error');
  if (decision === 'allow') {
    assert.equal(whyNotAllowed(bytes, task), undefined);
    // As JCS tells values apart: -0 is 0 there.
    // The filter takes out members that the schema does not declare.
    const { arguments: asked }: Answered = JSON.parse(bytes.toString());
    for (const [name, sent] of Object.entries(outbound.arguments)) {
      assert.equal(canonicalJson(sent as Json), canonicalJson(asked[name]));
    }
    assert.deepEqual(outbound.context, []);
  }
  return reply.body;
}

test('nothing is allowed but a call that is right, and what is right is still allowed', async () => {
  const counts = { allow: 0, deny: 0, problem: 0 };
  const allowed = new Set<string>();
  const property = fc.asyncProperty(recipes, fc.constantFrom(...FORMS), async (recipe, form) => {
    const { bytes, headers } = cooked(form(callBody(task)), recipe);
    const { decision = 'problem', callId } = await judged(bytes, headers, task);
    counts[decision as keyof typeof counts] += 1;
    if (decision === 'allow') allowed.add(callId);
  });
  await fc.assert(property, fuzzing(RUNS));
  console.log(`authorize: seed ${FUZZ_SEED}, ${JSON.stringify(counts)}, slowest ${wire.slowestMs().toFixed(0)} ms`);
  assert.ok(counts.allow > 0 && counts.deny > 0 && counts.problem > 0, JSON.stringify(counts));
  await isWell(service);

  // The log tells the same: no allow was recorded that was not answered.
  const recorded = await service.service.stores.log.read(`calls-${task.taskId}`);
  for (const { json } of recorded) {
    const { decision, callId } = parseEvent(json).data as { decision: string; callId: string };
    if (decision === 'allow') assert.ok(allowed.has(callId), callId);
  }
  for (const form of FORMS) {
    const bytes = Buffer.from(JSON.stringify(form(callBody(task))));
    assert.equal(whyNotAllowed(bytes, task), undefined);
    const reply = await authorize(bytes, { 'content-type': 'application/json' });
    assert.equal(reply.body.decision, 'allow', JSON.stringify(reply.body));
  }
});

for (const [name, args] of Object.entries(TRICKS)) {
  test(`a call is not allowed with ${name} in its arguments`, async () => {
    const text = JSON.stringify(callBody(task, { arguments: { HERE: 1 } }));
    const [head = '', tail = ''] = text.split('{"HERE":1}');
    const bytes = Buffer.concat([Buffer.from(head), Buffer.from(args), Buffer.from(tail)]);
    assert.notEqual(whyNotAllowed(bytes, task), undefined);
    const answer = await judged(bytes, { 'content-type': 'application/json' }, task);
    assert.notEqual(answer.decision, 'allow');
  });
}

test('a call that brings a whole definition is allowed with the pinned one alone', async () => {
  const reasons = new Set<string>();
  const property = fc.asyncProperty(recipes, async (recipe) => {
    // A definition that differs suspends the version, so each run has a capability of its own.
    const capability = await newCapability(service);
    const own = await openTask(service, { scope: scopeOf(capability) });
    const { observed, ...body } = callBody(own, { capability });
    const whole = { observed: { server: observed.server, definition: MEMORY_DEFINITION }, ...body };
    const { bytes, headers } = cooked(whole, recipe);
    reasons.add((await judged(bytes, headers, own)).reason);
  });
  await fc.assert(property, fuzzing());
  assert.ok(reasons.has('definition_drifted'), [...reasons].join());
  await isWell(service);
});
