import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Json, JsonObject } from '../../kernel/canonical-json.js';
import { digestOf } from '../../kernel/digest.js';
import { validateResponse } from '../response.js';
import { createSchemaValidator } from './schema-validator.js';
import { vetSchema } from './schema-vetting.js';
import { after, before, describe, test } from '../../../test/support/testing.js';

const resolve = createRequire(import.meta.url).resolve;
const entryOf = (name: string): string => resolve(`@modelcontextprotocol/${name}/dist/index.js`);

async function connect(args: string[]): Promise<Client> {
  const client = new Client(
    { name: 'sallyport-test', version: '0' },
    { capabilities: { sampling: {}, elicitation: {}, roots: {} } },
  );
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }));
  return client;
}

/** Servers as they are published, started over stdio: what they declare and answer has to get through. */
describe('real MCP servers', () => {
  let folder: string;
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'sallyport-content-')));
    await writeFile(join(folder, 'note.txt'), 'Grüße\n');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Vets what a server lists, and answers the response of one call as it would reach the agent. */
  async function tryOut(args: string[], operation: string, callArguments: Record<string, unknown>) {
    const client = await connect(args);
    try {
      const { tools } = await client.listTools();
      assert.ok(tools.length >= 10);
      for (const tool of tools) {
        for (const schema of [tool.inputSchema, tool.outputSchema]) {
          if (schema !== undefined)
            assert.deepEqual(vetSchema(schema as Json), { ok: true, value: undefined }, tool.name);
        }
      }
      const tool = tools.find(({ name }) => name === operation);
      const outputSchema = tool?.outputSchema as Json | undefined;
      const validator = createSchemaValidator({ maxCompiled: 8 });
      const inputSchema = tool?.inputSchema as Json;
      assert.ok(validator.validate(digestOf(inputSchema), () => inputSchema, callArguments as Json).ok);
      assert.ok(!validator.validate(digestOf(inputSchema), () => inputSchema, { path: 7, location: 7 }).ok);
      const result = (await client.callTool({ name: operation, arguments: callArguments })) as unknown as JsonObject;
      return validateResponse({
        result,
        ...(outputSchema === undefined
          ? {}
          : { outputSchema: { digest: digestOf(outputSchema), load: () => outputSchema } }),
        source: { capability: 'server', version: '1', operation, server: { method: 'package', result: 'verified' } },
        limits: { maxBytes: 8 << 20, maxDepth: 64, maxParts: 100 },
        boundarySeed: () => 'd41d8cd98f00b204e9800998ecf8427e',
        validator,
      });
    } finally {
      await client.close();
    }
  }

  test('server-filesystem', async () => {
    const path = join(folder, 'note.txt');
    const answer = await tryOut([entryOf('server-filesystem'), folder], 'read_text_file', { path });
    assert.deepEqual(answer.findings, []);
    const [text] = answer.content?.parts ?? [];
    assert.ok(text?.type === 'text' && text.text.split('\n')[1] === 'Grüße');
  });

  test('server-everything', async () => {
    const answer = await tryOut([entryOf('server-everything'), 'stdio'], 'get-structured-content', {
      location: 'Chicago',
    });
    assert.deepEqual(answer.findings, []);
    assert.ok(answer.content?.parts.some((part) => part.type === 'structured'));
  });
});
