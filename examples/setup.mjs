// Registers two real MCP servers and a policy with a running service, by the commands that a person types.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const work = resolve(process.env.EXAMPLES_WORK ?? 'examples/work');
const documents = join(work, 'documents');
const servers = {
  files: ['node', 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js', documents],
  everything: ['node', 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'],
};

function sallyport(...args) {
  console.log(`$ sallyport ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, ['dist/apps/cli/main.js', ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

mkdirSync(documents, { recursive: true });
writeFileSync(join(documents, 'gates.txt'), 'The east gate opens at nine.\nThe west gate opens at ten.\n');

for (const [id, command] of Object.entries(servers)) {
  const file = join(work, `${id}.json`);
  sallyport('capture', '--id', id, '--category', 'examples', '--owner', 'me', '--out', file, '--', ...command);
  sallyport('register', file);
  const { version } = JSON.parse(readFileSync(file, 'utf8')).version;
  // The two servers have no signed manifest, which a reviewer has to accept by name.
  const accepted = ['--exception', 'signature_missing', '--reason', 'an example', '--yes'];
  sallyport('review', id, version, '--approve', ...accepted);
}
sallyport('policy', 'propose', 'examples/staff-may-read.cedar', '--reason', 'an example');
sallyport('policy', 'review', '1', '--approve', '--reason', 'an example');
