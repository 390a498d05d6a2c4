import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:http2';
import * as fc from 'fast-check';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, openTask, readyWorld, registration } from '../support/world.js';
import { framed } from './grpc-frames.js';
import { encoded } from './grpc-messages.js';
import { grpcWireTo, replyOf, type GrpcWire } from './grpc-wire.js';
import { heapMiB } from '../support/memory.js';
import { cooked, mutatedBy, recipes } from './mutations.js';
import { FUZZ_SEED } from './settings.js';
import { wireTo, type Wire } from './wire.js';
import { after, before, test } from '../support/testing.js';

/** Refused requests leave nothing behind: the heap after a collection does not grow with their number. */

const ROUND = 400;
const ROUNDS = 4;
/** Far below what a round would leave if each of its requests left one kilobyte. */
const MAX_GROWTH_MIB = 0.25 * (ROUNDS - 1);

let service: TestService;
let wire: Wire;
let grpc: GrpcWire;
let task: Answered;
before(async () => {
  service = await startService();
  wire = wireTo(service.url);
  grpc = grpcWireTo(service.server.grpc);
  await readyWorld(service);
  task = await openTask(service);
});
after(async () => {
  wire.close();
  grpc.close();
  await service.stop();
});

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
/** Large requests take long to send, and are still refused. */
const MAX_BYTES = 10_000;
const samples = fc
  .sample(recipes, { seed: FUZZ_SEED, numRuns: 200 })
  .filter(({ mutations }) => mutations.every(({ value }) => JSON.stringify(value).length < MAX_BYTES));
const recipeOf = (at: number) => samples[at % samples.length] ?? { mutations: [], spoiling: { kind: 'none' } as const };

/** Requests that may not be recorded: each is refused, at any number. */
const REFUSED: Readonly<Record<string, (at: number) => Promise<unknown>>> = {
  'bodies that are cut': (at) => {
    const text = JSON.stringify(callBody(task));
    const headers = { ...bearer(service.tokens.host), 'content-type': 'application/json' };
    return wire.send('POST', '/v1/calls/authorize', headers, Buffer.from(text.slice(0, at % (text.length - 1))));
  },
  'mutated bodies of a caller without the role': (at) => {
    const { bytes, headers } = cooked(callBody(task), recipeOf(at));
    return wire.send('POST', '/v1/calls/authorize', { ...headers, ...bearer(service.tokens.auditor) }, bytes);
  },
  'definitions that are refused': (at) => {
    const body = registration(`cap-${at}`, { version: '1.0.0', definition: { tools: [{ name: randomUUID() }] } });
    const headers = { ...bearer(service.tokens.registrar), 'content-type': 'application/json' };
    return wire.send('POST', '/v1/capabilities', headers, Buffer.from(JSON.stringify(body)));
  },
  'names that nobody has': () =>
    wire.send('GET', `/v1/capabilities/${randomUUID()}`, bearer(`sallyport_${randomUUID()}`)),
  'messages that are cut': (at) => {
    const message = encoded('AuthorizeRequest', callBody(task));
    const cut = message.subarray(0, at % (message.length - 1));
    return grpc.send('/sallyport.v1.Decisions/Authorize', bearer(service.tokens.host), [framed(cut)]);
  },
  'mutated messages of nobody': (at) => {
    const message = encoded('OpenTaskRequest', mutatedBy(callBody(task), recipeOf(at).mutations));
    return grpc.send('/sallyport.v1.Tasks/Open', bearer(randomUUID()), [framed(message)]);
  },
  'streams that are opened and reset': (at) => {
    const stream = grpc.open('/sallyport.v1.Decisions/AuthorizeStream', bearer(service.tokens.host));
    const answered = replyOf(stream);
    stream.write(framed(Buffer.alloc(10), at % 2 === 0 ? 10 : 5000));
    stream.close(constants.NGHTTP2_CANCEL);
    return answered;
  },
};

for (const [what, ask] of Object.entries(REFUSED)) {
  test(`${what} leave nothing behind`, async (t) => {
    const end = await service.service.stores.log.end();
    const afterMiB: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let at = 0; at < ROUND; at += 8) {
        await Promise.all(Array.from({ length: 8 }, (_, more) => ask(round * ROUND + at + more)));
      }
      afterMiB.push(heapMiB());
    }
    // The first round fills what is kept on purpose: pools, caches, code.
    const [first = 0, ...others] = afterMiB;
    t.diagnostic(afterMiB.map((mib) => mib.toFixed(2)).join(', '));
    assert.ok(Math.min(...others.slice(-2)) - first < MAX_GROWTH_MIB, `${afterMiB.join(', ')} MiB`);
    assert.equal(await service.service.stores.log.end(), end, 'something was recorded');
  });
}
