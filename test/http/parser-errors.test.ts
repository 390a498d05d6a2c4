import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { addPrincipal, unique } from '../support/actors.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, readyWorld, taskBody } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** Refusals of the parser before there is a request, and refusals before a body is read. All are problem documents. */

let service: TestService;
before(async () => {
  service = await startService({ env: { SALLYPORT_CLIENT_MS: '1000' } });
  await readyWorld(service);
});
after(() => service.stop());

interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: Answered;
}

/** Sends text over its own connection, and reads until the connection is closed. */
async function raw(text: string): Promise<RawAnswer> {
  const { port, hostname } = new URL(service.url);
  const heard = await new Promise<string>((resolve) => {
    let all = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('data', (chunk) => (all += String(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(all));
  });
  const [head = '', body = ''] = heard.split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  return { status, head, body: JSON.parse(body === '' ? 'null' : body) };
}

const authorizing = (more: string, body = '{}'): string =>
  `POST /v1/calls/authorize HTTP/1.1\r\nauthorization: Bearer ${service.tokens.host}\r\n${more}\r\n\r\n${body}`;
const json = 'host: x\r\ncontent-type: application/json';
const chunked = `${json}\r\ntransfer-encoding: chunked`;

const REFUSED: Record<string, [status: number, code: string, text: () => string]> = {
  'no HTTP at all': [400, 'malformed_request', () => 'NONSENSE\r\n\r\n'],
  'a method that there is not': [400, 'malformed_request', () => 'FROB / HTTP/1.1\r\nhost: x\r\n\r\n'],
  'a header that is none': [400, 'malformed_request', () => 'GET / HTTP/1.1\r\nhost: x\r\nno header\r\n\r\n'],
  'a length that is no number': [400, 'malformed_request', () => authorizing('host: x\r\ncontent-length: ten')],
  'two lengths': [400, 'malformed_request', () => authorizing('host: x\r\ncontent-length: 2\r\ncontent-length: 3')],
  'a chunk without a size': [400, 'malformed_request', () => authorizing(chunked, 'zz\r\n')],
  'a path over the limit of the head': [431, 'too_large', () => `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`],
  'headers over the limit': [431, 'too_large', () => `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`],
  'a head that never ends': [408, 'malformed_request', () => 'GET / HTTP/1.1\r\nhost: x\r\n'],
  'a body that never ends': [408, 'malformed_request', () => authorizing(`${json}\r\ncontent-length: 20`, '{')],
  'no host': [400, 'malformed_request', () => authorizing('content-length: 2\r\nconnection: close')],
  'no host, where a plain call goes another way': [
    400,
    'malformed_request',
    () => authorizing('content-type: application/json\r\ncontent-length: 2\r\nconnection: close'),
  ],
  'an expectation': [417, 'malformed_request', () => authorizing('host: x\r\nexpect: magic\r\ncontent-length: 2')],
};

for (const [name, [status, code, text]] of Object.entries(REFUSED)) {
  test(`${name}: ${status} with a problem document`, async () => {
    const answer = await raw(text());
    assert.equal(answer.status, status, answer.head);
    assert.match(answer.head, /^content-type: application\/problem\+json/im);
    assert.deepEqual([answer.body.status, answer.body.code], [status, code]);
    for (const member of ['type', 'title', 'detail']) assert.equal(typeof answer.body[member], 'string', member);
  });
}

const packed = (encoding: string): Record<string, string> => ({ 'content-encoding': encoding });

test('a body with content-encoding is a 415 on every way, a plain call included', async () => {
  const task = await openTask(service);
  const ask = (path: string, body: unknown, encoding: string) =>
    service.call('host', 'POST', path, body, packed(encoding));
  for (const encoding of ['gzip', 'br', 'deflate', 'GZIP', 'identity, gzip']) {
    refused(415, 'unsupported_media_type', await ask('/v1/calls/authorize', callBody(task), encoding));
    refused(415, 'unsupported_media_type', await ask('/v1/tasks', taskBody(), encoding));
  }
  const headers = { authorization: `Bearer ${service.tokens.host}`, 'content-type': 'application/json' };
  const bytes = gzipSync(JSON.stringify(callBody(task)));
  const zipped = await fetch(`${service.url}/v1/calls/authorize`, {
    method: 'POST',
    headers: { ...headers, ...packed('gzip') },
    body: bytes,
  });
  assert.equal(zipped.status, 415);
  assert.equal(expecting(200, await ask('/v1/calls/authorize', callBody(task), 'identity')).decision, 'allow');
});

test('answers with a token are kept by no cache, and a stream is collected by no proxy', async () => {
  const name = unique('cached');
  const added = await service.call('admin', 'POST', '/v1/principals', { name, roles: ['auditor'] });
  const rotated = await service.call('admin', 'POST', `/v1/principals/${name}/rotate`);
  for (const answer of [added, rotated]) {
    assert.equal(typeof answer.body.token, 'string');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  }
  const { token } = await addPrincipal(service, ['host']);
  const leaving = new AbortController();
  const watch = await fetch(`${service.url}/v1/directives/watch`, {
    headers: { authorization: `Bearer ${token}` },
    signal: leaving.signal,
  });
  assert.deepEqual(
    ['content-type', 'cache-control', 'x-accel-buffering'].map((header) => watch.headers.get(header)),
    ['text/event-stream; charset=utf-8', 'no-store', 'no'],
  );
  leaving.abort();
});
