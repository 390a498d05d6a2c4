import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Batch, EventLog } from '../../libs/event-log/port.js';
import { fullName, messageOf } from '../../libs/wire/protos.js';
import { toMessage } from '../../apps/pdp/grpc/codec.js';
import { addPrincipal } from '../support/actors.js';
import { logEnd } from '../support/events.js';
import { gate } from '../support/gate.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld, taskBody } from '../support/world.js';
import { GrpcHost, hostOf, refusal, type DecisionsAsked } from './client.js';
import { after, before, test, type TestContext } from '../support/testing.js';

let service: TestService;
let host: GrpcHost;
before(async () => {
  service = await startService();
  await readyWorld(service);
  host = new GrpcHost(service);
});
after(async () => {
  host.close();
  await service.stop();
});

const bodies = (task: Answered, count: number): Answered[] => Array.from({ length: count }, () => callBody(task));
const idsOf = (answers: Answered[] | undefined): string[] => (answers ?? []).map(({ callId }) => callId);

/** The end of the log, when no more events are recorded. */
async function quiet(): Promise<bigint> {
  for (let end = await logEnd(service); ;) {
    await pause(300);
    const now = await logEnd(service);
    if (now === end) return end;
    end = now;
  }
}

/** The end of a stream that its client ends. */
async function ending(stream: DecisionsAsked): Promise<void> {
  stream.call.end();
  assert.equal(await stream.next(), undefined);
}

test('each message is answered by one, in order, an answer for each request in its order', async () => {
  const task = await openTask(service);
  const stream = host.stream('host');
  const messages = [1, 50, 3, 256, 0, 7].map((count) => bodies(task, count));
  for (const message of messages) stream.ask(message);
  for (const message of messages) {
    const answers = await stream.next();
    assert.deepEqual(idsOf(answers), idsOf(message));
    for (const { callId, decision } of answers ?? []) {
      assert.deepEqual([decision.callId, decision.decision], [callId, 'allow']);
    }
  }
  await ending(stream);
});

test('a message whose decisions take longer is answered before those that came after it', async () => {
  const { wrap, holdNext } = gate();
  const slow = await startService({ wrapLog: wrap });
  const client = new GrpcHost(slow);
  try {
    await readyWorld(slow);
    const [first, second] = [bodies(await openTask(slow), 1), bodies(await openTask(slow), 1)];
    const held = holdNext(`calls-${first[0].taskId}`);
    const stream = client.stream('host');
    stream.ask(first);
    await held.arrived;
    stream.ask(second);
    const answers = stream.next();
    // By now the second has its decision.
    assert.equal(await Promise.race([answers, pause(300, 'nothing yet')]), 'nothing yet');
    held.release();
    assert.deepEqual(idsOf(await answers), idsOf(first));
    assert.deepEqual(idsOf(await stream.next()), idsOf(second));
    await ending(stream);
  } finally {
    client.close();
    await slow.stop();
  }
});

test('an answer on a stream is the one that a repeat over HTTP gets', async () => {
  const stream = host.stream('host');
  const [body] = bodies(await openTask(service), 1);
  stream.ask([body]);
  const [answer] = (await stream.next()) ?? [];
  assert.deepEqual(answer.decision, expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body)));
  await ending(stream);
});

test('a request that fails has its problem in its place, and the others their decisions', async () => {
  const task = await openTask(service);
  const [first, second, third, fourth] = bodies(task, 4);
  const stream = host.stream('host');
  const malformed = { ...second, capability: 'NO' };
  const conflict = { ...first, arguments: { key: 'b' } };
  const large = { ...fourth, arguments: { key: 'a'.repeat(262_144) } };
  stream.ask([first, malformed, { ...third, taskId: undefined }, large]);
  stream.ask([conflict, third]);
  const answers = [...((await stream.next()) ?? []), ...((await stream.next()) ?? [])];
  assert.deepEqual(
    answers.map(({ decision, problem }) => decision?.decision ?? problem.code),
    ['allow', 'malformed_request', 'malformed_request', 'too_large', 'call_conflict', 'allow'],
  );
  assert.deepEqual(idsOf(answers), idsOf([first, second, third, fourth, first, third]));
  assert.deepEqual(
    answers[1].problem.errors.map(({ path }: Answered) => path),
    ['/capability'],
  );
  await ending(stream);
});

