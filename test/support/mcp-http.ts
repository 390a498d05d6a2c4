import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ScriptedServer } from './mcp-server.js';
import type { TestContext } from './testing.js';

/** A scripted server at an address of streamable HTTP. A POST of requests without the token is a 401. */
export async function overHttp(t: TestContext, server: ScriptedServer, token?: string): Promise<URL> {
  const http = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    const respond = async () => {
      if (request.method !== 'POST') return response.writeHead(405).end();
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        return response.writeHead(401).end();
      const answer = await server.take(JSON.parse(body));
      if (answer === undefined) return response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' });
      return response.end(JSON.stringify({ jsonrpc: '2.0', ...answer }));
    };
    request.on('end', () => void respond());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => http.close());
  return new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
}
