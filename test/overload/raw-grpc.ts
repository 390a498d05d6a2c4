import { connect, type ClientHttp2Session, type ClientHttp2Stream, type Settings } from 'node:http2';
import type { TestService } from '../support/service.js';
import type { TestContext } from '../support/testing.js';

/** HTTP/2 as a client speaks it that keeps to no rules. */
export function session(t: TestContext, service: TestService, settings: Settings = {}): ClientHttp2Session {
  const opened = connect(`http://${service.server.grpc}`, { settings: { initialWindowSize: 1024, ...settings } });
  opened.on('error', () => undefined);
  t.after(() => opened.destroy());
  return opened;
}

/** A call that is left open; `path` with its package. */
export function begin(
  on: ClientHttp2Session,
  path: string,
  token?: string,
  headers: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const stream = on.request({
    ':method': 'POST',
    ':path': `/${path}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...headers,
  });
  stream.on('error', () => undefined);
  return stream;
}

/** A message with its head; `announced` bytes, where it is to be another number than it has. */
export function framed(message: Buffer, announced = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(announced, 1);
  return Buffer.concat([head, message]);
}

/** The headers of a call. Its status, if it ends with them. */
export const headersOf = (stream: ClientHttp2Stream): Promise<Record<string, unknown>> =>
  new Promise((resolve) => stream.once('response', resolve));

/** Writes the same so many times, one after the other, and ends; how much of it has been taken so far. */
export function poured(stream: ClientHttp2Stream, bytes: Buffer, times: number): { readonly taken: number } {
  const sent = { taken: 0 };
  const write = (left: number): void => {
    if (left === 0) return void stream.end();
    stream.write(bytes, (error) => {
      if (error !== undefined && error !== null) return;
      sent.taken += bytes.length;
      write(left - 1);
    });
  };
  write(times);
  return sent;
}
