import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { answer, TOOLS, type Manner } from '../../../test/demo/fake-server.js';
import type { Protocol } from './eras.js';
import { CaptureFailure } from './failure.js';
import { openServer, type Observation, type Target } from './observe.js';
import { test, type TestContext } from '../../../test/support/testing.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const FAKE = fileURLToPath(new URL('../../../test/demo/fake-server.js', import.meta.url));

function stdio(manner: Manner, ...rest: string[]): Target {
  return { command: [process.execPath, FAKE, manner, ...rest], env: [] };
}

async function observe(target: Target, protocol: Protocol = 'auto', timeoutMs = 10_000): Promise<Observation> {
  const server = await openServer(target, { protocol, clientCapabilities: {}, timeoutMs });
  await server.close();
  return server.observation;
}

/** Streamable HTTP as an era speaks it: JSON or server-sent events, with a session if the era has one. */
async function http(t: TestContext, era: string, events: boolean): Promise<Target> {
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      if (request.method === 'DELETE') return response.writeHead(200).end();
      const message = JSON.parse(body) as { id?: number; method: string };
      const stateless = era === '2026-07-28';
      const begins = message.method === 'initialize';
      const session = request.headers['mcp-session-id'] === 'abc';
      const named = request.headers['mcp-method'] === message.method && request.headers['mcp-protocol-version'] === era;
      const ours = stateless ? named : begins || (session && request.headers['mcp-protocol-version'] === era);
      if (!ours)
        return response.writeHead(400).end('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}');
      const found = answer(era, message);
      if (found === undefined) return response.writeHead(202).end();
      const text = JSON.stringify({ jsonrpc: '2.0', id: message.id, ...found });
      const headers = begins ? { 'mcp-session-id': 'abc' } : {};
      if (!events) return response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(text);
      response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
      response.write('event: message\r\nid: 1\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\r\n\r\n');
      // Sent in two pieces, which the client has to join.
      response.write(`: a comment\nevent: message\ndata: ${text.slice(0, 20)}`);
      response.end(`${text.slice(20)}\n\n`);
      return undefined;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  return { url, bearer: undefined };
}

test('a definition has one digest in every era, over both transports, in any order and any pages', async (t) => {
  const expected = '2025-11-25' as const;
  const { fingerprint, definition, probe } = await observe(stdio(expected));
  assert.equal(probe.protocolVersion, expected);
  assert.equal(definition.instructions, 'Be kind.');
  assert.equal(definition.resources?.length, 1);
  const others: [Target, string][] = [
    [stdio('2026-07-28'), '2026-07-28'],
    [stdio('2024-11-05'), '2024-11-05'],
    [stdio('dies-before-initialize'), '2025-11-25'],
    [stdio('banner'), '2025-11-25'],
    [await http(t, '2026-07-28', false), '2026-07-28'],
    [await http(t, '2025-11-25', false), '2025-11-25'],
    [await http(t, '2024-11-05', false), '2024-11-05'],
    [await http(t, '2026-07-28', true), '2026-07-28'],
    [await http(t, '2025-11-25', true), '2025-11-25'],
  ];
  for (const [target, version] of others) {
    const other = await observe(target);
    assert.equal(other.probe.protocolVersion, version);
    assert.equal(other.fingerprint.digest, fingerprint.digest, version);
    assert.deepEqual(other.definition.serverInfo, { name: 'fake', version: '1.2.3' }, version);
  }
});

test('items are kept as they were received, fields that nobody knows included', async () => {
  const { definition } = await observe(stdio('2025-11-25'));
  assert.deepEqual(definition.tools, TOOLS);
  const { definition: stateless } = await observe(stdio('2026-07-28'));
  assert.deepEqual(stateless.tools, TOOLS.toReversed());
});

test('a revision that is asked for is spoken, or the capture fails', async () => {
  for (const protocol of ['2026-07-28', '2025-11-25', '2024-11-05'] as const) {
    assert.equal((await observe(stdio(protocol), protocol)).probe.protocolVersion, protocol);
  }
  await assert.rejects(observe(stdio('2025-11-25'), '2026-07-28'), /does not speak 2026-07-28/);
  await assert.rejects(observe(stdio('2024-11-05'), '2025-11-25'), /answered with 2024-11-05/);
});

