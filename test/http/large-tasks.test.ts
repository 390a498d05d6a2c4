import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { hostOf, refusal } from '../grpc/client.js';
import { logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** The memory of tasks and their calls has a bound that no host can exceed. */

const MAX_ATTRIBUTES = 65_536;
const AT_ONCE = 16;

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

/** A task whose user attributes have this many bytes as canonical JSON. */
const withAttributes = (bytes: number, of = 'x'): Answered =>
  taskBody({
    taskId: randomUUID(),
    user: { id: 'ada', roles: [], attributes: { note: of.repeat((bytes - '{"note":""}'.length) / escaped(of)) } },
  });
/** Values that a body may hold, minus those in the rest of a task. */
const MAX_VALUES = 19_900;
const escaped = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;
const open = (body: Answered) => service.call('host', 'POST', '/v1/tasks', body);

/** Runs a piece of work for each number below `count`, several at once. */
async function each(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const lanesHeld = async (): Promise<number> => {
  const text = expecting(200, await service.call('auditor', 'GET', '/metrics')) as string;
  return Number(/^sallyport_task_lanes (\d+)$/m.exec(text)?.[1]);
};

test('the attributes of a user may have 64 KiB as canonical JSON, over HTTP and gRPC', async (t) => {
  const host = hostOf(t, service);
  for (const of of ['x', 'ü', '\u0001']) {
    const most = withAttributes(MAX_ATTRIBUTES - (of === 'x' ? 0 : 5), of);
    expecting(201, await open(most));
    const end = await logEnd(service);
    const over = withAttributes(MAX_ATTRIBUTES + 1 + (of === 'x' ? 0 : 4), of);
    over.taskId = randomUUID();
    refused(413, 'too_large', await open(over));
    const { status: code, code: word } = await refusal(host.call('host', 'Tasks/Open', over));
    assert.deepEqual([code, word], [status.INVALID_ARGUMENT, 'too_large']);
    assert.equal(await logEnd(service), end);
    refused(404, 'not_found', await service.call('host', 'GET', `/v1/tasks/${over.taskId}`));
  }
});

test('numbers that are longer when written out are measured as they are kept', async () => {
  const [short, long] = [MAX_ATTRIBUTES / 5 - 10, MAX_ATTRIBUTES / 22].map(Math.floor) as [number, number];
  const text = (count: number) =>
    JSON.stringify(withAttributes(11)).replace('{"note":""}', `{"note":[${'1e20,'.repeat(count)}1]}`);
  expecting(201, await open(text(long - 1)));
  refused(413, 'too_large', await open(text(short)));
});

test('tasks with much content are not all held, and evicted ones are read again', async () => {
  // The attributes are many small values: 64 KiB of text, and twenty times that in memory.
  const attributes = { all: Array.from({ length: MAX_VALUES }, () => ({})) };
  const taskIds = Array.from({ length: 160 }, () => randomUUID());
  await each(taskIds.length, async (index) => {
    const user = { id: 'ada', roles: [], attributes };
    expecting(201, await open(taskBody({ taskId: taskIds[index], user })));
  });
  const held = await lanesHeld();
  assert.ok(held > 50 && held < 120, `${held}`);
  const first = expecting(200, await service.call('host', 'GET', `/v1/tasks/${taskIds[0]}`));
  assert.deepEqual(first.user.attributes, attributes);
});

test('calls with much evidence fill a task: the next is a 413, an earlier one gets its outcome', async () => {
  const task = await openTask(service);
  const evidence = (index: number) => {
    const at = (chars: number) => `${index}:`.padEnd(chars, 'x');
    return { method: 'package', command: at(4096), id: at(2048), resource: at(2048), url: at(2048), subject: at(1024) };
  };
  const definitionDigest = task.pins[0].definitionDigest;
  const allowed = callBody(task);
  const authorize = (body: Answered) => service.call('host', 'POST', '/v1/calls/authorize', body);
  assert.equal(expecting(200, await authorize(allowed)).decision, 'allow');
  const codes = new Set<string>();
  let denied = 0;
  await each(1600, async (index) => {
    const body = callBody(task, { observed: { definitionDigest, server: evidence(index) } });
    const { status: code, body: answer } = await authorize(body);
    codes.add(`${code} ${answer.code ?? answer.reason}`);
    if (code === 200) denied += 1;
  });
  assert.deepEqual([...codes].sort(), ['200 server_identity_mismatch', '413 too_large']);
  assert.ok(denied > 1000 && denied < 2000, `${denied}`);
  const path = `/v1/calls/${allowed.callId}/outcome`;
  expecting(200, await service.call('host', 'POST', path, { taskId: task.taskId, status: 'succeeded' }));
  assert.equal(expecting(200, await authorize(callBody(await openTask(service)))).decision, 'allow');
});
