import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { digestOf, digestOfBytes } from '../../../libs/kernel/digest.js';
import { findProvenance } from './provenance.js';
import { after, before, test } from '../../../test/support/testing.js';

let root = '';
const LOCK = JSON.stringify({
  lockfileVersion: 3,
  packages: {
    '': { name: 'project', version: '9.9.9' },
    'node_modules/@acme/server': { version: '1.2.3', integrity: 'sha512-server', dependencies: { a: '1', b: '1' } },
    'node_modules/@acme/server/node_modules/b': { version: '2.0.0', integrity: 'sha512-b2', dependencies: { c: '1' } },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a', dependencies: { b: '1', '@acme/server': '1' } },
    'node_modules/b': { version: '1.0.0', integrity: 'sha512-b1' },
    'node_modules/c': { version: '1.0.0' },
    'node_modules/unrelated': { version: '1.0.0' },
    'node_modules/stale': { version: '1.0.0', integrity: 'sha512-stale' },
    'node_modules/alias': { name: 'aliased', version: '1.0.0', integrity: 'sha512-aliased' },
    'node_modules/from-git': {
      version: '1.0.0',
      integrity: 'sha512-git',
      resolved: 'git+ssh://git@example.com/x.git#1',
    },
  },
});

function put(file: string, content: unknown): string {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o755 });
  return path;
}

const NODE = '#!/usr/bin/env node\n';

before(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-package-')));
  put('package.json', { name: 'project', version: '9.9.9' });
  put('package-lock.json', LOCK);
  const manifest = { name: '@acme/server', version: '1.2.3', repository: { url: 'git+x' } };
  put('node_modules/@acme/server/package.json', manifest);
  put('node_modules/@acme/server/dist/package.json', { name: 'inner', type: 'module' });
  const entry = put('node_modules/@acme/server/dist/index.js', NODE);
  mkdirSync(join(root, 'node_modules', '.bin'));
  symlinkSync(entry, join(root, 'node_modules', '.bin', 'acme-server'));
  for (const [folder, name] of [
    ['stale', 'stale'],
    ['alias', 'aliased'],
    ['from-git', 'from-git'],
    ['wrong', 'other'],
  ]) {
    put(`node_modules/${folder}/package.json`, { name, version: folder === 'stale' ? '2.0.0' : '1.0.0' });
    put(`node_modules/${folder}/index.js`, NODE);
  }
  put('node_modules/stale/node_modules/dependency/index.js', '');
  put('node_modules/@acme/server/venv/pyvenv.cfg', '');
  put('node_modules/@acme/server/venv/bin/tool', '\x7fELF');
  put('src/server.js', NODE);
  put('bin/node', '\x7fELF');
  for (const [hash, version] of [
    ['abc', '3.0.0'],
    ['def', '3.1.0'],
    ['ghi', '3.1.0'],
  ] as const) {
    const name = hash === 'abc' ? 'kept' : hash === 'def' ? 'kept' : 'single';
    put(`home/.npm/_npx/${hash}/node_modules/${name}/package.json`, { name, version });
    const kept = { packages: { [`node_modules/${name}`]: { version, integrity: `sha512-${name}-${version}` } } };
    put(`home/.npm/_npx/${hash}/node_modules/.package-lock.json`, kept);
  }
});
after(() => rmSync(root, { recursive: true }));

const find = (...command: string[]) => {
  const env = { PATH: `${join(root, 'node_modules', '.bin')}:${join(root, 'bin')}`, HOME: join(root, 'home') };
  return findProvenance(command, { cwd: root, env }, []);
};

test('every way to start a package finds the same one', async () => {
  const found = await find('node', '--enable-source-maps', 'node_modules/@acme/server/dist/index.js', '/srv');
  const { source, integrity, repository, lock } = found;
  assert.deepEqual(source, { type: 'npm', name: '@acme/server', version: '1.2.3', integrity: 'sha512-server' });
  assert.equal(integrity, 'sha512-server');
  assert.equal(repository, 'git+x');
  assert.equal(lock?.digest, digestOfBytes(LOCK));
  assert.deepEqual(await find('node', '-r', 'src/server.js', 'node_modules/.bin/acme-server'), found);
  assert.deepEqual(await find('acme-server', '/srv'), found);
  assert.deepEqual(await find('node_modules/.bin/acme-server'), found);
  assert.deepEqual(await find('env', 'A=1', 'acme-server'), found);
  assert.deepEqual(await find('cmd', '/c', 'npx', '-y', '@acme/server'), found);
  assert.deepEqual(await find('sh', '-c', 'exec acme-server /srv'), found);
  assert.deepEqual(await find('npx', '-y', '@acme/server@1.2.3', '/srv'), found);
  assert.deepEqual(await find('npx', '--yes', '--package', '@acme/server', 'acme-server'), found);
});

test('dependencies are those that the package reaches, nearest first, each once', async () => {
  assert.deepEqual((await find('acme-server')).lock?.dependencies, [
    { name: 'a', version: '1.0.0', integrity: 'sha512-a' },
    { name: 'b', version: '1.0.0', integrity: 'sha512-b1' },
    { name: 'b', version: '2.0.0', integrity: 'sha512-b2' },
    { name: 'c', version: '1.0.0' },
  ]);
});

test('a package that no lock file agrees with proves itself by its own files, and claims no registry', async () => {
  const files = [
    ['index.js', digestOfBytes(NODE)],
    ['package.json', digestOfBytes(JSON.stringify({ name: 'stale', version: '2.0.0' }))],
  ];
  const integrity = digestOf({ files, name: 'stale', version: '2.0.0' });
  const found = await find('node', 'node_modules/stale/index.js');
  assert.deepEqual(found.source, { type: 'file', name: 'stale', version: '2.0.0', integrity });
  assert.equal(found.integrity, integrity);
  assert.match(found.note, /no lock file states the integrity/);
});

