import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { parseEvent } from '../../libs/event-log/event.js';
import { canonicalJson, type Json } from '../../libs/kernel/canonical-json.js';
import { SERVICE_NAMES, messageOf, serviceOf } from '../../libs/wire/protos.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, openTask } from '../support/world.js';
import { bodyIn, encoded } from './grpc-messages.js';
import { bentCalls, chunksOf, headersOf, PLAIN, type BentCall } from './grpc-mutations.js';
import { grpcWireTo, isSoundCall, type GrpcReply, type GrpcWire } from './grpc-wire.js';
import { heapMiB, MAX_GROWTH_MIB } from '../support/memory.js';
import { mutatedBy, recipes, spoilt, type Recipe } from './mutations.js';
import { rightRequests, type Rights } from './requests.js';
import { whyNotAllowed } from './rightness.js';
import { FUZZ_RUNS, FUZZ_SEED, fuzzing, IS_LONG } from './settings.js';
import { isWell } from './wire.js';
import { after, before, describe, test } from '../support/testing.js';

/** Every call with one message each way, as bytes that are nearly right, in frames and metadata that are nearly right. */

let service: TestService;
let wire: GrpcWire;
let rights: Rights;
let task: Answered;
before(async () => {
  service = await startService({ sealing: undefined });
  wire = grpcWireTo(service.server.grpc);
  rights = await rightRequests(service);
  task = await openTask(service);
});
after(async () => {
  console.log(`gRPC: seed ${FUZZ_SEED}, slowest answer ${wire.slowestMs().toFixed(0)} ms`);
  wire.close();
  await service.stop();
});

/** A request that is right over HTTP is right here: the id in the path is a field of the message. */
const overHttp = (route: string, ids: (path: string[]) => object) => async (): Promise<Answered> => {
  const { path, body } = (await rights[route]?.()) ?? { path: '' };
  return { ...ids(path.split('/')), ...body };
};
const ofCall = (path: string[]): object => ({ callId: path[3] });
const ofVersion = (path: string[]): object => ({ id: path[3], version: path[5] });
const ofResponse = (path: string[]): object => ({ callId: path[3], taskId: path[4]?.split('=')[1] });
const ofApproval = (path: string[]): object => ({ id: path[3]?.split('?')[0] });
const ofTask = (path: string[]): object => ({ taskId: path[3] });

const CALLS: Readonly<Record<string, { type: string; make: () => Promise<Answered> }>> = {
  'Decisions/Authorize': { type: 'AuthorizeRequest', make: overHttp('POST /v1/calls/authorize', () => ({})) },
  'Decisions/ValidateResponse': {
    type: 'ValidateResponseRequest',
    make: overHttp('POST /v1/calls/:callId/response', ofCall),
  },
  'Decisions/GetResponse': {
    type: 'GetResponseRequest',
    make: overHttp('GET /v1/calls/:callId/response', ofResponse),
  },
  'Decisions/RecordOutcome': { type: 'RecordOutcomeRequest', make: overHttp('POST /v1/calls/:callId/outcome', ofCall) },
  'Approvals/Get': { type: 'GetApprovalRequest', make: overHttp('GET /v1/approvals/:id', ofApproval) },
  'Tasks/Open': { type: 'OpenTaskRequest', make: overHttp('POST /v1/tasks', () => ({})) },
  'Tasks/Get': { type: 'GetTaskRequest', make: overHttp('GET /v1/tasks/:taskId', ofTask) },
  'Directives/List': { type: 'ListDirectivesRequest', make: overHttp('GET /v1/directives', () => ({})) },
  'Directives/Acknowledge': {
    type: 'AcknowledgeRequest',
    make: overHttp('POST /v1/directives/acks', () => ({})),
  },
  'Directives/GetTerms': {
    type: 'GetDirectiveTermsRequest',
    make: overHttp('GET /v1/directives/terms', () => ({})),
  },
  'Registry/GetVersion': {
    type: 'GetVersionRequest',
    make: overHttp('GET /v1/capabilities/:id/versions/:version', ofVersion),
  },
  'Registry/ObserveVersion': {
    type: 'ObserveVersionRequest',
    make: overHttp('POST /v1/capabilities/:id/versions/:version/observations', ofVersion),
  },
  'Tasks/Close': { type: 'CloseTaskRequest', make: overHttp('POST /v1/tasks/:taskId/close', ofTask) },
};

const pathOf = (rpc: string): string => `/sallyport.v1.${rpc}`;
const tokens = () => ({ right: service.tokens.host, wrong: service.tokens.auditor });

