import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { VERSION } from '../../libs/kernel/version.js';
import { ended, place } from '../process/child.js';
import { projectRoot } from '../support/root.js';
import { after, before, describe, test } from '../support/testing.js';
import { callBody, openTask, readyWorld } from '../support/world.js';

/** The published packages as a user has them: packed, installed from the archives outside of the checkout, and run. */

const PACKAGES = ['sallyport', '@sallyport/host'] as const;

/** An install fetches some 200 packages, if the machine has none of them. */
const RUN_MS = 240_000;

const runFile = promisify(execFile);
const { PATH = '', HOME = '' } = process.env;
let folder = '';
let user = '';

/** Runs a program as a user would, without a setting of ours; resolves to its stdout. */
async function run(cwd: string, program: string, args: readonly string[], env = {}): Promise<string> {
  const { stdout } = await runFile(program, args, {
    cwd,
    env: { PATH, HOME, ...env },
    encoding: 'utf8',
    timeout: RUN_MS,
  });
  return stdout;
}

const npx = (args: readonly string[], env = {}): Promise<string> => run(user, 'npx', ['--no-install', ...args], env);

/** Uses the SDK as its reader does: asks for the decision of one call. */
const HOST = `
import { connectHost } from '@sallyport/host';
const [url, token, call] = process.argv.slice(2);
const host = await connectHost({ url, token });
const { decision, reason } = await host.client.authorize(JSON.parse(call));
console.log(decision, reason);
await host.close();
`;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-release-'));
  user = join(folder, 'user');
  mkdirSync(user);
  const archives = join(folder, 'archives');
  await run(projectRoot, process.execPath, ['scripts/pack.mjs', archives]);
  writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }');
  writeFileSync(join(user, 'host.js'), HOST);
  const files = readdirSync(archives).map((name) => join(archives, name));
  assert.equal(files.length, PACKAGES.length);
  await run(user, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...files]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('the packages that are published', () => {
  for (const name of PACKAGES) {
    test(`${name} holds what it needs to run, and neither sources nor tests`, () => {
      const installed = join(user, 'node_modules', name);
      const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
        (file) => !file.startsWith('node_modules'),
      );
      for (const file of ['README.md', 'LICENSE', 'package.json']) assert.ok(files.includes(file), file);
      const unwanted =
        /(\.test\.|\.map$|\.tsbuildinfo$|(^|[^d])(?<!\.d)\.ts$|^(test|scripts|data|deploy)\/|dist\/test)/;
      assert.deepEqual(
        files.filter((file) => unwanted.test(file)),
        [],
      );
      const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string };
      assert.equal(version, VERSION);
    });
  }

  test('the command line says its version and its commands', async () => {
    assert.equal(await npx(['sallyport', '--version']), `${VERSION}\n`);
    assert.match(await npx(['sallyport', 'help']), /\n {2}serve /);
  });

  test('the service starts from the package, the command line opens it, and the SDK asks it for a decision', async (t) => {
    const here = place(t);
    // Not by npx, which does not pass a SIGTERM on; the signal of a terminal reaches the whole group.
    const service = await here.start({ cwd: user, command: [join(user, 'node_modules/.bin/sallyport'), 'serve'] });
    await readyWorld(service);
    const connection = { SALLYPORT_URL: service.url, SALLYPORT_DATA: here.dataDir };
    assert.match(await npx(['sallyport', 'capabilities'], connection), /memory/);
    const call = callBody(await openTask(service));
    const told = await run(user, process.execPath, ['host.js', service.url, service.tokens.host, JSON.stringify(call)]);
    assert.match(told, /^allow /);
    service.kill('SIGTERM');
    assert.deepEqual(await ended(service), { code: 0, signal: null });
    assert.equal(service.groupIsLeft(), false);
  });
});

test('npx finds the command in a checkout that was never built', () => {
  const { bin } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { bin: { sallyport: string } };
  assert.ok(existsSync(join(projectRoot, bin.sallyport)) && !bin.sallyport.startsWith('dist/'), bin.sallyport);
});