test('the lock file gives the origin of a package, and the other name under which it is installed', async () => {
  const alias = await find('node', 'node_modules/alias/index.js');
  assert.deepEqual(alias.source, { type: 'npm', name: 'aliased', version: '1.0.0', integrity: 'sha512-aliased' });
  const git = await find('node', 'node_modules/from-git/index.js');
  assert.equal(git.source?.type, 'git');
  assert.equal(git.source.url, 'git+ssh://git@example.com/x.git#1');
});

test('an address that is no registry’s tarball is called http, and shows no credentials', async () => {
  const cases: [string, string, string | undefined][] = [
    ['https://registry.example.com/odd/-/odd-1.0.0.tgz', 'npm', undefined],
    ['https://me:hunter2@registry.example.com/npm/odd/-/odd-1.0.0.tgz?x=1', 'npm', undefined],
    ['https://registry.example.com/odd/-/odd-1.0.1.tgz', 'http', 'https://registry.example.com/odd/-/odd-1.0.1.tgz'],
    [
      'https://registry.example.com/other/-/other-1.0.0.tgz',
      'http',
      'https://registry.example.com/other/-/other-1.0.0.tgz',
    ],
    ['https://me:hunter2@example.com/odd.tgz', 'http', 'https://example.com/odd.tgz'],
    [`https://example.com/${'x'.repeat(600)}.tgz`, 'http', `https://example.com/${'x'.repeat(600)}.tgz`],
    ['git+https://hunter2@example.com/odd.git#1', 'git', 'git+https://example.com/odd.git#1'],
    ['git+ssh://git:hunter2@example.com/odd.git#1', 'git', 'git+ssh://git@example.com/odd.git#1'],
    ['file:../odd.tgz', 'file', undefined],
  ];
  put('odd/node_modules/odd/package.json', { name: 'odd', version: '1.0.0' });
  put('odd/node_modules/odd/index.js', NODE);
  for (const [resolved, type, url] of cases) {
    const entry = { version: '1.0.0', integrity: 'sha512-odd', resolved };
    put('odd/package-lock.json', { packages: { 'node_modules/odd': entry } });
    const { source } = await find('node', 'odd/node_modules/odd/index.js');
    assert.deepEqual([source?.type, source?.url], [type, url], resolved);
  }
});

test('a file below a package.json is not that package, nor is one in a folder of another name', async () => {
  for (const file of ['src/server.js', 'node_modules/wrong/index.js']) {
    const found = await find('node', file);
    const integrity = digestOfBytes(NODE);
    assert.deepEqual(found.source, { type: 'file', name: file.split('/').at(-1), integrity });
    assert.match(found.note, /is of (server|index)\.js alone/);
  }
  const tool = await find('node_modules/@acme/server/venv/bin/tool');
  assert.equal(tool.source?.name, 'tool');
  assert.equal(tool.source.version, undefined);
});

test('what npx keeps is found if only one version of it can be the one that runs', async () => {
  assert.equal((await find('npx', '-y', 'kept@3.0.0')).integrity, 'sha512-kept-3.0.0');
  assert.equal((await find('npx', '-y', 'single')).integrity, 'sha512-single-3.1.0');
  assert.equal((await find('npx', '-y', 'single@latest')).integrity, 'sha512-single-3.1.0');
  assert.equal((await find('npx', '-y', 'kept')).integrity, undefined);
  // The project has version 1.2.3 of it.
  for (const wanted of ['latest', '^2', '^1', '>=1.0.0 <3', '1.2.4', '1.2.3 || 2', '']) {
    assert.equal((await find('npx', '-y', `@acme/server@${wanted}`)).integrity, undefined, wanted);
  }
  assert.equal((await find('npx', '-y', 'kept@3.0.1')).integrity, undefined);
  assert.equal((await find('npx', '-y', '../../home')).integrity, undefined);
});

test('the assignments of env count, and its options leave the word to the process', async () => {
  const outside = put('outside/acme-server', '\x7fELF of another');
  const found = await find('env', `PATH=${dirname(outside)}`, 'acme-server');
  assert.deepEqual(found.integrity, digestOfBytes('\x7fELF of another'));
  assert.equal((await find('env', `npm_config_cache=${root}`, 'npx', '-y', 'single')).integrity, undefined);
  for (const options of [['-i'], ['-u', 'PATH'], ['-S', 'A=1'], [`--split-string=PATH=${root}`], ['--unset=PATH']]) {
    const { integrity, note } = await find('env', ...options, 'acme-server');
    assert.equal(integrity, undefined, options.join(' '));
    assert.match(note, /env starts the server/);
  }
});

test('a missing proof has a reason', async () => {
  const cases: [string[], RegExp][] = [
    [['/bin/sh', '-c', 'a | b'], /a shell starts the server: the code of the server stands in the command line/],
    [['/bin/sh', '-lc', 'acme-server'], /a shell starts the server/],
    [['node', '-e', '0'], /the code of the server stands in the command line/],
    [['node', 'nowhere.js'], /names no file that can be read/],
    [['node'], /names no file/],
    [['nowhere'], /program of the process cannot be found/],
    [['uvx', 'mcp-server-time'], /uvx starts the server/],
  ];
  for (const [command, why] of cases) {
    const { integrity, note } = await find(...command);
    assert.equal(integrity, undefined);
    assert.match(note, why);
  }
});
