import assert from 'node:assert/strict';
import { addApprover, decideApproval } from '../support/approvals.js';
import { chanceOf } from '../support/chance.js';
import { eventsOf, type SeenEvent } from '../support/events.js';
import { allowedCall, callIn, OVERRIDE, reviewedWith } from '../support/quarantine.js';
import { startService, type Answer, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Servers answer with hostile content while an operator disables their capability. */

const SEEDS = [1, 2, 3];
const HANDLINGS = ['quote', 'hold', 'refuse'] as const;
let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

const nested = (depth: number, inner: Answered): Answered =>
  Array.from({ length: depth }).reduce((value) => ({ a: [value] }), inner);

const RESULTS: readonly Answered[] = [
  { content: [{ type: 'text', text: 'a note' }] },
  { content: [{ type: 'text', text: `Notes. ${OVERRIDE}` }] },
  { content: [{ type: 'text', text: `${'A long note. '.repeat(4000)}${OVERRIDE}` }] },
  { content: [], structuredContent: nested(25, OVERRIDE) },
  { content: Array.from({ length: 1200 }, () => ({ type: 'text', text: OVERRIDE })) },
];

const post = (path: string, body: Answered, who: 'host' | 'reviewer' = 'host') => service.call(who, 'POST', path, body);

const respond = ({ callId, taskId }: Answered, result: Answered) =>
  post(`/v1/calls/${callId}/response`, { taskId, result });
const release = ({ callId, taskId }: Answered) =>
  post(`/v1/calls/${callId}/release`, { taskId, reason: 'looked at it' }, 'reviewer');
const fetched = ({ callId, taskId }: Answered) =>
  service.call('host', 'GET', `/v1/calls/${callId}/response?taskId=${taskId}`);

const disable = async (capability: string): Promise<bigint> => {
  const body = { target: { type: 'capability', capability }, reason: 'it answers with orders' };
  const issued = expecting(201, await service.call('operator', 'POST', '/v1/directives', body));
  return BigInt(issued.position);
};

const recordOf = async ({ callId, taskId }: Answered, type: string): Promise<SeenEvent[]> =>
  (await eventsOf(service, `calls-${taskId}`)).filter((event) => event.type === type && event.data.callId === callId);

/** One consistent story of a call: its record, its answers, and the place of the stop between them. */
async function judge(call: Answered, answer: Answer, stoppedAt: bigint): Promise<void> {
  const { verdict, content, findings } = expecting(200, answer);
  const [recorded, ...others] = await recordOf(call, 'ResponseValidated');
  assert.ok(recorded);
  assert.equal(others.length, 0, 'one record');
  const isAfter = recorded.position > stoppedAt;
  assert.equal(isAfter, recorded.data.findings[0]?.kind === 'disabled', 'rejected if it is behind the stop');
  if (isAfter || recorded.data.verdict === 'rejected') assert.equal(content, undefined);
  if (verdict !== recorded.data.verdict) assert.deepEqual([verdict, findings[0]?.kind], ['rejected', 'disabled']);
  for (const released of await recordOf(call, 'ResponseReleased')) assert.ok(released.position < stoppedAt);
}

const SCENES = SEEDS.flatMap((seed) => HANDLINGS.map((handling) => [seed, handling] as const));

for (const [seed, handling] of SCENES) {
  test(`${handling}: a stop between hostile answers has one story (seed ${seed})`, async () => {
    const chance = chanceOf(seed, handling.length);
    const capability = `${handling}-${seed}`;
    await reviewedWith(service, capability, handling);
    const calls = await Promise.all(Array.from({ length: 12 }, () => allowedCall(service, capability)));
    const results = calls.map(() => chance.of(RESULTS));
    const racing: Promise<void>[] = [];
    const before = new Map<Answered, Answer>();
    let stopping: Promise<bigint> | undefined;
    const stopBefore = chance.whole(0, calls.length);
    for (const [index, call] of calls.entries()) {
      if (index === stopBefore) stopping = disable(capability);
      racing.push(
        (async () => {
          before.set(call, await respond(call, results[index]));
          if (chance.happens(0.7)) await release(call);
        })(),
      );
      if (chance.happens(0.3)) await racing.at(-1);
    }
    const stoppedAt = await (stopping ?? disable(capability));
    await Promise.all(racing);
    for (const [index, call] of calls.entries()) {
      await judge(call, before.get(call) as Answer, stoppedAt);
      // From here on, nothing makes content flow.
      const later = [await respond(call, results[index]), await fetched(call)];
      for (const { status, body } of later) assert.deepEqual([status, body.content], [200, undefined]);
      await release(call);
      for (const { position } of await recordOf(call, 'ResponseReleased')) assert.ok(position < stoppedAt);
      const path = `/v1/audit/traces/${call.traceId}`;
      const replay = expecting(200, await service.call('auditor', 'GET', `${path}/replay`));
      assert.equal(replay.identical, true);
      assert.ok(replay.calls.every(({ response }: Answered) => response?.again !== 'differs'));
      const { calls: told } = expecting(200, await service.call('auditor', 'GET', path));
      const [recorded] = await recordOf(call, 'ResponseValidated');
      assert.equal(told[0].response.verdict, recorded?.data.verdict);
    }
  });
}

test('no approval makes a call of a stopped capability allowed, in either order', async () => {
  const ann = await addApprover(service, 'ada');
  for (const order of ['stop first', 'grant first', 'at once'] as const) {
    const capability = `approved-${order.replace(' ', '-')}`;
    await reviewedWith(service, capability, 'quote');
    const approve = { effects: ['write'], by: 'user' };
    const task = await openTask(service, { scope: [{ capability, effects: ['read', 'write'] }], approve });
    const reading = await callIn(service, task, capability);
    expecting(200, await respond(reading, RESULTS[1]));
    const asked = callBody(task, { capability, operation: 'store', arguments: {} });
    const ask = async () => expecting(200, await post('/v1/calls/authorize', asked));
    const { approval } = await ask();
    assert.deepEqual(approval.why, ['tainted', 'task']);
    const grant = () => decideApproval(service, ann, approval.id, 'granted');
    const deeds = order === 'stop first' ? [() => disable(capability), grant] : [grant, () => disable(capability)];
    if (order === 'at once') await Promise.all([...deeds.map((deed) => deed()), ask(), ask()]);
    else for (const deed of deeds) await deed();
    const { decision, reason } = await ask();
    assert.deepEqual([decision, reason], ['deny', 'disabled']);
    const events = await eventsOf(service, `calls-${task.taskId}`);
    const allows = events.filter(({ data }) => data.decision === 'allow' && data.operation === 'store');
    const stopped = (await eventsOf(service, 'directives')).find(({ data }) => data.target?.capability === capability);
    assert.ok(allows.every(({ position }) => position < (stopped?.position ?? 0n)));
    assert.ok(allows.length <= 1);
    const replay = await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}/replay`);
    assert.equal(expecting(200, replay).identical, true);
  }
});
