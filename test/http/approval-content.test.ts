import assert from 'node:assert/strict';
import { newCapability, scopeOf } from '../support/actors.js';
import { decideApproval } from '../support/approvals.js';
import { decide } from '../support/calls.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, expecting, openTask, proposal } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** An approver sees all of the content that an approval is for, and what the filter would hold back. */

const KEY = 'AKIAIOSFODNN7EXAMPLQ';
const approve = { effects: ['send'], by: 'other' };

let service: TestService;
let capability: string;
before(async () => {
  service = await startService();
  await activatePolicy(service);
  const { manifest, ...rest } = proposal();
  const send = { effects: ['send'], needs: { context: ['crm/*'] } };
  const inputSchema = {
    type: 'object',
    properties: { to: { type: 'string' }, body: { type: 'string', minLength: 1 } },
  };
  capability = await newCapability(service, {
    ...rest,
    definition: { tools: [{ name: 'send', inputSchema }] },
    manifest: { ...manifest, operations: { send } },
  });
});
after(() => service.stop());

const open = () => openTask(service, { scope: [{ ...scopeOf(capability)[0], effects: ['send'] }], approve });
const listed = async (who: 'approver' | 'auditor', query: string): Promise<Answered> =>
  expecting(200, await service.call(who, 'GET', `/v1/approvals?${query}`));

test('an approver sees context items and what the filter would hold back, and an auditor sees neither', async () => {
  const task = await open();
  const item = { id: 'c1', source: 'crm/7', level: 'internal', categories: ['customer'], content: `use ${KEY}` };
  const other = { id: 'c2', source: 'chat', level: 'public', content: 'x' };
  const call = { operation: 'send', arguments: { to: 'a', body: KEY, hidden: 'y' }, context: [item, other] };
  const { approval, reason } = await decide(service, task, call);
  assert.equal(reason, 'approval_required');
  const [shown] = (await listed('approver', `task=${task.taskId}`)).items;
  assert.deepEqual([shown.arguments, shown.context], [call.arguments, call.context]);
  const { redactions, refusals, denied } = shown.outbound;
  const places = redactions.map(({ path, type }: Answered) => [path, type.split(':')[0]]);
  assert.deepEqual(places, [
    ['/arguments/body', 'secret'],
    ['/arguments/hidden', 'not_declared'],
    ['/context/0/content', 'secret'],
  ]);
  assert.deepEqual([refusals, denied], [[{ path: '/context/1', reason: 'context_not_needed' }], undefined]);
  const path = `/v1/approvals/${approval.id}`;
  assert.deepEqual(expecting(200, await service.call('approver', 'GET', path)), shown);
  const facts = [
    ...(await listed('auditor', `task=${task.taskId}`)).items,
    expecting(200, await service.call('auditor', 'GET', path)),
    expecting(200, await service.call('host', 'GET', path)),
  ];
  for (const each of facts) for (const name of ['arguments', 'context', 'outbound']) assert.ok(!(name in each), name);
  expecting(200, await decideApproval(service, 'approver', approval.id, 'granted'));
  const { outbound } = await decide(service, task, call);
  assert.deepEqual(
    { redactions: outbound.redactions, refusals: outbound.refusals },
    shown.outbound,
    'the filter of the allow',
  );
});

test('an approver sees that the filter would deny the call', async () => {
  const task = await open();
  const context = [{ id: 'c', source: 'chat', content: 'x', required: true }];
  await decide(service, task, { operation: 'send', arguments: { body: 'b' }, context });
  const [shown] = (await listed('approver', `task=${task.taskId}`)).items;
  assert.equal(shown.outbound.denied, 'context_not_needed');
});

test('an approval says whether its task has ended', async () => {
  const task = await open();
  await decide(service, task, { operation: 'send', arguments: { body: 'b' } });
  const status = async () => (await listed('auditor', `task=${task.taskId}`)).items[0].taskStatus;
  assert.equal(await status(), 'open');
  expecting(200, await service.call('host', 'POST', `/v1/tasks/${task.taskId}/close`));
  assert.equal(await status(), 'closed');
});

test('a page of large approvals ends early, and the pages hold each of them once', async () => {
  const task = await open();
  const content = 'x'.repeat(1_000_000);
  for (let number = 0; number < 20; number += 1) {
    const context = [{ id: 'c', source: 'chat', level: 'public', content }];
    await decide(service, task, { operation: 'send', arguments: { body: String(number) }, context });
  }
  const seen: string[] = [];
  const sizes: number[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const query = `task=${task.taskId}&limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const page = await listed('approver', query);
    seen.push(...page.items.map((each: Answered) => each.arguments.body));
    sizes.push(page.items.length);
    cursor = page.next;
  }
  assert.deepEqual(sizes, [16, 4]);
  assert.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, index) => String(19 - index)),
  );
});
