import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CapabilityRegistration } from '../../libs/capability/manifest.js';
import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import { fingerprintDefinition } from '../../libs/kernel/definition-digest.js';
import { openServer, type Observation, type Target } from '../../apps/cli/capture/observe.js';
import { registrationOf } from '../../apps/cli/capture/registration.js';
import { startChild } from '../../apps/cli/children.js';
import { findProvenance } from '../../apps/cli/provenance/provenance.js';
import { run } from '../../apps/cli/program.js';
import { after, before, test, type TestContext } from '../support/testing.js';

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const EVERYTHING = join(ROOT, 'node_modules', '@modelcontextprotocol', 'server-everything', 'dist', 'index.js');
const FILESYSTEM = join(ROOT, 'node_modules', '@modelcontextprotocol', 'server-filesystem', 'dist', 'index.js');
const FAKE = fileURLToPath(new URL('./fake-server.js', import.meta.url));
const everything: Target = { command: [process.execPath, EVERYTHING], env: [] };

let folder = '';
before(() => void (folder = mkdtempSync(join(tmpdir(), 'sallyport-real-'))));
after(() => rmSync(folder, { recursive: true }));

async function observe(
  target: Target,
  clientCapabilities: JsonObject = {},
  protocol = 'auto' as const,
): Promise<Observation> {
  const server = await openServer(target, { protocol, clientCapabilities, timeoutMs: 20_000 });
  await server.close();
  return server.observation;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** server-everything over streamable HTTP, stopped after the test. */
async function everythingOverHttp(t: TestContext): Promise<Target> {
  const port = await freePort();
  const child = startChild(process.execPath, [EVERYTHING, 'streamableHttp'], { env: { PORT: String(port) } });
  t.after(() => child.stop());
  child.stdout.resume();
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  for (let tries = 0; tries < 400 && !said.includes('listening'); tries += 1) await delay(25);
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), bearer: undefined };
}

test('server-everything has one digest over stdio and streamable HTTP, in each revision that it speaks', async (t) => {
  const { fingerprint, probe, definition } = await observe(everything);
  assert.equal(probe.protocolVersion, '2025-11-25');
  assert.equal(definition.tools?.length, 13);
  assert.equal(definition.resourceTemplates?.length, 2);
  const overHttp = await everythingOverHttp(t);
  for (const target of [everything, overHttp]) {
    const older = await openServer(target, { protocol: '2024-11-05', clientCapabilities: {}, timeoutMs: 20_000 });
    await older.close();
    assert.equal(older.observation.probe.protocolVersion, '2024-11-05');
    assert.equal(older.observation.fingerprint.digest, fingerprint.digest);
  }
  assert.equal((await observe(overHttp)).fingerprint.digest, fingerprint.digest);
});

test('the probe is part of what is captured: other client capabilities, other tools', async () => {
  const bare = await observe(everything);
  const clientCapabilities = { sampling: {}, elicitation: {}, roots: {} };
  const rich = await observe(everything, clientCapabilities);
  assert.deepEqual(rich.probe.clientCapabilities, clientCapabilities);
  assert.ok((rich.definition.tools?.length ?? 0) > (bare.definition.tools?.length ?? 0));
  assert.notEqual(rich.fingerprint.digest, bare.fingerprint.digest);
});

interface AnyClient {
  listTools(): Promise<{ tools: object[] }>;
  listPrompts(): Promise<{ prompts: object[] }>;
  listResourceTemplates(): Promise<{ resourceTemplates: object[] }>;
  getInstructions(): string | undefined;
}

async function digestThrough(client: AnyClient): Promise<string | undefined> {
  const { tools } = await client.listTools();
  const { prompts } = await client.listPrompts();
  const { resourceTemplates } = await client.listResourceTemplates();
  const instructions = client.getInstructions();
  const lists = { tools, prompts, resourceTemplates } as Record<string, JsonObject[]>;
  const found = fingerprintDefinition({ ...lists, ...(instructions === undefined ? {} : { instructions }) });
  return found.ok ? found.value.digest : undefined;
}