async function ask(rpc: string, message: Buffer, spoiled: Recipe['spoiling'], how: BentCall): Promise<GrpcReply> {
  const { bytes } = spoilt(message, spoiled);
  return wire.send(pathOf(rpc), headersOf(how, tokens()), chunksOf(how.framing, bytes));
}

test('every call is fuzzed, and what a right message asks for is done', async () => {
  const names = SERVICE_NAMES.flatMap((name) => Object.keys(serviceOf(name)).map((method) => `${name}/${method}`));
  // The stream has a file of its own. A watch has no end to wait for; its two fields are fuzzed over HTTP.
  const streams = ['Decisions/AuthorizeStream', 'Directives/Watch'];
  assert.deepEqual([...Object.keys(CALLS), ...streams].sort(), names.sort());
  for (const [rpc, { type, make }] of Object.entries(CALLS)) {
    const reply = await ask(rpc, encoded(type, await make()), { kind: 'none' }, PLAIN);
    assert.deepEqual([reply.status, reply.messages.length], [status.OK, 1], rpc);
  }
});

describe('no nearly right message breaks a call', () => {
  for (const [rpc, { type, make }] of Object.entries(CALLS)) {
    test(rpc, async () => {
      const statuses = new Map<unknown, number>();
      const earlierMiB = IS_LONG ? heapMiB() : 0;
      const property = fc.asyncProperty(recipes, bentCalls, async ({ mutations, spoiling }, how) => {
        const message = encoded(type, mutatedBy(await make(), mutations));
        const reply = await ask(rpc, message, spoiling, how);
        statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
        isSoundCall(reply, how);
        if (how.caller !== 'right') assert.notEqual(reply.status, status.OK, how.caller);
      });
      await fc.assert(property, fuzzing());
      if (!IS_LONG) return;
      const grownMiB = heapMiB() - earlierMiB;
      console.log(`${rpc}: ${[...statuses].map(String).join('; ')}; heap ${grownMiB.toFixed(1)} MiB`);
      assert.ok(grownMiB < MAX_GROWTH_MIB, `${grownMiB} MiB are left`);
    });
  }
  test('and the service is well after all of them', () => isWell(service));
});

test('nothing is allowed but a call that is right, and what is right is still allowed', async () => {
  const counts = { allow: 0, deny: 0, problem: 0 };
  const allowed = new Set<string>();
  // A client that does not wait for the answer receives no allow.
  const patient = bentCalls.filter(({ metadata }) => metadata.every(([name]) => name !== 'grpc-timeout'));
  const property = fc.asyncProperty(recipes, patient, async ({ mutations, spoiling }, how) => {
    const message = encoded('AuthorizeRequest', mutatedBy(callBody(task), mutations));
    const reply = await ask('Decisions/Authorize', message, spoiling, how);
    isSoundCall(reply, how);
    const answer = reply.status === status.OK ? answerIn(reply) : undefined;
    counts[(answer?.decision ?? 'problem') as keyof typeof counts] += 1;
    if (answer?.decision !== 'allow') return;
    const body = bodyIn(spoilt(message, spoiling).bytes) ?? Buffer.alloc(0);
    assert.equal(whyNotAllowed(body, task), undefined);
    const { arguments: asked }: Answered = JSON.parse(body.toString());
    // The filter takes out members that the schema does not declare.
    const outbound: Answered = JSON.parse(answer.outbound.arguments);
    for (const [name, sent] of Object.entries(outbound)) {
      assert.equal(canonicalJson(sent as Json), canonicalJson(asked[name]));
    }
    allowed.add(answer.call_id);
  });
  await fc.assert(property, fuzzing(FUZZ_RUNS * 15));
  console.log(`gRPC authorize: ${JSON.stringify(counts)}`);
  assert.ok(counts.allow > 0 && counts.deny > 0 && counts.problem > 0, JSON.stringify(counts));
  await isWell(service);

  // The log tells the same: no allow was recorded that was not answered.
  for (const { json } of await service.service.stores.log.read(`calls-${task.taskId}`)) {
    const { decision, callId } = parseEvent(json).data as { decision: string; callId: string };
    if (decision === 'allow') assert.ok(allowed.has(callId), callId);
  }
});

function answerIn({ messages }: GrpcReply): Answered {
  assert.equal(messages.length, 1);
  return messageOf('sallyport.v1.AuthorizeResponse').deserialize(messages[0] ?? Buffer.alloc(0));
}
