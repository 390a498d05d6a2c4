import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registeredServer } from '../support/guarded.js';
import { projectRoot } from '../support/root.js';
import { startService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';

/** The package as someone else installs it: packed, unpacked, and used from outside of the sources. */
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-package-'));
  const made = join(folder, 'made');
  run(process.execPath, [join(projectRoot, 'scripts/host-package.mjs'), made], projectRoot);
  run('npm', ['pack', '--ignore-scripts', '--silent'], made);
  const archive = readdirSync(made).find((name) => name.endsWith('.tgz')) ?? '';
  const modules = join(folder, 'user', 'node_modules');
  const installed = join(modules, '@sallyport', 'host');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(made, archive), '-C', installed, '--strip-components=1'], folder);
  // What its package.json asks for, and what the example's own author installs; nothing else is there.
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    dependencies: object;
  };
  for (const name of [
    ...Object.keys(dependencies),
    '@types/node',
    '@modelcontextprotocol/client',
    '@modelcontextprotocol/core',
  ])
    link(modules, name);
  link(modules, '@modelcontextprotocol/server-filesystem');
  writeFileSync(join(folder, 'user', 'package.json'), '{"type":"module","private":true}');
});
after(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`);
  return stdout;
}

function link(modules: string, name: string): void {
  mkdirSync(join(modules, name, '..'), { recursive: true });
  symlinkSync(join(projectRoot, 'node_modules', name), join(modules, name));
}

/** The example of a document, as it is. */
function exampleIn(document: string): string {
  const text = readFileSync(join(projectRoot, document), 'utf8');
  const [, lines = ''] =
    /<!-- host-example:begin -->\n+```ts\n([\s\S]*?)```\n+<!-- host-example:end -->/.exec(text) ?? [];
  const [imports = '', code = ''] = lines.trim().split('\n\n');
  assert.match(imports, /^import /);
  assert.equal(code.split('\n').length, 10, 'ten lines');
  return lines;
}

/** The very lines of the package's README, for another address and another folder of documents. */
function exampleFor(url: string, documents: string): string {
  return exampleIn('libs/host/README.md').replaceAll('http://127.0.0.1:7070', url).replaceAll('/tmp/docs', documents);
}

test('the manual shows the same example as the README of the package', () => {
  assert.equal(exampleIn('docs/reference/host-sdk.md'), exampleIn('libs/host/README.md'));
});

test('what is packed holds what is needed and nothing of the service', () => {
  const installed = join(folder, 'user/node_modules/@sallyport/host');
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  assert.ok(files.includes('dist/host/index.js') && files.includes('dist/host/index.d.ts'));
  assert.ok(files.includes('dist/proto/sallyport/v1/sallyport.proto'));
  for (const name of ['README.md', 'LICENSE']) assert.ok(files.includes(name), name);
  const licence = (path: string) => readFileSync(join(path, 'LICENSE'), 'utf8');
  assert.equal(licence(installed), licence(projectRoot));
  const { keywords, license } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    keywords: string[];
    license: string;
  };
  assert.equal(license, 'Apache-2.0');
  assert.ok(keywords.includes('mcp'));
  assert.deepEqual(
    files.filter((path) => /test|decision|event-log|sqlite|nest|\.map$/.test(path)),
    [],
  );
});

test('each of its entries loads outside of the sources, with the proto that it needs', () => {
  const script = `
    const { connectHost } = await import('@sallyport/host');
    const { kafkaFeed, message } = await import('@sallyport/host/kafka').catch((error) => error);
    const grpc = { address: '127.0.0.1:1' };
    const keys = { keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'k', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] };
    const why = await connectHost({ url: 'http://127.0.0.1:1', token: 't', grpc, keys, readyMs: 50 }).catch(String);
    console.log(message ?? typeof kafkaFeed, why);
  `;
  const user = join(folder, 'user');
  const out = () => run(process.execPath, ['--input-type=module', '-e', script], user);
  const unready = 'Error: the host is not ready: starting\n';
  assert.equal(out(), `Kafka needs the package kafkajs: npm install kafkajs@2.2.4 ${unready}`);
  link(join(user, 'node_modules'), 'kafkajs');
  assert.equal(out(), `function ${unready}`);
});

test('on an older Node each entry says which one it needs', () => {
  const older = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '20.19.0' })`;
  for (const entry of ['@sallyport/host', '@sallyport/host/kafka']) {
    const script = `console.log(await import('${entry}').catch(({ message }) => message))`;
    const args = ['--import', older, '--input-type=module', '-e', script];
    const out = run(process.execPath, args, join(folder, 'user'));
    assert.equal(out, '@sallyport/host needs Node 22 or newer, and this is Node 20.19.0\n');
  }
});

test('the example of its README compiles and runs against a real server, as a user of the package', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  const user = join(folder, 'user');
  const documents = join(user, 'docs');
  mkdirSync(documents);
  writeFileSync(join(documents, 'a.txt'), 'The east gate opens at nine.\n');
  const entry = join(projectRoot, 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');
  const registration = await registeredServer(service, 'filesystem', [process.execPath, entry, documents]);
  writeFileSync(join(user, 'fs.json'), JSON.stringify(registration));
  mkdirSync(join(user, 'data'));
  writeFileSync(join(user, 'data/tokens.json'), JSON.stringify({ host: service.tokens.host }));
  writeFileSync(join(user, 'example.ts'), exampleFor(service.url, documents));

  const tsc = join(projectRoot, 'node_modules/@typescript/native/bin/tsc');
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--target', 'ES2024', '--module', 'NodeNext'];
  run(process.execPath, [tsc, ...strict, '--types', 'node', '--noEmitOnError', 'example.ts'], user);
  const child = spawn(process.execPath, ['example.js'], { cwd: user, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, `${out}\n${err}`);
  assert.match(out, /<<untrusted [0-9a-f]{32} filesystem@[\w.]+ read_text_file>>[\s\S]*The east gate opens at nine\./);
});
