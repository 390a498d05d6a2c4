import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { messageOf } from '../../libs/wire/protos.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, openTask, readyWorld } from '../support/world.js';
import { framed } from './grpc-frames.js';
import { bodyIn, bodyOf, encoded, prefixed } from './grpc-messages.js';
import { grpcWireTo, isSoundCall, replyOf, type GrpcWire } from './grpc-wire.js';
import { mutatedBy, recipes, type Recipe } from './mutations.js';
import { whyNotAllowed } from './rightness.js';
import { FUZZ_SEED, fuzzing } from './settings.js';
import { TRICKS } from './tricks.js';
import { isWell } from './wire.js';
import { after, before, test } from '../support/testing.js';

/** The stream of questions, and what has no message of ours: abused, and judged by what was sent. */

const STREAM = '/sallyport.v1.Decisions/AuthorizeStream';
const AUTHORIZE = '/sallyport.v1.Decisions/Authorize';

let service: TestService;
let wire: GrpcWire;
let task: Answered;
let headers: Record<string, string>;
before(async () => {
  service = await startService();
  wire = grpcWireTo(service.server.grpc);
  await readyWorld(service);
  task = await openTask(service);
  headers = { authorization: `Bearer ${service.tokens.host}` };
});
after(async () => {
  console.log(`gRPC streams: seed ${FUZZ_SEED}`);
  wire.close();
  await service.stop();
});

/** The next action of a client on a stream. */
type Deed =
  | { readonly kind: 'ask'; readonly recipes: readonly Recipe[] }
  | { readonly kind: 'nothing' | 'many' | 'broken' | 'cut' };
type Ending = 'ended' | 'cancelled' | 'reset' | 'cut off';

const deeds: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('ask' as const), recipes: fc.array(recipes, { maxLength: 5 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('nothing' as const, 'many' as const, 'broken' as const, 'cut' as const),
    }),
  },
);
const endings = fc.constantFrom<Ending>('ended', 'ended', 'ended', 'cancelled', 'reset', 'cut off');

/** Numbers of fields. */
const REQUESTS = 1;
const ARGUMENTS = 6;

/** A message of the stream with these requests in it. */
const batchOf = (requests: readonly Buffer[]): Buffer =>
  Buffer.concat(requests.map((request) => prefixed(REQUESTS, request)));

const requestsIn = (message: Buffer): Record<string, unknown>[] | undefined => {
  try {
    return (messageOf('sallyport.v1.AuthorizeStreamRequest').deserialize(message) as Answered).requests;
  } catch {
    return undefined;
  }
};
const answerIn = (message: Buffer): Answered => messageOf('sallyport.v1.AuthorizeStreamResponse').deserialize(message);

function messageFor(deed: Deed): Buffer {
  const right = (): Buffer => encoded('AuthorizeRequest', callBody(task));
  switch (deed.kind) {
    case 'ask':
      return batchOf(
        deed.recipes.map(({ mutations }) => encoded('AuthorizeRequest', mutatedBy(callBody(task), mutations))),
      );
    case 'nothing':
      return Buffer.alloc(0);
    case 'many':
      return batchOf(Array.from({ length: 257 }, () => Buffer.alloc(0)));
    case 'broken':
      return Buffer.of(0x0a, 0xff);
    case 'cut':
      return batchOf([right(), right()]).subarray(0, -7);
  }
}

test('a stream answers each message in its order with what is right, also if it is abused', async () => {
  const counts = { allow: 0, deny: 0, problem: 0 };
  const property = fc.asyncProperty(fc.array(deeds, { maxLength: 5 }), endings, async (all, ending) => {
    const stream = wire.open(STREAM, headers);
    const answered = replyOf(stream);
    const sent = all.map(messageFor);
    for (const message of sent) stream.write(framed(message));
    if (ending === 'ended') stream.end();
    else if (ending === 'cut off') stream.end(framed(Buffer.alloc(10), 2000));
    else {
      await turn();
      stream.close(ending === 'reset' ? constants.NGHTTP2_INTERNAL_ERROR : constants.NGHTTP2_CANCEL);
    }
    const reply = await answered;
    if (ending === 'ended') isSoundCall(reply);
    // In order, message by message: an abused one has a problem and no answers.
    assert.ok(reply.messages.length <= sent.length);
    if (ending === 'ended') assert.deepEqual([reply.messages.length, reply.status], [sent.length, status.OK]);
    for (const [index, message] of reply.messages.entries()) {
      const requests = requestsIn(sent[index] ?? Buffer.alloc(0));
      const { answers, problem: refused } = answerIn(message);
      if (requests === undefined || requests.length > 256) {
        const code = requests === undefined ? 'malformed_request' : 'too_large';
        assert.deepEqual([answers, refused?.code], [[], code]);
        continue;
      }
      assert.deepEqual([answers.length, refused], [requests.length, undefined]);
      for (const [at, { decision, problem }] of (answers as Answered[]).entries()) {
        counts[(decision?.decision ?? 'problem') as keyof typeof counts] += 1;
        if (decision?.decision === 'allow') assert.equal(whyNotAllowed(bodyOf(requests[at] ?? {}), task), undefined);
        if (problem !== undefined && problem !== null) assert.notEqual(problem.code, 'log_unavailable', problem.detail);
      }
    }
  });
  await fc.assert(property, fuzzing());
  console.log(`gRPC streams: ${JSON.stringify(counts)}`);
  assert.ok(counts.allow > 0 && counts.problem > 0, JSON.stringify(counts));
  await isWell(service);
});

