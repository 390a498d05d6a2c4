import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { openServer, type Observation } from '../../apps/cli/capture/observe.js';
import { TOOLS, type Manner } from '../demo/fake-server.js';
import { hostedService, scopeOf } from '../support/guarded.js';
import { approve, INTEGRITY, register } from '../support/world.js';
import { test } from '../support/testing.js';

const FAKE = fileURLToPath(new URL('../demo/fake-server.js', import.meta.url));
const SERVER = { method: 'package', integrity: INTEGRITY } as const;
const SDKS = ['v1', 'v2', 'v2 that negotiates'] as const;

const { service, host } = await hostedService();

function clientOf(sdk: (typeof SDKS)[number], manner: Manner) {
  const spawned = { command: process.execPath, args: [FAKE, manner], stderr: 'ignore' as const };
  const info = { name: 't', version: '1' };
  if (sdk === 'v1') return { mcp: new ClientV1(info), transport: new StdioV1(spawned) };
  const negotiation = sdk === 'v2' ? {} : { versionNegotiation: { mode: 'auto' as const } };
  return { mcp: new ClientV2(info, negotiation), transport: new StdioV2(spawned) };
}

/** Captures a server as `sallyport capture` does, and registers it as a package whose evidence the tests have. */
async function captured(manner: Manner): Promise<Observation> {
  const target = { command: [process.execPath, FAKE, manner], env: [] };
  const opened = await openServer(target, { protocol: 'auto', clientCapabilities: {}, timeoutMs: 20_000 });
  await opened.close();
  const { definition, probe } = opened.observation;
  const manifest = { operations: { look: { effects: ['read'] } }, sensitivity: 'internal', server: SERVER };
  const source = { type: 'npm', name: '@example/fake', version: '1.0.0', integrity: INTEGRITY };
  await register(service, manner, { version: '1.0.0', source, definition, probe, manifest });
  await approve(service, manner);
  return opened.observation;
}

/** Servers, and the lists that they declare and do not have. */
const SERVERS: [Manner, string[]][] = [
  ['2025-11-25', []],
  ['2024-11-05', []],
  ['both-eras', []],
  ['lists-missing', ['prompts/list', 'resources/templates/list']],
  ['says-unsupported', ['prompts/list', 'resources/templates/list']],
  ['resources-fail', ['resources/list']],
  ['resources-hang', ['resources/list']],
];
for (const [manner, missing] of SERVERS) {
  test(`what was captured of a server is what both SDKs are given: ${manner}`, async () => {
    const observation = await captured(manner);
    assert.deepEqual(observation.missing, missing);
    assert.equal(observation.definition.tools?.length, 4);
    assert.equal(observation.definition.prompts?.length, missing.includes('prompts/list') ? 0 : 1);
    for (const sdk of SDKS) {
      const task = await host.openTask(scopeOf(manner, { effects: ['read'] }));
      assert.equal(task.pins[0]?.definitionDigest, observation.fingerprint.digest);
      const { mcp, transport } = clientOf(sdk, manner);
      const options = { task, capability: manner, server: SERVER, transport: transport as never };
      const guard = await host.guard(mcp, options);
      assert.deepEqual(guard.shown.tools, [TOOLS[0]], sdk);
      await guard.close();
    }
  });
}
