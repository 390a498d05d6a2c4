import assert from 'node:assert/strict';
import type { ClientHttp2Stream } from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { startService, type TestService } from '../support/service.js';
import { begin, framed, headersOf, poured, session } from './raw-grpc.js';
import { test, type TestContext } from '../support/testing.js';

/** A caller without a token may ask over gRPC for health and reflection, and cost no more than that. */

type Headers = Record<string, unknown>;
type Three = [ClientHttp2Stream, ClientHttp2Stream, ClientHttp2Stream];

const REFLECTION = 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const CHECK = 'grpc.health.v1.Health/Check';

async function started(t: TestContext, clientMs: number): Promise<TestService> {
  const service = await startService({ env: { SALLYPORT_CLIENT_MS: String(clientMs) } });
  t.after(() => service.stop());
  return service;
}

/** A question to the reflection service: `field` of a ServerReflectionRequest with this text. */
function question(field: number, text: string): Buffer {
  const length = Buffer.byteLength(text);
  return framed(Buffer.from([field * 8 + 2, (length & 127) | 128, length >> 7, ...Buffer.from(text)]));
}

test('reflection reads no further while its answers are not taken, and goes on when they are', async (t) => {
  const service = await started(t, 60_000);
  const on = session(t, service, { initialWindowSize: 65_535 });
  const stream = begin(on, REFLECTION);
  stream.pause();
  const asked = question(4, `sallyport.v1.${'x'.repeat(8000)}`);
  const sent = poured(stream, asked, 1000);
  await pause(1500);
  assert.ok(sent.taken < 500_000, `${sent.taken} of ${asked.length * 1000} bytes were taken`);
  let answered = 0;
  stream.on('data', (chunk: Buffer) => (answered += chunk.length)).resume();
  const given = await new Promise<Headers>((resolve) => stream.once('trailers', resolve));
  assert.equal(given['grpc-status'], String(status.OK));
  // Each answer repeats its question.
  assert.ok(answered > asked.length * 1000, `${answered}`);
  on.destroy();
});

test('a stranger that does not read what reflection answers loses its connection', async (t) => {
  const service = await started(t, 1000);
  const on = session(t, service);
  const stream = begin(on, REFLECTION);
  stream.pause();
  poured(stream, question(4, `sallyport.v1.AuthorizeRequest`), 10);
  const closed = new Promise((resolve) => on.once('close', resolve));
  await Promise.race([
    closed,
    pause(10_000, undefined, { ref: false }).then(() => assert.fail('it still has its connection')),
  ]);
});

test('a message of a stranger is a name and no more', async (t) => {
  const service = await started(t, 60_000);
  for (const path of [REFLECTION, CHECK]) {
    const on = session(t, service);
    const stream = begin(on, path);
    stream.write(framed(Buffer.alloc(10), 1_000_000));
    const given = await Promise.race([headersOf(stream), pause(3000, undefined, { ref: false })]);
    assert.equal(given?.['grpc-status'], String(status.INVALID_ARGUMENT), path);
    const packed = begin(on, path, undefined, { 'grpc-encoding': 'gzip' });
    const bomb = framed(gzipSync(Buffer.alloc(1_000_000)));
    // The flag that says so.
    bomb[0] = 1;
    packed.end(bomb);
    assert.equal((await headersOf(packed))['grpc-status'], String(status.INVALID_ARGUMENT), path);
    on.destroy();
  }
});

test('whatever else strangers have open, health is answered', async (t) => {
  const service = await started(t, 60_000);
  const on = session(t, service);
  const open = Array.from({ length: 64 }, () => begin(on, REFLECTION)) as Three;
  for (const stream of open) stream.write(question(7, '*'));
  await pause(300);
  const check = begin(on, CHECK);
  check.end(framed(Buffer.alloc(0)));
  assert.equal((await headersOf(check))['grpc-status'], undefined);
  // One more: of this connection, which has the most, the oldest makes way. Another connection keeps what it has.
  const ended = new Promise<Headers>((resolve) => open[0].resume().once('trailers', resolve));
  const other = begin(session(t, service), REFLECTION);
  other.write(question(7, '*'));
  assert.equal((await headersOf(other))['grpc-status'], undefined);
  assert.equal((await ended)['grpc-status'], String(status.RESOURCE_EXHAUSTED));
  const more = begin(on, REFLECTION);
  more.write(question(7, '*'));
  assert.equal((await headersOf(more))['grpc-status'], undefined);
  assert.equal(other.closed, false);
  on.destroy();
});

test('streams of strangers that are idle, or that never send all of a message, give up their places in time', async (t) => {
  const service = await started(t, 1000);
  const on = session(t, service);
  const [idle, asked, half] = Array.from({ length: 3 }, () => begin(on, REFLECTION)) as Three;
  asked.write(question(7, '*'));
  half.write(framed(Buffer.alloc(10), 1000));
  const ends = [headersOf(idle), new Promise<Headers>((resolve) => asked.once('trailers', resolve)), headersOf(half)];
  asked.resume();
  for (const end of ends) {
    const given = await Promise.race([end, pause(5000, undefined, { ref: false })]);
    assert.equal(given?.['grpc-status'], String(status.DEADLINE_EXCEEDED));
  }
  assert.equal(on.destroyed, false);
  on.destroy();
});