test('a repeat after the response is a problem in its place, and never an allow', async () => {
  const task = await openTask(service);
  const [done, next] = bodies(task, 2);
  const stream = host.stream('host');
  stream.ask([done]);
  assert.equal((await stream.next())?.[0].decision.decision, 'allow');
  const { callId, taskId } = done;
  await host.call('host', 'Decisions/ValidateResponse', { callId, taskId, result: { content: [] } });
  stream.ask([done, next]);
  stream.ask([{ ...done, arguments: { key: 'b' } }]);
  const answers = [...((await stream.next()) ?? []), ...((await stream.next()) ?? [])];
  assert.deepEqual(
    answers.map(({ decision, problem }) => decision?.decision ?? problem.code),
    ['call_finished', 'allow', 'call_conflict'],
  );
  await ending(stream);
});

test('a request with text that is not UTF-8 is malformed in its place', async () => {
  const requests = bodies(await openTask(service), 3);
  const type = messageOf(fullName('AuthorizeStreamRequest'));
  const bytes = type.serialize(toMessage('AuthorizeStreamRequest', { requests }));
  bytes[bytes.indexOf(requests[0].callId)] = 0xff;
  bytes[bytes.indexOf(requests[1].capability, bytes.indexOf(requests[1].callId))] = 0xff;
  const stream = host.stream('host');
  stream.call.write(bytes);
  const answers = (await stream.next()) ?? [];
  assert.deepEqual(
    answers.map(({ callId, decision, problem }) => [
      callId,
      decision?.decision ?? problem.errors.map(({ path }: Answered) => path),
    ]),
    [
      [undefined, ['/call_id']],
      [requests[1].callId, ['/capability']],
      [requests[2].callId, 'allow'],
    ],
  );
  await ending(stream);
});

test('a token that ends ends in flight: the stream stays, its requests are refused', async () => {
  const other = await addPrincipal(service, ['host']);
  const task = await host.call(other, 'Tasks/Open', taskBody());
  const stream = host.stream(other);
  stream.ask(bodies(task, 1));
  assert.equal((await stream.next())?.[0].decision.decision, 'allow');
  expecting(200, await service.call('admin', 'POST', `/v1/principals/${other.name}/rotate`, {}));
  stream.ask(bodies(task, 1));
  assert.equal((await stream.next())?.[0].problem.code, 'unauthenticated');
  await ending(stream);
});

test('a stream without a token or the role never begins', async () => {
  const { status: unknown, code } = await refusal(host.stream('nobody').next());
  assert.deepEqual([unknown, code], [status.UNAUTHENTICATED, 'unauthenticated']);
  assert.equal((await refusal(host.stream('operator').next())).code, 'forbidden');
});

test('a message that is too large or malformed has a problem in its place, and the stream goes on', async () => {
  const task = await openTask(service);
  const stream = host.stream('host');
  const padding = Buffer.alloc(5 * 1_048_576, 'x');
  const wrongs = [
    [bodies(task, 257), 'too_large'],
    // An unknown field of five MiB.
    [Buffer.concat([Buffer.from([0x7a, 0x80, 0x80, 0xc0, 0x02]), padding]), 'too_large'],
    [Buffer.from([0x0a, 0xff]), 'malformed_request'],
  ] as const;
  for (const [wrong, expected] of wrongs) {
    stream.ask(bodies(task, 2));
    if (Buffer.isBuffer(wrong)) stream.call.write(wrong);
    else stream.ask(wrong);
    stream.ask(bodies(task, 1));
    assert.equal((await stream.next())?.length, 2);
    const refused = await stream.whole();
    assert.deepEqual([refused.answers, refused.problem.code], [[], expected]);
    assert.equal((await stream.next())?.[0].decision.decision, 'allow');
  }
  await ending(stream);
});

/** A service of its own, with quotas. */
async function limitedTo(t: TestContext, env: Record<string, string>): Promise<TestService> {
  const limited = await startService({ env });
  t.after(() => limited.stop());
  await readyWorld(limited);
  return limited;
}

