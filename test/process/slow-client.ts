import { request } from 'node:http';
import type { ServiceProcess } from './child.js';

/** A request whose headers the service has taken, and whose body it still waits for. */
export interface SlowRequest {
  sendRest(): void;
  readonly answer: Promise<{ status: number; body: string }>;
}

/** Begins an authorize request. Resolves once the service has said `100 Continue`: from then on it is in flight. */
export function slowRequest(
  { url, tokens }: Pick<ServiceProcess, 'url' | 'tokens'>,
  body: unknown,
): Promise<SlowRequest> {
  const text = JSON.stringify(body);
  const sent = request(`${url}/v1/calls/authorize`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokens.host}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      expect: '100-continue',
    },
  });
  const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', (response) => {
      let read = '';
      response.on('data', (chunk: Buffer) => (read += chunk.toString()));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: read }));
    });
  });
  // The caller that waits for the answer receives the error.
  answer.catch(() => undefined);
  return new Promise((resolve, reject) => {
    sent.once('error', reject);
    sent.once('continue', () => {
      sent.write(text.slice(0, 10));
      resolve({ sendRest: () => void sent.end(text.slice(10)), answer });
    });
    sent.flushHeaders();
  });
}
