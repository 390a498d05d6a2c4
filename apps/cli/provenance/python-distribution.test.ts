import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { digestOf, digestOfBytes } from '../../../libs/kernel/digest.js';
import { findProvenance } from './provenance.js';
import { after, before, describe, test } from '../../../test/support/testing.js';

const hasPython = spawnSync('python3', ['-c', 'import venv']).status === 0;
const ENTRY = 'acme_server:main';
const FILES = {
  'acme_server/__init__.py': 'def main(): pass\n',
  'acme_server/__main__.py': 'from acme_server import main\nmain()\n',
  'Acme_Server-1.2.dist-info/METADATA': 'Metadata-Version: 2.1\nName: Acme_Server\nVersion: 1.2\n\nName: other\n',
  'Acme_Server-1.2.dist-info/entry_points.txt': `[console_scripts]\nacme-server = ${ENTRY}\n`,
};
const launcher = (python: string, import_ = 'from acme_server import main'): string =>
  `#!${python}\n# -*- coding: utf-8 -*-\nimport re\nimport sys\n${import_}\nif __name__ == '__main__':\n` +
  `    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit(main())\n`;

/** The file list digest of docs/reference/servers.md, of the wheel's own files. */
const WHEEL = digestOf({
  files: Object.entries(FILES)
    .map(([path, text]) => [path, digestOfBytes(text)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1)),
  name: 'acme-server',
  version: '1.2',
});

