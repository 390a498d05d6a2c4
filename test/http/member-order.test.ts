import assert from 'node:assert/strict';
import { newCapability, scopeOf } from '../support/actors.js';
import { OVERRIDE } from '../support/quarantine.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask, proposal } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** A record has the members of objects in the order of RFC 8785. Their order in a request changes no decision. */

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

const KEY = 'AKIAIOSFODNN7EXAMPLQ';

const inputSchema = {
  type: 'object',
  properties: { to: { type: 'string', maxLength: 40 }, body: { type: 'string', maxLength: 20 } },
  required: ['to', 'body'],
  additionalProperties: { type: 'string', maxLength: 3 },
};

const mail = (): Answered => {
  const { manifest, ...rest } = proposal();
  const operations = { send: { effects: ['read'], needs: { arguments: ['/to', '/body'] } } };
  return { ...rest, definition: { tools: [{ name: 'send', inputSchema }] }, manifest: { ...manifest, operations } };
};

async function scene(): Promise<Answered> {
  const capability = await newCapability(service, mail());
  const task = await openTask(service, { scope: scopeOf(capability) });
  const ask = async (more: Answered): Promise<Answered> => {
    const body = callBody(task, { capability, operation: 'send', ...more });
    return expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
  };
  const get = async (path: string): Promise<Answered> =>
    expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${task.traceId}${path}`));
  return { task, ask, get };
}

test('denials by the schema and by the filter replay with arguments in any order', async () => {
  const { ask, get } = await scene();
  const schema = await ask({ arguments: { to: 'me', body: 'hi', zz: 'long', yy: 'long', aa: 'long' } });
  assert.equal(schema.reason, 'arguments_invalid');
  const labels = ['/to', '/body'].map((path) => ({ path, level: 'restricted' }));
  assert.equal((await ask({ arguments: { to: 'me', body: 'hi' }, labels })).reason, 'context_above_sensitivity');
  const { identical, calls } = await get('/replay');
  assert.deepEqual([identical, calls.map((call: Answered) => call.identical)], [true, [true, true]]);
});

test('the answer and the evidence name what was taken out in one order', async () => {
  const { ask, get } = await scene();
  const { outbound } = await ask({ arguments: { to: `a ${KEY}`, zz: 'x', body: 'hi', aa: 'y' } });
  assert.equal(outbound.redactions.length, 3);
  assert.deepEqual((await get('')).calls[0].outbound, outbound);
});

test('a response validates again as it did with members in any order', async () => {
  const { task, ask, get } = await scene();
  const { callId } = await ask({ arguments: { to: 'me', body: 'hi' } });
  const structuredContent = { zz: OVERRIDE, mm: { b: OVERRIDE, a: `${OVERRIDE} ${KEY}` }, aa: OVERRIDE };
  const result = { structuredContent, content: [{ type: 'text', text: OVERRIDE }], _meta: { z: OVERRIDE, a: KEY } };
  const body = { taskId: task.taskId, result };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${callId}/response`, body));
  const { calls } = await get('/replay');
  assert.equal(calls[0].response.again, 'same');
});
