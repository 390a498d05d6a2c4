import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installed } from '../servers/install.js';
import { projectRoot } from '../support/root.js';
import { startService } from '../support/service.js';
import { test } from '../support/testing.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';

/** Rejects with everything that the program said: it may say on either output why it fails. */
async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { cwd })).stdout;
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout?: string; stderr?: string };
    throw new Error([message, stdout, stderr].join('\n'), { cause: error });
  }
}

const GENERATOR = {
  registry: 'pypi',
  name: 'openapi-python-client',
  version: '0.29.1',
  bin: 'openapi-python-client',
} as const;

test('a Python client that is generated from /openapi.json authorizes a call', async (t) => {
  const program = await installed(GENERATOR);
  if (typeof program !== 'string') return t.skip(program.unavailable);
  const service = await startService();
  t.after(() => service.stop());
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-client-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));

  const description = expecting(200, await service.call('nobody', 'GET', '/openapi.json'));
  writeFileSync(join(folder, 'openapi.json'), JSON.stringify(description));
  const written = join(folder, 'sallyport_client');
  const options = ['--path', join(folder, 'openapi.json'), '--output-path', written, '--meta', 'none'];
  const said = await run(program, ['generate', ...options], folder);
  assert.doesNotMatch(said, /unsupported|cannot parse/i, said);

  await readyWorld(service);
  const opened = await openTask(service);
  const script = join(folder, 'authorize.py');
  copyFileSync(join(projectRoot, 'test/clients/authorize.py'), script);
  const request = JSON.stringify(callBody(opened));
  // The generator's own environment has what its clients import.
  const python = join(program, '..', 'python');
  const answered = await run(python, [script, service.url, service.tokens.host, request], folder);
  const decision = JSON.parse(answered) as { decision: string; reason: string };
  assert.deepEqual([decision.decision, decision.reason], ['allow', 'ok']);
});