(hasPython ? describe : describe.skip)('a server from PyPI', () => {
  let root = '';
  let venv = '';
  let packages = '';
  before(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-python-')));
    // A venv within a project whose package.json names something else.
    writeFileSync(join(root, 'package.json'), '{"name":"project","version":"9.9.9"}');
    venv = join(root, '.venv');
    execFileSync('python3', ['-m', 'venv', '--without-pip', venv]);
    const lib = join(venv, 'lib');
    packages = join(lib, readdirSync(lib).find((name) => name.startsWith('python3')) ?? '', 'site-packages');
    install();
  });
  after(() => rmSync(root, { recursive: true }));

  const put = (file: string, text: string): void => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o755 });
  };
  const row = (path: string, text: string): string => {
    const hash = createHash('sha256').update(text).digest('base64url');
    return `${path},sha256=${hash},${text.length}`;
  };

  /** Installs the wheel as an installer leaves it. `more` are files of the wheel in addition to the usual ones. */
  function install(more: Record<string, string> = {}): void {
    for (const entry of readdirSync(packages)) rmSync(join(packages, entry), { recursive: true });
    const own = { ...FILES, 'Acme_Server-1.2.dist-info/INSTALLER': `pip ${Math.random()}\n`, ...more };
    for (const [path, text] of Object.entries(own)) put(join(packages, path), text);
    const script = launcher(join(venv, 'bin', 'python'));
    put(join(venv, 'bin', 'acme-server'), script);
    const rows = Object.entries(own).map(([path, text]) => row(path, text));
    rows.push(row(relative(packages, join(venv, 'bin', 'acme-server')), script));
    rows.push('acme_server/__pycache__/__init__.cpython-311.pyc,,', 'Acme_Server-1.2.dist-info/RECORD,,');
    put(join(packages, 'Acme_Server-1.2.dist-info', 'RECORD'), `${rows.join('\n')}\n`);
  }

  /** Turns the distribution into one that runs other files, as the SDK's `mcp run` does. */
  function installLauncher(): void {
    install({ 'Acme_Server-1.2.dist-info/METADATA': 'Metadata-Version: 2.1\nName: mcp\nVersion: 1.2\n' });
  }

  const find = (command: readonly string[], env: Record<string, string> = {}, cwd = root) =>
    findProvenance(command, { cwd, env: { PATH: process.env['PATH'], ...env } }, []);
  const script = () => find([join(venv, 'bin', 'acme-server')]);
  const module = (env = {}, cwd = root) => find([join(venv, 'bin', 'python'), '-u', '-m', 'acme_server'], env, cwd);

  test('its script and its module prove the same wheel, under any package.json above', async () => {
    const found = await script();
    assert.deepEqual(found.source, { type: 'pypi', name: 'acme-server', version: '1.2', integrity: WHEEL }, found.note);
    assert.equal(found.integrity, WHEEL);
    assert.deepEqual(await module(), found);
    const link = join(root, 'link');
    symlinkSync(join(venv, 'bin', 'acme-server'), link);
    assert.deepEqual(await find([link]), found);
    assert.deepEqual(await find([join(venv, 'bin', 'python3'), link, '--verbose']), found);
  });

  test('a changed, missing or added file proves nothing', async () => {
    const changes: [string, string | undefined, RegExp][] = [
      ['acme_server/__init__.py', 'def main(): steal()\n', /__init__\.py is not the file that RECORD describes/],
      ['acme_server/__main__.py', undefined, /__main__\.py is in RECORD and not on the disk/],
      ['acme_server/tools/__init__.py', 'x', /tools\/__init__\.py lies in its package and is not in RECORD/],
      ['acme_server/server.cpython-311-x86_64-linux-gnu.so', 'x', /is not in RECORD/],
    ];
    for (const [path, text, why] of changes) {
      install();
      if (text === undefined) rmSync(join(packages, path));
      else put(join(packages, path), text);
      const { integrity, note, source } = await script();
      assert.equal(integrity, undefined);
      assert.equal(source?.name, 'acme-server');
      assert.match(note, why);
    }
    install({ 'acme_server/data.json': '{}' });
    const other = await script();
    assert.ok(other.integrity !== undefined && other.integrity !== WHEEL);
  });

  test('code that Python finds elsewhere is not the distribution’s', async () => {
    install();
    const elsewhere = join(root, 'elsewhere');
    put(join(elsewhere, 'acme_server.py'), 'def main(): pass\n');
    const first = await find([join(venv, 'bin', 'acme-server')], { PYTHONPATH: elsewhere });
    assert.equal(first.integrity, undefined);
    assert.match(first.note, /finds the module acme_server outside of the distribution/);
    const assigned = await find(['env', `PYTHONPATH=${elsewhere}`, join(venv, 'bin', 'acme-server')]);
    assert.equal(assigned.integrity, undefined);
    assert.match(assigned.note, /finds the module acme_server outside of the distribution/);
    // With -m, the working folder comes first.
    const second = await module({}, elsewhere);
    assert.deepEqual(second.source, {
      type: 'file',
      name: 'acme_server.py',
      integrity: digestOfBytes('def main(): pass\n'),
    });
    assert.equal((await module()).integrity, WHEEL);
  });

  test('a script that is no plain launcher is part of the digest, without the line that names Python', async () => {
    install();
    const bin = join(venv, 'bin', 'acme-server');
    const text = launcher(join(venv, 'bin', 'python'), 'import os; os.environ.clear()\nfrom acme_server import main');
    writeFileSync(bin, text);
    assert.match((await script()).note, /bin\/acme-server is not the file that RECORD describes/);
    const record = join(packages, 'Acme_Server-1.2.dist-info', 'RECORD');
    install();
    writeFileSync(bin, text);
    appendFileSync(record, `${row(relative(packages, bin), text)}\n`);
    const found = await script();
    assert.ok(found.integrity !== undefined && found.integrity !== WHEEL, found.note);
  });

  test('a distribution from elsewhere does not claim to be from PyPI, and an editable one proves nothing', async () => {
    const direct = 'Acme_Server-1.2.dist-info/direct_url.json';
    install({ [direct]: '{"url":"https://git.example.com/x","vcs_info":{"vcs":"git","commit_id":"1"}}' });
    assert.equal((await script()).source?.type, 'git');
    install({ [direct]: '{"url":"https://me:hunter2@files.example.com/x.whl","archive_info":{}}' });
    const { source } = await script();
    assert.deepEqual([source?.type, source?.url], ['http', 'https://files.example.com/x.whl']);
    install({ [direct]: '{"url":"file:///src/acme","dir_info":{}}' });
    const local = await script();
    assert.equal(local.source?.type, 'file');
    assert.equal(local.integrity, WHEEL);
    install({ [direct]: '{"url":"file:///src/acme","dir_info":{"editable":true}}' });
    const editable = await script();
    assert.equal(editable.integrity, undefined);
    assert.match(editable.note, /editable/);
  });

  test('mcp run proves the one Python file that it names, and nothing if there are two', async () => {
    installLauncher();
    put(join(root, 'server.py'), 'print()\n');
    put(join(root, 'other.py'), '');
    put(join(root, 'stdio'), 'a file that is called like a word');
    const run = (...args: string[]) => find([join(venv, 'bin', 'acme-server'), 'run', ...args]);
    for (const args of [['server.py'], ['-t', 'stdio', 'server.py:app'], ['package.json', 'server.py']]) {
      assert.equal((await run(...args)).integrity, digestOfBytes('print()\n'), args.join(' '));
    }
    for (const args of [['stdio'], ['package.json'], ['server.py', '--with-editable', 'other.py'], ['nowhere.py']]) {
      const { integrity, note } = await run(...args);
      assert.equal(integrity, undefined, args.join(' '));
      assert.match(note, /mcp starts the server/);
    }
  });

  test('a file of nobody proves itself by its bytes, a program of a wheel by its distribution', async () => {
    install();
    put(join(root, 'server.py'), 'print()\n');
    const { source } = await find([join(venv, 'bin', 'python'), 'server.py', 'acme_server']);
    assert.deepEqual(source, { type: 'file', name: 'server.py', integrity: digestOfBytes('print()\n') });
    const program = join(venv, 'bin', 'acme-native');
    put(program, '\x7fELF');
    appendFileSync(
      join(packages, 'Acme_Server-1.2.dist-info', 'RECORD'),
      `${row(relative(packages, program), '\x7fELF')}\n`,
    );
    const native = await find([program]);
    assert.equal(native.source?.type, 'pypi', native.note);
    assert.notEqual(native.integrity, WHEEL);
  });
});