test('each request on a stream takes from the quota of its host', async (t) => {
  const limited = await limitedTo(t, { SALLYPORT_HOST_REQUESTS_PER_S: '10' });
  const client = hostOf(t, limited);
  const task = await openTask(limited);
  const stream = client.stream('host');
  stream.ask(bodies(task, 30));
  const answers = (await stream.next()) ?? [];
  const refused = answers.filter(({ problem }) => problem?.code === 'overloaded').length;
  assert.ok(refused >= 15 && refused < 30, `${refused} of 30`);
  await ending(stream);
  // More than come back in the time that they take, also on a busy machine.
  const calls = Array.from({ length: 40 }, () => client.call('host', 'Decisions/Authorize', callBody(task)));
  const outcomes = await Promise.allSettled(calls);
  const failed = outcomes.find(({ status: kind }) => kind === 'rejected');
  assert.ok(failed?.status === 'rejected', 'none was refused');
  const { status: given, code } = await refusal(Promise.reject(failed.reason));
  assert.deepEqual([given, code], [status.RESOURCE_EXHAUSTED, 'overloaded']);
});

test('each message on a stream takes its bytes from the quota of its host, whatever becomes of its requests', async (t) => {
  const limited = await limitedTo(t, { SALLYPORT_HOST_BYTES_PER_HOUR: '100000' });
  const client = hostOf(t, limited);
  const task = await openTask(limited);
  const stream = client.stream('host');
  const codesOf = (answers: Answered[] | undefined) =>
    (answers ?? []).map(({ decision, problem }) => decision?.decision ?? problem.code);
  stream.ask([callBody(task, { arguments: { key: 'a'.repeat(110_000) } }), ...bodies(task, 3)]);
  assert.deepEqual(
    codesOf(await stream.next()),
    Array.from({ length: 4 }, () => 'overloaded'),
  );
  // An unknown field: bytes without a request.
  const padding = Buffer.alloc(70_000, 'x');
  stream.call.write(Buffer.concat([Buffer.from([0x7a, 0xf0, 0xa2, 0x04]), padding]));
  assert.deepEqual(await stream.next(), []);
  stream.ask([callBody(task, { arguments: { key: 'a'.repeat(40_000) } }), ...bodies(task, 1)]);
  assert.deepEqual(codesOf(await stream.next()), ['overloaded', 'overloaded']);
  stream.ask(bodies(task, 1));
  assert.deepEqual(codesOf(await stream.next()), ['allow']);
  await ending(stream);
});

test('a client that does not read is not read from, and gets all of it once it does', async () => {
  const task = await openTask(service);
  const stream = host.stream('host');
  // Answers repeat the arguments: far more than what any buffer on the way holds.
  const large = () => callBody(task, { arguments: { key: 'a'.repeat(50_000) } });
  const messages = Array.from({ length: 60 }, () => Array.from({ length: 10 }, large));
  for (const message of messages) stream.ask(message);
  const first = (await stream.next()) ?? [];
  const end = await quiet();
  let answered = first.length;
  for (const message of messages.slice(1)) {
    const answers = await stream.next();
    assert.deepEqual(idsOf(answers), idsOf(message));
    answered += answers?.length ?? 0;
  }
  assert.equal(answered, 600);
  const recorded = Number(await logEnd(service)) - Number(end);
  assert.ok(recorded > 0, 'all of it was decided before any of it was read');
  await ending(stream);
});

test('a stream that is cancelled is decided no further than what was in flight', async () => {
  const task = await openTask(service);
  const stream = host.stream('host');
  const before = await quiet();
  for (let count = 0; count < 40; count += 1) stream.ask(bodies(task, 100));
  await stream.next();
  const ended = refusal(stream.next().then(() => stream.next()));
  stream.call.cancel();
  assert.equal((await ended).status, status.CANCELLED);
  const decided = Number((await quiet()) - before);
  assert.ok(decided < 2000, `${decided} of 4000`);
});

test('a deadline that has passed ends the call', async () => {
  // No answer is quicker than the deadline.
  const over = Promise.withResolvers<void>();
  const append = async (log: EventLog, batch: Batch): ReturnType<EventLog['append']> => {
    if (batch.writes.some(({ stream }) => stream.startsWith('calls-'))) await over.promise;
    return log.append(batch);
  };
  const slow = await startService({
    wrapLog: (log) => ({ ...gate().wrap(log), append: (batch) => append(log, batch) }),
  });
  const client = new GrpcHost(slow);
  try {
    await readyWorld(slow);
    const body = callBody(await openTask(slow));
    const given = await refusal(client.call('host', 'Decisions/Authorize', body, { 'grpc-timeout': '1n' }));
    assert.equal(given.status, status.DEADLINE_EXCEEDED);
  } finally {
    over.resolve();
    client.close();
    await slow.stop();
  }
});
