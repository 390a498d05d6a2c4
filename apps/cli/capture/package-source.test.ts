import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { digestOfBytes } from '#libs/kernel/digest.js';
import { findPackage } from './package-source.js';

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
  },
});

function put(file: string, content: unknown): string {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

before(() => {
  root = mkdtempSync(join(tmpdir(), 'sallyport-package-'));
  put('package-lock.json', LOCK);
  put('node_modules/@acme/server/package.json', {
    name: '@acme/server',
    version: '1.2.3',
    repository: { url: 'git+x' },
  });
  put('node_modules/@acme/server/dist/package.json', { type: 'module' });
  const entry = put('node_modules/@acme/server/dist/index.js', '');
  mkdirSync(join(root, 'node_modules', '.bin'));
  symlinkSync(entry, join(root, 'node_modules', '.bin', 'acme-server'));
  put('node_modules/stale/package.json', { name: 'stale', version: '2.0.0' });
  put('node_modules/stale/index.js', '');
  put('home/.npm/_npx/abc/node_modules/kept/package.json', { name: 'kept', version: '3.0.0' });
  const kept = { packages: { 'node_modules/kept': { version: '3.0.0', integrity: 'sha512-kept' } } };
  put('home/.npm/_npx/abc/node_modules/.package-lock.json', kept);
});
after(() => rmSync(root, { recursive: true }));

const find = (...command: string[]) =>
  findPackage(command, root, { PATH: join(root, 'node_modules', '.bin'), HOME: join(root, 'home') });

test('every way to start a package finds the same one', () => {
  const found = find('node', '--enable-source-maps', 'node_modules/@acme/server/dist/index.js', '/srv');
  assert.equal(found?.name, '@acme/server');
  assert.equal(found.version, '1.2.3');
  assert.equal(found.integrity, 'sha512-server');
  assert.equal(found.repository, 'git+x');
  assert.equal(found.lock?.digest, digestOfBytes(LOCK));
  assert.deepEqual(find('acme-server', '/srv'), found);
  assert.deepEqual(find('node_modules/.bin/acme-server'), found);
  assert.deepEqual(find('npx', '-y', '@acme/server@1.2.3', '/srv'), found);
  assert.deepEqual(find('npx', '--yes', '--package', '@acme/server', 'acme-server'), found);
});

test('dependencies are those that the package reaches, nearest first, each once', () => {
  assert.deepEqual(find('acme-server')?.lock?.dependencies, [
    { name: 'a', version: '1.0.0', integrity: 'sha512-a' },
    { name: 'b', version: '1.0.0', integrity: 'sha512-b1' },
    { name: 'b', version: '2.0.0', integrity: 'sha512-b2' },
    { name: 'c', version: '1.0.0' },
  ]);
});

test('what the lock file does not agree with has no integrity', () => {
  assert.deepEqual(find('node', 'node_modules/stale/index.js'), { name: 'stale', version: '2.0.0' });
});

test('what npx keeps itself is found by its exact version', () => {
  assert.equal(find('npx', '-y', 'kept@3.0.0')?.integrity, 'sha512-kept');
  assert.equal(find('npx', '-y', 'kept')?.version, '3.0.0');
  assert.equal(find('npx', '-y', 'kept@3.0.1'), undefined);
  assert.equal(find('npx', '-y', '../../home'), undefined);
});

test('a program that is no package has no source', () => {
  assert.equal(find('/bin/sh', '-c', 'true'), undefined);
  assert.equal(find('node', '-e', '0'), undefined);
});
