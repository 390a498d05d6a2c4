import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../apps/cli/program.js';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly body: unknown;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A substitute for the service. It notes the requests, and answers as the test prepared. */
export interface Stub {
  /** Working folder of the command line, with a `tokens.json` of each role. */
  readonly folder: string;
  asked: Asked[];
  reply: { status: number; body: unknown };
  /** Bodies that are answered first, one a request. */
  pages: unknown[];
  /** Runs a command line against the stub. */
  cli(words: readonly string[], env?: Record<string, string>, stdin?: string): Promise<Ran>;
  reset(): void;
  close(): void;
}

export async function startStub(): Promise<Stub> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
  const roles = ['admin', 'registrar', 'reviewer', 'operator', 'auditor', 'host'];
  const tokens = Object.fromEntries(roles.map((role) => [role, `token-of-${role}`]));
  writeFileSync(join(folder, 'tokens.json'), JSON.stringify(tokens));
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const token = (request.headers.authorization ?? '').replace('Bearer ', '');
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      stub.asked.push({ method: request.method ?? '', path: request.url ?? '', token, body });
      response.writeHead(stub.reply.status, { 'content-type': 'application/json' });
      response.end(stub.reply.status === 204 ? undefined : JSON.stringify(stub.pages.shift() ?? stub.reply.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stub: Stub = {
    folder,
    asked: [],
    reply: { status: 200, body: {} },
    pages: [],
    cli: async (words, env = {}, stdin = '') => {
      let out = '';
      let err = '';
      const code = await run(words, {
        env: { SALLYPORT_URL: base, SALLYPORT_DATA: folder, ...env },
        cwd: folder,
        out: (text) => void (out += text),
        err: (text) => void (err += text),
        readStdin: async () => stdin,
      });
      return { code, out, err };
    },
    reset: () => {
      stub.asked = [];
      stub.pages = [];
      stub.reply = { status: 200, body: {} };
    },
    close: () => {
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
  return stub;
}
