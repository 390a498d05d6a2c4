import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import type { Answered, TestService } from '../support/service.js';
import { INPUT_MS } from './settings.js';

export interface Reply {
  readonly status: number;
  /** JSON where the answer is JSON, else its text. */
  readonly body: Answered;
  readonly ms: number;
}

export interface Wire {
  /** Sends bytes as they are; `fetch` would put headers and paths in order first. Throws where no whole answer comes. */
  send(method: string, path: string, headers: Readonly<Record<string, string>>, body?: Uint8Array): Promise<Reply>;
  /** The longest that an answer took so far, in milliseconds. */
  slowestMs(): number;
  close(): void;
}

export function wireTo(url: string): Wire {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const { hostname, port } = new URL(url);
  let slowestMs = 0;
  const send: Wire['send'] = (method, path, headers, body) =>
    new Promise((resolve, reject) => {
      const startedMs = performance.now();
      const length: Record<string, string> = body === undefined ? {} : { 'content-length': String(body.length) };
      const options = { agent, hostname, port, method, path, headers: { ...headers, ...length }, timeout: INPUT_MS };
      const asked = request(options, (answer) => {
        const chunks: Buffer[] = [];
        const isStream = /event-stream/.test(answer.headers['content-type'] ?? '');
        answer.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          // A watch has no end: its first beats are its answer.
          if (isStream) finish();
        });
        answer.on('error', (error) => (isStream ? undefined : reject(error)));
        answer.on('end', finish);
        function finish(): void {
          if (isStream) asked.destroy();
          const ms = performance.now() - startedMs;
          slowestMs = Math.max(slowestMs, ms);
          const text = Buffer.concat(chunks).toString('utf8');
          const isJson = /json/.test(answer.headers['content-type'] ?? '') && text !== '';
          resolve({ status: answer.statusCode ?? 0, body: isJson ? JSON.parse(text) : text, ms });
        }
      });
      asked.on('timeout', () => asked.destroy(new Error(`no answer within ${INPUT_MS} ms`)));
      asked.on('error', reject);
      asked.end(body);
    });
  return { send, slowestMs: () => slowestMs, close: () => agent.destroy() };
}

/** Rules for every answer while the store is healthy. */
export function isSound({ status, body, ms }: Reply): void {
  assert.ok(status >= 200 && status < 500, `status ${status}: ${JSON.stringify(body).slice(0, 300)}`);
  assert.ok(ms < INPUT_MS, `took ${ms} ms`);
  if (status >= 400) assert.equal(typeof body.code, 'string', `no problem document: ${JSON.stringify(body)}`);
}

/** The service is alive and could allow. */
export async function isWell(service: TestService): Promise<void> {
  for (const path of ['/health/live', '/health/ready']) {
    assert.equal((await service.call('nobody', 'GET', path)).status, 200, path);
  }
}
