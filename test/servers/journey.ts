import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { childEnvironment } from '../../apps/cli/capture/stdio.js';
import { run } from '../../apps/cli/program.js';
import { hostOf } from '../support/guarded.js';
import type { Answered, TestService } from '../support/service.js';
import type { Row } from './table.js';

/**
 * The progress of a server through the steps of docs/tutorials/guard-a-server.md: a row of the table that is printed at
 * the end.
 */
export interface Journey {
  readonly name: string;
  tools: number;
  captured: string;
  registered: string;
  called: string;
  seconds: number;
}

export const notYet = (name: string): Journey => ({
  name,
  tools: 0,
  captured: '-',
  registered: '-',
  called: '-',
  seconds: 0,
});

const CAPTURES = 5;
const TIMEOUT_S = '60';

/** Takes a server from `capture` to an answer in an envelope, and writes down how far it came. */
export async function travel(service: TestService, row: Row, program: string, folder: string, journey: Journey) {
  const command = [program, ...row.args];
  const env = Object.entries(row.env).map(([name, value]) => `${name}=${value}`);
  const id = row.name.replace(/^@/, '').replaceAll(/[^a-z0-9]+/g, '-');
  const file = join(folder, `${id}.json`);
  const capture = async (out: string) =>
    sallyport(
      service,
      folder,
      'capture',
      '--id',
      id,
      '--timeout',
      TIMEOUT_S,
      '--out',
      out,
      ...flags('--env', env),
      '--',
      ...command,
    );

  await capture(file);
  const { version }: Answered = JSON.parse(readFileSync(file, 'utf8'));
  journey.tools = version.definition.tools?.length ?? 0;
  assert.notEqual(version.manifest.server.method, 'none', `nothing proves ${row.name}`);
  assert.deepEqual([version.source.type, version.source.version], [row.registry, row.version]);
  const again = join(folder, `${id}-again.json`);
  for (let count = 1; count < CAPTURES; count += 1) {
    await capture(again);
    const { version: seen }: Answered = JSON.parse(readFileSync(again, 'utf8'));
    assert.deepEqual(seen.definition.tools, version.definition.tools, `capture ${count + 1} sees other tools`);
    assert.deepEqual(seen.manifest, version.manifest);
  }
  journey.captured = `${CAPTURES} equal`;

  await sallyport(service, folder, 'register', file);
  const review = ['review', id, version.version, '--approve', '--reason', 'tried it'];
  const refused = await ran(service, folder, ...review);
  assert.match(refused.err, /exception_required/);
  const needed = [...refused.err.matchAll(/needs --exception (\S+)/g)].map(([, code = '']) => code);
  await sallyport(service, folder, ...review, ...flags('--exception', needed));
  journey.registered = 'approved';

  const host = await hostOf(service);
  try {
    const scope = [
      { capability: id, effects: ['read' as const, 'write' as const, 'send' as const, 'modify' as const] },
    ];
    const user = { id: 'ada', roles: ['staff'] };
    const task = await host.openTask({ agent: 'scribe', user, purpose: 'try a server', scope });
    const transport = new StdioClientTransport({
      command: program,
      args: row.args,
      env: childEnvironment(process.env, env),
      stderr: 'ignore',
    });
    const { server } = version.manifest;
    const guarded = await host.guard(new Client({ name: 'scribe', version: '1' }), {
      task,
      capability: id,
      transport,
      server,
    });
    const result = await guarded.callTool({ name: row.call.tool, arguments: row.call.arguments });
    assert.equal(result.refusal, undefined, JSON.stringify(result.refusal));
    assert.match(JSON.stringify(result.content), /<<untrusted [0-9a-f]{32}/);
    journey.called = result.isError ? 'an error' : 'an answer';
  } finally {
    await host.close();
  }
}

/** Permits everything to the staff, with a policy made by the steps of the tutorial. */
export async function allowAll(service: TestService, folder: string): Promise<void> {
  const file = join(folder, 'staff.cedar');
  writeFileSync(file, '@id("staff") permit(principal in Role::"staff", action, resource);\n');
  await sallyport(service, folder, 'policy', 'propose', file, '--reason', 'staff may do all');
  await sallyport(service, folder, 'policy', 'review', '1', '--approve', '--reason', 'as agreed');
}

/** The command line, which has to end well. */
async function sallyport(service: TestService, cwd: string, ...words: string[]): Promise<void> {
  const { code, err } = await ran(service, cwd, ...words);
  assert.equal(code, 0, `sallyport ${words[0]}: ${err}`);
}

/** The command line, which finds the tokens of the first start. */
async function ran(service: TestService, cwd: string, ...words: string[]): Promise<{ code: number; err: string }> {
  let err = '';
  const code = await run(words, {
    env: { ...process.env, SALLYPORT_DATA: service.dataDir, SALLYPORT_URL: service.url },
    cwd,
    out: () => undefined,
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, err };
}

const flags = (flag: string, values: readonly string[]): string[] => values.flatMap((value) => [flag, value]);
