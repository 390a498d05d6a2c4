import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CapabilityRegistration } from '../../libs/capability/manifest.js';
import { run } from '../../apps/cli/program.js';
import { startService, type Answered } from '../support/service.js';
import { after, before, test } from '../support/testing.js';

const FAKE = fileURLToPath(new URL('./fake-server.js', import.meta.url));

let folder = '';
before(() => void (folder = mkdtempSync(join(tmpdir(), 'sallyport-report-'))));
after(() => rmSync(folder, { recursive: true }));

async function sallyport(words: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  let out = '';
  let err = '';
  const code = await run(words, {
    env,
    cwd: folder,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, out, err };
}

test('a tool that cannot be vetted is left out of the manifest, named, and refuses nothing else', async (t) => {
  const file = join(folder, 'partial.json');
  const words = ['capture', '--id', 'partial', '--out', file, '--json', '--', process.execPath, FAKE, 'unvettable'];
  const { code, out, err } = await sallyport(words);
  assert.equal(code, 0, err);
  const { leftOut }: Answered = JSON.parse(out);
  assert.deepEqual(
    leftOut.map((one: Answered) => one.operation),
    ['backreference', 'remote', 'shapeless'],
  );
  assert.match(leftOut[0].reason, /its input schema is refused at \/properties\/q: /);
  assert.match(leftOut[1].reason, /its output schema is refused at \//);
  assert.match(leftOut[2].reason, /declares no input schema/);
  assert.match(err, /3 operations are left out of the manifest and cannot be called/);
  assert.match(err, / {2}backreference: its input schema/);

  const registration: Answered = JSON.parse(readFileSync(file, 'utf8'));
  assert.deepEqual(Object.keys(registration.version.manifest.operations).slice(0, 2), ['good', 'prompt:greet']);
  assert.equal(registration.version.definition.tools.length, 4, 'all of them stay in the definition');
  assert.ok(CapabilityRegistration.safeParse(registration).success);
  const service = await startService();
  t.after(() => service.stop());
  const env = { SALLYPORT_DATA: service.dataDir, SALLYPORT_URL: service.url };
  const registered = await sallyport(['register', file], env);
  assert.equal(registered.code, 0, registered.err);
});

test('a capture that fails names the command, how it ended, and the last that it wrote', async () => {
  const command = [
    process.execPath,
    FAKE,
    'dies-with-words',
    '--api-key=hunter2',
    '--token',
    'hunter3',
    'Authorization: hunter5',
    'https://a:hunter4@b',
  ];
  const { code, out, err } = await sallyport(['capture', '--', ...command]);
  assert.equal(code, 6);
  assert.equal(out, '');
  const [first = '', ...said] = err.trimEnd().split('\n');
  assert.ok(first.startsWith(`sallyport: ${process.execPath} ${FAKE} dies-with-words`), first);
  assert.match(
    first,
    /--api-key=… --token … Authorization: … https:\/\/…@b: the server's process ended \(exit code 3\)/,
  );
  assert.doesNotMatch(err, /hunter/);
  assert.equal(said.length, 8, 'the last lines alone');
  assert.ok(said.every((line) => line.startsWith('  stderr: ') && line.length < 400));
  assert.equal(said.at(-2), '  stderr: line 40 \\u{1b}[2J\\u{202e}');
});

test('a signal is named, and --verbose shows what goes by as it comes', async () => {
  const killed = await sallyport(['capture', '--', 'sh', '-c', 'kill -KILL $$']);
  assert.match(killed.err, /^sallyport: sh -c kill -KILL \$\$: the server's process ended \(signal SIGKILL\)/);
  const words = ['capture', '--verbose', '--', process.execPath, FAKE, 'dies-with-words'];
  const { err } = await sallyport(words);
  assert.ok(err.indexOf(' stderr: line 1 ') < err.indexOf('sallyport:'), 'shown before the failure');
  assert.match(err, /protocol: server\/discover: the server's process ended/);
  const partial = await sallyport(['capture', '--', process.execPath, FAKE, 'lists-missing']);
  assert.match(partial.err, /note: the server declares prompts\/list and does not answer it: it counts as empty/);
  const banner = await sallyport(['capture', '--verbose', '--', process.execPath, FAKE, 'banner']);
  assert.equal(banner.code, 0);
  assert.match(banner.err, /protocol: no JSON-RPC on stdout: Welcome to the fake server/);
  assert.match(banner.err, /protocol: server\/discover: error -32601/);
});
