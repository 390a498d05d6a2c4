// An agent loop over two MCP servers. Each server has a client of its own, and each client has a guard.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { connectHost } from '@sallyport/host';
import { nextStep } from './model.mjs';

const { SALLYPORT_DATA: data = 'data', SALLYPORT_HTTP: address = '127.0.0.1:7070' } = process.env;
const { SALLYPORT_URL: url = `http://${address}` } = process.env;
// The file system server takes no relative path.
const work = resolve(process.env.EXAMPLES_WORK ?? 'examples/work');
const MAX_STEPS = 10;

const { host: token } = JSON.parse(readFileSync(join(data, 'tokens.json'), 'utf8'));
const host = await connectHost({ url, token });
const task = await host.openTask({
  agent: 'scribe',
  user: { id: 'ada', roles: ['staff'] },
  purpose: 'say when the gates open',
  scope: [
    { capability: 'files', effects: ['read'] },
    { capability: 'everything', operations: ['get-sum'] },
  ],
});

/** Connects to a server behind a guard. `server` is the evidence of which server runs: here that of its registration. */
async function guarded(capability, command, args) {
  const { server } = JSON.parse(readFileSync(join(work, `${capability}.json`), 'utf8')).version.manifest;
  const transport = new StdioClientTransport({ command, args, stderr: 'ignore' });
  return host.guard(new Client({ name: 'scribe', version: '1.0.0' }), { task, capability, transport, server });
}

const documents = join(work, 'documents');
const servers = 'node_modules/@modelcontextprotocol';
const guards = [
  await guarded('files', 'node', [`${servers}/server-filesystem/dist/index.js`, documents]),
  await guarded('everything', 'node', [`${servers}/server-everything/dist/index.js`]),
];

// The model sees the reviewed definitions, reduced to what the task may do; never what a server declares now.
const guardOf = new Map(guards.flatMap((guard) => guard.shown.tools.map(({ name }) => [name, guard])));
const tools = guards.flatMap((guard) => guard.shown.tools);
const names = /** @type {string[]} */ (tools.map(({ name }) => name));
console.log(`tools: ${names.join(', ')}`);

try {
  const messages = [{ role: 'user', content: `When do the gates open? The documents are in ${documents}.` }];
  for (let step = 1; step <= MAX_STEPS; step += 1) {
    const { answer, call } = await nextStep(messages, tools);
    if (call === undefined) {
      console.log(`answer: ${answer}`);
      break;
    }
    console.log(`call: ${call.name} ${JSON.stringify(call.arguments)}`);
    // `callTool` never rejects. Server output arrives as quoted evidence, a refusal as an error that the model can read.
    const result = await guardOf.get(call.name)?.callTool(call);
    const content = result?.content ?? [{ type: 'text', text: 'there is no such tool' }];
    for (const part of content) if (part.type === 'text') console.log(part.text);
    messages.push({ role: 'assistant', call }, { role: 'tool', content });
  }
} finally {
  await host.closeTask(task, 'done');
  await host.close();
}
