// Three refusals, as the model reads them and as a host shows them to a person.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { CallRefused, connectHost } from '@sallyport/host';

const { SALLYPORT_DATA: data = 'data', SALLYPORT_HTTP: address = '127.0.0.1:7070' } = process.env;
const { SALLYPORT_URL: url = `http://${address}` } = process.env;
// The file system server takes no relative path.
const work = resolve(process.env.EXAMPLES_WORK ?? 'examples/work');

const { host: token } = JSON.parse(readFileSync(join(data, 'tokens.json'), 'utf8'));
const host = await connectHost({ url, token });
const user = { id: 'ada', roles: ['staff'] };
const scope = [{ capability: 'files', effects: ['read'] }];
const task = await host.openTask({ agent: 'scribe', user, purpose: 'read the notes', scope });

const documents = join(work, 'documents');
const { server } = JSON.parse(readFileSync(join(work, 'files.json'), 'utf8')).version.manifest;
const guarded = (capability) => {
  const args = ['node_modules/@modelcontextprotocol/server-filesystem/dist/index.js', documents];
  const transport = new StdioClientTransport({ command: 'node', args, stderr: 'ignore' });
  return host.guard(new Client({ name: 'scribe', version: '1.0.0' }), { task, capability, transport, server });
};

/** What a host shows to a person, by the reason code. Unknown codes are shown as they are. */
const SENTENCES = {
  outside_task_scope: 'The task does not cover this. Open a task with a wider scope if it should.',
  arguments_invalid: 'The agent sent arguments that the tool does not accept.',
  capability_not_pinned: 'The task does not use this server.',
  disabled: 'An operator has stopped this.',
  host_stale: 'Sallyport cannot be reached. Nothing is called until it answers.',
};

function show(what, { reason, by, callId, detail }) {
  const sentence = SENTENCES[reason] ?? reason;
  console.log(`person: ${what}: ${sentence} (${reason}, refused by the ${by}, call ${callId})`);
  if (detail !== undefined) console.log(`detail: ${detail}`);
}

try {
  const files = await guarded('files');
  // A refused call is a result, so the loop of an agent goes on.
  const calls = [
    { name: 'write_file', arguments: { path: join(documents, 'gates.txt'), content: 'Closed.' } },
    { name: 'read_text_file', arguments: { path: join(documents, 'gates.txt'), head: 'two' } },
    { name: 'read_text_file', arguments: { path: join(documents, 'gates.txt'), head: 2 } },
  ];
  for (const call of calls) {
    const { content, refusal } = await files.callTool(call);
    console.log(`model: ${content[0].text}`);
    if (refusal !== undefined) show(call.name, refusal);
  }
  // A server that may not be used is not connected to: `guard` rejects, before a byte leaves.
  await guarded('everything');
} catch (error) {
  if (!(error instanceof CallRefused)) throw error;
  show('everything', error.refusal);
} finally {
  await host.closeTask(task, 'done');
  await host.close();
}
