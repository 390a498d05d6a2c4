// A long call that an operator stops.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { connectHost } from '@sallyport/host';

const { SALLYPORT_DATA: data = 'data', SALLYPORT_HTTP: address = '127.0.0.1:7070' } = process.env;
const { SALLYPORT_URL: url = `http://${address}` } = process.env;
const work = process.env.EXAMPLES_WORK ?? 'examples/work';
const LONG_S = 600;

const { host: token } = JSON.parse(readFileSync(join(data, 'tokens.json'), 'utf8'));
const host = await connectHost({ url, token });
const user = { id: 'ada', roles: ['staff'] };
const scope = [{ capability: 'everything', effects: ['read'] }];
const task = await host.openTask({ agent: 'scribe', user, purpose: 'wait for a result', scope });
// The host hears of every directive; a user interface would grey out what is stopped.
host.onChange(({ epoch, stale }) => console.log(`directives: epoch ${epoch}${stale === false ? '' : `, ${stale}`}`));

const { server } = JSON.parse(readFileSync(join(work, 'everything.json'), 'utf8')).version.manifest;
const args = ['node_modules/@modelcontextprotocol/server-everything/dist/index.js'];
const transport = new StdioClientTransport({ command: 'node', args, stderr: 'ignore' });
const client = new Client({ name: 'scribe', version: '1.0.0' });
const requestMs = 2 * LONG_S * 1000;

try {
  const guarded = await host.guard(client, { task, capability: 'everything', transport, server, requestMs });
  const long = { name: 'trigger-long-running-operation', arguments: { duration: LONG_S, steps: LONG_S } };
  const calling = guarded.callTool(long);
  console.log(`the call is running; it takes ${LONG_S} seconds`);
  const stopped = await calling;
  console.log(`the call ended: ${stopped.refusal?.reason}, refused by the ${stopped.refusal?.by}`);
  // From now on the service refuses, so the server hears of no further call.
  const next = await guarded.callTool({ name: 'echo', arguments: { message: 'still there?' } });
  console.log(`the next call: ${next.refusal?.reason}, refused by the ${next.refusal?.by}`);
} finally {
  await host.closeTask(task, 'done');
  await host.close();
}
