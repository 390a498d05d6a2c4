import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOfBytes } from '../../libs/kernel/digest.js';
import { run } from '../../apps/cli/program.js';
import type { Answered } from '../support/service.js';
import { after, before, test } from '../support/testing.js';

const FAKE = fileURLToPath(new URL('./fake-server.js', import.meta.url));
/** Runs the fake server in the place of the named script. */
const SERVE = `process.argv[1] = ${JSON.stringify(FAKE)};\nimport(${JSON.stringify(FAKE)});\n`;
const MANNER = '2025-11-25';
const DIGEST = `sha256:${'d'.repeat(64)}`;

let folder = '';
before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-provenance-')));
  // A package that is installed as npm does it, and starts the server that speaks.
  const installed = join(folder, 'node_modules', '@acme', 'server');
  put(join(installed, 'package.json'), '{"name":"@acme/server","version":"1.2.3","type":"module"}');
  put(join(installed, 'index.js'), `process.title = 'acme';\n${SERVE}`);
  const packages = { 'node_modules/@acme/server': { version: '1.2.3', integrity: 'sha512-server' } };
  put(join(folder, 'package-lock.json'), JSON.stringify({ packages }));
  put(join(folder, 'package.json'), '{"name":"project","version":"9.9.9"}');
});
after(() => rmSync(folder, { recursive: true }));

function put(file: string, text: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o755 });
  return file;
}

/** Captures a server by the command line itself, and gives what it registers. */
async function capture(command: readonly string[], ...options: string[]) {
  const out = join(folder, 'out.json');
  let err = '';
  const world = {
    env: process.env,
    cwd: folder,
    out: () => undefined,
    err: (text: string) => void (err += text),
    readStdin: async () => '',
  };
  const code = await run(['capture', '--out', out, ...options, '--', ...command], world);
  assert.equal(code, 0, err);
  const { version, id }: Answered = JSON.parse(readFileSync(out, 'utf8'));
  return { id, err, release: version.version, source: version.source, server: version.manifest.server };
}

const PACKAGE = { type: 'npm', name: '@acme/server', version: '1.2.3', integrity: 'sha512-server' };
const quoted = (word: string): string => `'${word}'`;

test(
  'a launcher is looked through to the package that it started',
  { skip: process.platform !== 'linux' },
  async () => {
    const entry = join(folder, 'node_modules', '@acme', 'server', 'index.js');
    const line = [process.execPath, entry, MANNER].map(quoted).join(' ');
    const wrapper = put(join(folder, 'wrapper.sh'), `#!/bin/sh\n${line} "$@"\nexit 0\n`);
    const commands = [
      [process.execPath, entry, MANNER],
      ['env', 'FOO=1', process.execPath, entry, MANNER],
      [wrapper],
      // Neither hides its server: each starts it below itself.
      ['sh', '-c', `true; ${line}`],
      ['timeout', '60', process.execPath, '--enable-source-maps', entry, MANNER],
    ];
    for (const command of commands.slice(0, 2)) {
      const { source, server, id } = await capture(command);
      assert.deepEqual([id, source, server.integrity], ['server', PACKAGE, 'sha512-server'], command.join(' '));
    }
    // The same package, once it leaves its command line alone.
    put(entry, SERVE);
    for (const command of commands) {
      const { source, server } = await capture(command);
      assert.deepEqual([source, server.method], [PACKAGE, 'package'], command.join(' '));
    }
  },
);

test(
  'a launcher whose server hides its command line proves nothing',
  { skip: process.platform !== 'linux' },
  async () => {
    const entry = put(join(folder, 'node_modules', '@acme', 'server', 'hidden.js'), '');
    put(entry, `process.title = 'acme';\n${SERVE}`);
    const { server, err } = await capture([
      'sh',
      '-c',
      `true; ${[process.execPath, entry, MANNER].map(quoted).join(' ')}; true`,
    ]);
    assert.deepEqual(server, { method: 'none' });
    assert.match(err, /the process of the server hides its command line/);
  },
);

test('a pipe has no one server behind it', async () => {
  const line = [process.execPath, FAKE, MANNER].map(quoted).join(' ');
  const { server, source, err } = await capture(['sh', '-c', `cat | ${line}`]);
  assert.deepEqual([server, source], [{ method: 'none' }, { type: 'file', name: 'sh' }]);
  assert.match(err, /nothing proves which server this is: a shell starts the server/);
});

test('a script and a program of no package prove themselves by their bytes', async () => {
  const text = `#!${process.execPath}\n${SERVE}`;
  const own = put(join(folder, 'bin', 'own-server'), text);
  const { server, source, id, err } = await capture([own, MANNER]);
  const integrity = digestOfBytes(text);
  assert.deepEqual(source, { type: 'file', name: 'own-server', integrity });
  assert.deepEqual(server, { method: 'package', integrity, command: `${own} ${MANNER}` });
  assert.equal(id, 'fake', 'the name of the server says more than that of its file');
  assert.match(err, /the digest is of own-server alone/);
  const program = join(folder, 'bin', 'compiled');
  copyFileSync(realpathSync(process.execPath), program);
  const compiled = await capture([program, FAKE, MANNER]);
  assert.deepEqual(compiled.source, {
    type: 'file',
    name: 'compiled',
    integrity: digestOfBytes(readFileSync(program)),
  });
});

test('a container proves itself by the digest of its image', async () => {
  const line = [process.execPath, FAKE, MANNER].map(quoted).join(' ');
  const inspected = JSON.stringify([{ Id: `sha256:${'1'.repeat(64)}`, RepoDigests: [`mcp/time@${DIGEST}`] }]);
  const engine = `#!/bin/sh\nif [ "$1" = image ]; then [ "$3" = gone ] && exit 1; echo ${quoted(inspected)}; exit; fi\n${line}\n`;
  put(join(folder, 'engine', 'docker'), engine);
  const path = ['--env', `PATH=${join(folder, 'engine')}:${process.env['PATH']}`];
  const docker = ['docker', 'run', '-i', '--rm', '-e', 'KEY=1'];
  const image = { type: 'oci', name: 'docker.io/mcp/time', integrity: DIGEST };

  const tagged = await capture([...docker, 'mcp/time:2.1'], ...path);
  assert.deepEqual(tagged.source, { ...image, version: '2.1' });
  assert.deepEqual(tagged.server, {
    method: 'package',
    integrity: DIGEST,
    command: 'docker run -i --rm -e KEY=1 mcp/time:2.1',
  });
  assert.deepEqual([tagged.id, tagged.release], ['time', '2.1']);
  const latest = await capture([...docker, 'mcp/time:latest'], ...path);
  assert.equal(latest.release, '1.2.3', 'a tag that moves is no version');
  const other = `sha256:${'e'.repeat(64)}`;
  const pinned = await capture([...docker, `ghcr.io/acme/time@${other}`, 'serve'], ...path);
  assert.deepEqual(pinned.source, { type: 'oci', name: 'ghcr.io/acme/time', integrity: other });
  const unknown = await capture([...docker, 'gone'], ...path);
  assert.deepEqual([unknown.server, unknown.source.name], [{ method: 'none' }, 'docker.io/library/gone']);
  assert.match(unknown.err, /docker does not tell the digest of the image gone/);
});
