import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { startService, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';

/** The time of a request counts only while the service waits for its client. */

const CLIENT_MS = 500;
let service: TestService;
before(async () => {
  service = await startService({ env: { SALLYPORT_CLIENT_MS: String(CLIENT_MS) } });
});
after(() => service.stop());

/** Nothing else happens on this thread, which is the service's, too. */
function block(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs;);
}

const stop = JSON.stringify({ target: { type: 'capability', capability: 'nothing' }, reason: 'test' });
const request = () =>
  `POST /v1/directives HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${service.tokens.operator}\r\n` +
  `content-type: application/json\r\ncontent-length: ${stop.length}\r\n\r\n`;

/** Sends `first`, keeps the service busy for a long time, then sends `rest`. The status of the answer. */
async function statusOf(first: string, rest: string, restAfterMs = 0): Promise<string> {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  await pause(100);
  socket.write(first);
  // From here timers come next, and only then what sockets have.
  await new Promise<void>((resolve) => setImmediate(() => resolve(block(4 * CLIENT_MS))));
  if (restAfterMs > 0) await pause(restAfterMs);
  if (!socket.destroyed) socket.write(rest);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString('latin1').split(' ')[1] ?? '';
}

test('a stop that was sent whole is carried out, however long the service did not look', async () => {
  assert.equal(await statusOf(request() + stop, ''), '201');
});

test('one whose head had come before, and whose body came while the service did not look, too', async () => {
  assert.equal(await statusOf(request(), stop), '201');
});

test('a client that leaves its request unfinished gets no more than that time back', async () => {
  const beganMs = performance.now();
  assert.equal(await statusOf(request(), '', 1), '408');
  assert.ok(performance.now() - beganMs < 60_000);
});