test('a server that ignores requests before initialize is greeted again', async () => {
  const { probe } = await observe(stdio('silent-before-initialize'), 'auto', 3000);
  assert.equal(probe.protocolVersion, '2025-11-25');
});

const BAD: [Manner, CaptureFailure['kind'], RegExp][] = [
  ['hangs', 'silent', /unanswered/],
  ['dies-while-listing', 'gone', /exit code 7/],
  ['floods-messages', 'flood', /over 10000 messages/],
  ['floods-line', 'flood', /a message of over/],
  ['garbage', 'garbage', /not JSON-RPC/],
  ['no-such-end', 'flood', /no end: over 100 pages/],
  ['same-cursor', 'flood', /the same cursor twice/],
  ['same-name', 'protocol', /tools\/1\/name: the same name twice/],
  ['duplicate-key', 'garbage', /the same key twice/],
  ['inexact-number', 'garbage', /a double cannot hold/],
  ['future-version', 'protocol', /2031-01-01/],
  ['no-list', 'protocol', /no list of tools/],
  ['late-page-fails', 'protocol', /refused tools\/list \(-32601\): Method not found/],
];
for (const [manner, kind, message] of BAD) {
  test(`a server that ${manner} ends in one line`, async () => {
    await assert.rejects(observe(stdio(manner), 'auto', manner === 'hangs' ? 500 : 10_000), (error) => {
      assert.ok(error instanceof CaptureFailure);
      assert.equal(error.kind, kind);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
}

test('a command that is not there ends in one line', async () => {
  await assert.rejects(observe({ command: ['/nowhere/to/be/found'], env: [] }), /could not start: ENOENT/);
});

test('an address that is not there ends in one line', async (t) => {
  const target = await http(t, '2025-11-25', false);
  const url = new URL('http://127.0.0.1:1/mcp');
  await assert.rejects(observe({ ...target, url }), /cannot speak with http:\/\/127.0.0.1:1: ECONNREFUSED/);
});

test('the process and everything that it started are gone afterwards', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-capture-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pids');
  await assert.rejects(observe(stdio('hangs-with-child', file), '2025-11-25', 800), /unanswered/);
  const pids = readFileSync(file, 'utf8').split(' ').map(Number);
  assert.equal(pids.length, 2);
  for (const pid of pids) assert.ok(await isGone(pid), `process ${pid} is still there`);
});

test('a command that is ended takes the server along', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-capture-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pids');
  const words = ['capture', '--', process.execPath, FAKE, 'hangs-with-child', file];
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: 'ignore' });
  const code = new Promise((resolve) => child.once('exit', resolve));
  for (let tries = 0; tries < 200 && !existsSync(file); tries += 1) await delay(20);
  child.kill('SIGTERM');
  assert.equal(await code, 143);
  for (const pid of readFileSync(file, 'utf8').split(' ')) assert.ok(await isGone(Number(pid)), `process ${pid}`);
});

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      process.kill(pid, 0);
      // Killed, but not yet collected by the init process of this container.
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
    } catch {
      return true;
    }
    await delay(20);
  }
  return false;
}

test('the server gets only the listed and the requested variables of the environment', async (t) => {
  process.env['SALLYPORT_TOKEN_FOR_TEST'] = 'not for servers';
  process.env['NAMED_FOR_TEST'] = 'named';
  t.after(() => {
    delete process.env['SALLYPORT_TOKEN_FOR_TEST'];
    delete process.env['NAMED_FOR_TEST'];
  });
  const target = { command: [process.execPath, FAKE, 'tells-environment'], env: ['NAMED_FOR_TEST', 'GIVEN=a=b'] };
  const { definition } = await observe(target);
  const seen = JSON.parse(definition.instructions ?? '') as Record<string, string>;
  assert.equal(seen['SALLYPORT_TOKEN_FOR_TEST'], undefined);
  assert.equal(seen['NAMED_FOR_TEST'], 'named');
  assert.equal(seen['GIVEN'], 'a=b');
  assert.equal(seen['PATH'], process.env['PATH']);
  await assert.rejects(observe({ ...target, env: ['NOT_SET_ANYWHERE'] }), /no such variable/);
});

test('what a server asks of its client is answered with nothing to be had', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-capture-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'answer');
  await observe(stdio('asks-back', file));
  const answered: unknown = JSON.parse(readFileSync(file, 'utf8'));
  assert.deepEqual(answered, { jsonrpc: '2.0', id: 'ours', result: { roots: [] } });
});
