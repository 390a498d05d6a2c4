import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { selfSigned } from './certificate.js';
import { answer } from './fake-server.js';
import { after, before, test, type TestContext } from '../support/testing.js';

const MAIN = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

let folder = '';
before(() => void (folder = mkdtempSync(join(tmpdir(), 'sallyport-http-'))));
after(() => rmSync(folder, { recursive: true }));

/** The command as a process: extra certificate authorities are read by Node when it starts. */
async function capture(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, 'capture', ...args], { env: { ...process.env, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

async function listen(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function speak(request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    const message = JSON.parse(body) as { id: number };
    const text = JSON.stringify({ jsonrpc: '2.0', id: message.id, ...answer('2026-07-28', message) });
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  });
}

test('an https server is pinned by the key of its certificate, and only if the certificate is trusted', async (t) => {
  const { key, cert, spki } = selfSigned();
  const url = `https://127.0.0.1:${await listen(t, createHttps({ key, cert }, speak))}/mcp`;
  const file = join(folder, 'ca.pem');
  writeFileSync(file, cert);
  const trusted = await capture(['--url', url, '--json'], { NODE_EXTRA_CA_CERTS: file });
  assert.equal(trusted.code, 0, trusted.err);
  const registration = JSON.parse(trusted.out) as { version: { manifest: { server: object }; source: object } };
  const pin = `sha256:${createHash('sha256').update(spki).digest('hex')}`;
  assert.deepEqual(registration.version.manifest.server, { method: 'tls', url, spki: pin });
  assert.deepEqual(registration.version.source, { type: 'http', name: new URL(url).host, url });
  const stranger = await capture(['--url', url]);
  assert.equal(stranger.code, 6);
  assert.match(stranger.err, /^sallyport: cannot speak with https:.*SELF_SIGNED_CERT\n$/);
});

test('a token for the server comes from a file, is sent, and is printed nowhere', async (t) => {
  const wants = createHttp((request, response) => {
    if (request.headers.authorization === 'Bearer open-sesame') return speak(request, response);
    response.writeHead(401).end();
  });
  const url = `http://127.0.0.1:${await listen(t, wants)}/mcp`;
  const refused = await capture(['--url', url]);
  assert.equal(refused.code, 6);
  assert.match(refused.err, /wants an authorized caller \(HTTP 401\): give its token with --bearer-file/);
  const file = join(folder, 'bearer');
  writeFileSync(file, 'open-sesame\n');
  const letIn = await capture(['--url', url, '--bearer-file', file]);
  assert.equal(letIn.code, 0, letIn.err);
  assert.doesNotMatch(letIn.out + letIn.err, /open-sesame/);
});

test('what is not streamable HTTP ends in one line', async (t) => {
  const bad: [(request: IncomingMessage, response: ServerResponse) => void, RegExp][] = [
    [(_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /redirects \(HTTP 302\)/],
    [(_, response) => response.writeHead(404).end('<html>'), /is this the address of streamable HTTP\?/],
    [(_, response) => response.writeHead(503).end(), /answered HTTP 503/],
    [(_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello'), /not JSON-RPC/],
    [
      (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': wait\n\n'),
      /unanswered/,
    ],
    [
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const more = (): void => {
          while (!response.destroyed && response.write(`data: ${'x'.repeat(65_536)}`));
          response.once('drain', more);
        };
        more();
      },
      /a message of over/,
    ],
    [(request) => void request.socket.destroy(), /cannot speak with/],
  ];
  for (const [behave, expected] of bad) {
    const url = `http://127.0.0.1:${await listen(t, createHttp(behave))}/mcp`;
    const { code, out, err } = await capture(['--url', url, '--timeout', '2']);
    assert.equal(code, 6, err);
    assert.equal(out, '');
    assert.match(err, expected);
    assert.equal(err.trimEnd().split('\n').length, 1);
  }
});