test('both generations of the SDK see the digest that was captured', async (t) => {
  const server = { command: process.execPath, args: [EVERYTHING], stderr: 'ignore' as const };
  const { fingerprint } = await observe(everything);
  const v2 = new ClientV2({ name: 'test', version: '1' });
  t.after(() => v2.close());
  await v2.connect(new StdioV2(server));
  assert.equal(await digestThrough(v2), fingerprint.digest);
  const v1 = new ClientV1({ name: 'test', version: '1' });
  t.after(() => v1.close());
  await v1.connect(new StdioV1(server));
  assert.equal(await digestThrough(v1), fingerprint.digest);
});

test('the SDK drops fields that it does not know, which is why capture reads the wire', async (t) => {
  const client = new ClientV2({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
  t.after(() => client.close());
  await client.connect(new StdioV2({ command: process.execPath, args: [FAKE, '2025-11-25'], stderr: 'ignore' }));
  const parsed = await client.listTools();
  const { definition } = await observe({ command: [process.execPath, FAKE, '2025-11-25'], env: [] });
  assert.ok(!JSON.stringify(parsed).includes('com.example/unknown'));
  assert.ok(JSON.stringify(definition).includes('com.example/unknown'));
});

test('server-filesystem becomes a registration that the registry can take', async () => {
  const command = [process.execPath, FILESYSTEM, folder];
  const target: Target = { command, env: [] };
  const observation = await observe(target);
  const found = await findProvenance(command, { cwd: ROOT, env: process.env }, []);
  const given = { kind: 'mcp-server', category: 'files', owner: 'team-docs', sensitivity: 'confidential' } as const;
  const { registration } = registrationOf(target, observation, found, given);
  const parsed = CapabilityRegistration.safeParse(JSON.parse(JSON.stringify(registration)));
  assert.ok(parsed.success, JSON.stringify(parsed.error?.issues));

  assert.equal(registration.id, 'server-filesystem');
  const { source, manifest, supplyChain, version } = registration.version;
  assert.equal(version, found.source?.version);
  assert.equal(source['name'], '@modelcontextprotocol/server-filesystem');
  assert.ok(typeof source['integrity'] === 'string' && source['integrity'].startsWith('sha512-'));
  assert.equal(manifest.server.method, 'package');
  assert.deepEqual(manifest.operations['read_text_file'], { effects: ['read'] });
  assert.deepEqual(manifest.operations['write_file'], { effects: ['write', 'modify'] });
  const dependencies = supplyChain?.['dependencies'] as { name: string }[];
  assert.ok(dependencies.some((one) => one.name === '@modelcontextprotocol/sdk'));
  assert.ok(!dependencies.some((one) => one.name === 'oxlint'), 'only what the server itself reaches');
});

test('the command runs as typed: npx form, a file, digest beside it', async () => {
  let out = '';
  let err = '';
  const world = {
    env: process.env,
    cwd: ROOT,
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    readStdin: async () => '',
  };
  const file = join(folder, 'fs.json');
  const words = ['capture', '--id', 'filesystem', '--owner', 'team-docs', '--out', file, '--'];
  assert.equal(await run([...words, process.execPath, FILESYSTEM, folder], world), 0, err);
  assert.match(out, /definition digest +sha256:[0-9a-f]{64}/);
  assert.match(err, /host must start the server with the same one/);
  const name = '@modelcontextprotocol/server-filesystem';
  const place = { cwd: ROOT, env: process.env };
  const installed = await findProvenance([process.execPath, FILESYSTEM], place, []);
  assert.match(installed.integrity ?? '', /^sha512-/);
  for (const spec of [name, `${name}@${installed.source?.version}`]) {
    assert.deepEqual(await findProvenance(['npx', '-y', spec, folder], place, []), installed);
  }
  const other = await findProvenance(['npx', '-y', `${name}@1.0.0`], { cwd: ROOT, env: { HOME: folder } }, []);
  assert.equal(other.integrity, undefined);
});
