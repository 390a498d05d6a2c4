import assert from 'node:assert/strict';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Guarded } from '../../libs/host/index.js';
import { RAW, type McpClient } from '../../libs/mcp/client.js';
import { hostedService } from '../support/guarded.js';
import { overHttp } from '../support/mcp-http.js';
import type { ScriptedServer } from '../support/mcp-server.js';
import { clientOf, stageOf, type Sdk, type Stage } from '../support/notes.js';
import { type Answered } from '../support/service.js';
import { test, type TestContext } from '../support/testing.js';

const { service, host } = await hostedService();

async function guarded(t: TestContext, sdk: Sdk): Promise<Stage & { guarded: Guarded }> {
  const stage = await stageOf(host, service, sdk);
  const made = await stage.guard();
  t.after(() => made.close());
  return { ...stage, guarded: made };
}

/** What a program could do with the client and the transport of a guard, by what it would send. */
const waysBeside: Record<string, (stage: Stage) => unknown> = {
  'tools/call': ({ mcp }) => mcp.callTool({ name: 'look', arguments: { at: 'it' } }),
  'prompts/get': ({ mcp }) => mcp.getPrompt({ name: 'greet' }),
  'resources/read': ({ mcp }) => mcp.readResource({ uri: 'note://1' }),
  'completion/complete': ({ mcp }) =>
    mcp.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'who', value: 'A' } }),
  'resources/subscribe': ({ mcp }) => mcp.subscribeResource({ uri: 'note://1' }),
  'logging/setLevel': ({ mcp }) => mcp.setLoggingLevel('debug'),
  'notifications/roots/list_changed': ({ mcp }) =>
    mcp.transport?.send({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' }),
  'tasks/list': ({ server }) => server.transport.send({ jsonrpc: '2.0', id: 'a', method: 'tasks/list' }),
  'a batch': ({ server }) => server.transport.send([{ jsonrpc: '2.0', id: 'b', method: 'tools/list' }]),
  'notifications/cancelled': ({ mcp }) =>
    mcp.transport?.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'c' } }),
  'subscriptions/listen': ({ server }) => {
    const params = { notifications: { resourceSubscriptions: ['note://1'] } };
    return server.transport.send({ jsonrpc: '2.0', id: 'd', method: 'subscriptions/listen', params });
  },
  'tools/list with data in it': ({ server }) =>
    server.transport.send({ jsonrpc: '2.0', id: 'e', method: 'tools/list', params: { arguments: { secret: 1 } } }),
};

/** Of 2026-07-28 the SDK refuses some methods by itself. */
const isOwn = (error: Answered) => error.code === 'METHOD_NOT_SUPPORTED_BY_PROTOCOL_VERSION';

for (const sdk of ['v1', 'v2', 'v2 of 2026-07-28'] as const) {
  test(`beside a guard nothing reaches the server but pings and lists (SDK ${sdk})`, async (t) => {
    const stage = await guarded(t, sdk);
    const { server, mcp } = stage;
    const heard = server.received.length;
    for (const [what, way] of Object.entries(waysBeside)) {
      await assert.rejects(
        async () => way(stage),
        (error: Answered) => {
          assert.ok(isOwn(error) || error.code === -31_001, `${what}: ${error}`);
          assert.match(error.message, /refused to send|not supported/, what);
          return true;
        },
      );
    }
    assert.deepEqual(server.received.slice(heard), []);
    const listed = await mcp.listTools();
    assert.ok(listed.tools.some(({ name }) => name === 'look'));
    if (sdk !== 'v2 of 2026-07-28') {
      server.answers['ping'] = () => ({});
      await mcp.ping();
    }
    const result = await stage.guarded.callTool({ name: 'look', arguments: { at: 'it' } });
    assert.equal(result.isError, false, 'the guard itself still calls');
    assert.equal(server.requestsOf('tools/call').length, 1);
  });

  test(`a guarded transport is connected once, and by its guard alone (SDK ${sdk})`, async (t) => {
    const { server, mcp } = await guarded(t, sdk);
    const heard = server.received.length;
    await assert.rejects(clientOf(sdk).connect(server.transport), /refused to send a greeting/);
    await mcp.close();
    server.transport.started = false;
    await assert.rejects(mcp.connect(server.transport), /refused to send a greeting/);
    assert.equal(server.transport.started, false);
    await assert.rejects(async () => mcp.callTool({ name: 'look' }));
    assert.deepEqual(server.received.slice(heard), []);
  });
}