for (const [name, args] of Object.entries(TRICKS)) {
  test(`a call is not allowed over gRPC with ${name} in its arguments`, async () => {
    // The last of two fields of one name is the one that counts.
    const field = prefixed(ARGUMENTS, Buffer.from(args));
    const message = Buffer.concat([encoded('AuthorizeRequest', callBody(task)), field]);
    const body = bodyIn(message);
    assert.ok(body !== undefined && whyNotAllowed(body, task) !== undefined);
    const reply = await wire.send(AUTHORIZE, headers, [framed(message)]);
    isSoundCall(reply);
    const [answer] = reply.messages;
    if (answer === undefined) return assert.equal(reply.status, status.INVALID_ARGUMENT);
    const { decision } = messageOf('sallyport.v1.AuthorizeResponse').deserialize(answer) as Answered;
    assert.equal(decision, 'deny');
  });
}

test('a message that is small until it is unpacked is refused', async () => {
  const bomb = gzipSync(Buffer.alloc(256 * 1_048_576));
  assert.ok(bomb.length < 1_000_000);
  for (const path of [AUTHORIZE, STREAM]) {
    const packed = framed(bomb, bomb.length, 1);
    const reply = await wire.send(path, { ...headers, 'grpc-encoding': 'gzip' }, [packed]);
    assert.deepEqual([reply.status, reply.code], [status.INVALID_ARGUMENT, 'too_large'], path);
  }
  await isWell(service);
});

/** Health and reflection: anyone may ask, and their messages are not ours. */
const OPEN_TO_ALL = [
  '/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/List',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  '/sallyport.v1.Decisions/Nothing',
  '/sallyport.v1.__proto__/constructor',
  '/',
];
const scraps = fc.oneof(
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(
      fc.nat(8),
      fc.oneof(
        fc.constantFrom('', '*', '__proto__', 'constructor', 'sallyport.v1.Tasks', '.', 'x'.repeat(5000)),
        fc.string({ unit: 'binary', maxLength: 20 }),
      ),
    )
    .map(([field, text]) => prefixed(field, Buffer.from(text))),
);

/** Always among the inputs: each makes one of the endings that the test wants to have seen. */
const ENDINGS: [path: string, message: Buffer, ending: string][] = [
  ['/grpc.health.v1.Health/Check', Buffer.alloc(0), '0'],
  ['/grpc.health.v1.Health/Check', prefixed(1, Buffer.from('nobody')), '5'],
  ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', prefixed(7, Buffer.from('*')), '0'],
  ['/sallyport.v1.Decisions/Nothing', Buffer.alloc(0), '12'],
];

test('health and reflection end with a status whatever they are asked', async () => {
  const statuses = new Map<string, number>();
  const property = fc.asyncProperty(fc.constantFrom(...OPEN_TO_ALL), scraps, async (path, message) => {
    const reply = await wire.send(path, {}, [framed(message)]);
    const told = `${path} ${reply.status}`;
    statuses.set(told, (statuses.get(told) ?? 0) + 1);
    // Those services read their messages themselves, and INTERNAL is what gRPC has for bytes that are none.
    if (reply.status !== status.INTERNAL || path.startsWith('/sallyport')) isSoundCall(reply);
    else assert.deepEqual(reply.messages, []);
  });
  const examples = ENDINGS.map(([path, message]): [string, Buffer] => [path, message]);
  await fc.assert(property, { ...fuzzing(200), examples });
  for (const [path, , ending] of ENDINGS) assert.ok(statuses.has(`${path} ${ending}`), `${path} ${ending}`);
  await isWell(service);
});