for (const [sdk, Http] of [
  ['v1', HttpV1],
  ['v2', HttpV2],
  ['v2 of 2026-07-28', HttpV2],
] as const) {
  test(`over HTTP nothing is posted beside a guard, and no stream is taken up again (SDK ${sdk})`, async (t) => {
    let [issued, token] = [0, 'old'];
    // A token that the server no longer takes: the transport gets another, and posts the same message again.
    const authProvider = {
      token: async () => token,
      onUnauthorized: async () => {
        issued += 1;
        token = 'new';
      },
    };
    const options = sdk === 'v1' ? {} : { authProvider };
    const transportOf = async (server: ScriptedServer) =>
      new Http(await overHttp(t, server, sdk === 'v1' ? undefined : 'new'), options as never) as never;
    const { server, mcp, guard } = await stageOf(host, service, sdk, { transportOf });
    const made = await guard();
    t.after(() => made.close());
    assert.equal(issued, sdk === 'v1' ? 0 : 1);
    const posted = server.received.length;
    await assert.rejects(async () => mcp.callTool({ name: 'look' }), { code: -31_001 });
    const resuming = { resumptionToken: '1' } as object;
    const listed = (mcp as McpClient<never>).request({ method: 'tools/list' }, RAW, resuming);
    await assert.rejects(listed, { code: -31_001 });
    assert.equal(server.received.length, posted);
    assert.equal((await made.callTool({ name: 'look' })).isError, false);
    assert.equal(server.requestsOf('tools/call').length, 1);
  });
}

test('what the guard has asked about leaves once, and only as it was decided', async (t) => {
  const { server, guarded: guard } = await guarded(t, 'v1');
  const repeated: Promise<object>[] = [];
  const send = (id: string, params: object) =>
    void repeated.push(
      server.transport.send({ jsonrpc: '2.0', id, method: 'tools/call', params }).catch((error) => error),
    );
  server.answers['tools/call'] = ({ name, _meta }) => {
    server.answers['tools/call'] = () => ({ content: [] });
    // A program that listens knows the mark of the call by now.
    send('another', { name, arguments: { at: 'else' }, _meta });
    send('the same', { name, arguments: {}, _meta });
    return { content: [] };
  };
  assert.equal((await guard.callTool({ name: 'look' })).isError, false);
  assert.deepEqual(
    (await Promise.all(repeated)).map(String).map((text) => text.slice(0, 10)),
    ['NotGuarded', 'NotGuarded'],
  );
  assert.equal(server.requestsOf('tools/call').length, 1);
});

test('a client that changes what was decided sends nothing', async (t) => {
  class Changing extends ClientV2 {
    override request(request: Answered, ...rest: unknown[]) {
      if (request.method === 'tools/call') request.params.arguments = { at: 'elsewhere' };
      return Reflect.apply(super.request, this, [request, ...rest]) as never;
    }
  }
  const stage = await stageOf(host, service, 'v2', { mcp: new Changing({ name: 't', version: '1' }) });
  const guard = await stage.guard();
  t.after(() => guard.close());
  const { refusal } = await guard.callTool({ name: 'look', arguments: { at: 'it' } });
  assert.equal(refusal?.by, 'host');
  assert.deepEqual(stage.server.requestsOf('tools/call'), []);
});

test('a client that is connected to something else sends it no calls of the guard', async (t) => {
  const { mcp, guarded: guard } = await guarded(t, 'v1');
  await mcp.close();
  const other = (await stageOf(host, service, 'v1')).server;
  await mcp.connect(other.transport);
  const { refusal } = await guard.callTool({ name: 'look' });
  assert.deepEqual([refusal?.reason, refusal?.by], ['server_unreachable', 'host']);
  assert.deepEqual(other.requestsOf('tools/call'), []);
});

test('a transport that was guarded, and a client that is connected, are no material for a guard', async (t) => {
  const { server, mcp, guard } = await stageOf(host, service, 'v1');
  const first = await guard();
  t.after(() => first.close());
  const heard = server.received.length;
  await assert.rejects(guard(), TypeError);
  await mcp.close();
  await assert.rejects(guard(), TypeError);
  assert.equal(server.received.length, heard);
});
