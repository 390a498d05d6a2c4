import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../support/root.js';
import { startService } from '../support/service.js';
import { test, type TestContext } from '../support/testing.js';

/** The blocks of documents that are marked `<!-- runnable -->` work when they are followed, on a fresh service. */

/** Somebody who follows documents in a folder of their own, with the tokens of a fresh service, as after `npm start`. */
interface Reader {
  /** Runs the runnable blocks of a document in order. The output of one fills the placeholders of the next. */
  readonly follow: (path: string) => Promise<string>;
  readonly run: (script: string) => Promise<string>;
}

/** Placeholders of documents, each with where its value is printed. */
const PLACEHOLDERS: readonly (readonly [string, RegExp])[] = [
  ['<taskId>', /^task +([0-9a-f-]{36})$/m],
  ['<traceId>', /^trace +([0-9a-f]{32})$/m],
  ['<callId>', /DENY .* call ([0-9a-f-]{36})/],
  ['<readId>', /ALLOW letters\/read_text_file .*\(call ([0-9a-f-]{36})/],
  ['<approvalId>', /^approval ([0-9a-f-]{36}): pending/m],
  ['<id>', /sallyport lift ([0-9a-f-]{36})/],
];

async function reader(t: TestContext): Promise<Reader> {
  const service = await startService();
  t.after(() => service.stop());
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-documents-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'data'));
  mkdirSync(join(folder, 'served'));
  writeFileSync(join(folder, 'data/tokens.json'), JSON.stringify(service.tokens));
  const values = new Map<string | RegExp, string>([
    ['npx sallyport', `node ${join(projectRoot, 'dist/apps/cli/main.js')}`],
    ['npx -y @modelcontextprotocol/server-filesystem', `node ${SERVER}`],
    ['http://127.0.0.1:7070', service.url],
    [/\/tmp(?=[/\s"])/g, join(folder, 'served')],
    ['2026.8.31', serverVersion()],
  ]);
  const run = (script: string): Promise<string> => {
    for (const [name, value] of values) script = script.replaceAll(name, value);
    return bash(script, folder, service.url);
  };
  const follow = async (path: string): Promise<string> => {
    let printed = '';
    for (const block of runnableBlocks(path)) {
      const out = await run(block);
      printed += out;
      for (const [name, place] of PLACEHOLDERS) {
        const value = place.exec(out)?.[1];
        if (value !== undefined) values.set(name, value);
      }
    }
    return printed;
  };
  return { follow, run };
}

const SERVER = join(projectRoot, 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');

const serverVersion = (): string =>
  (JSON.parse(readFileSync(join(SERVER, '../../package.json'), 'utf8')) as { version: string }).version;

function runnableBlocks(path: string): string[] {
  const document = readFileSync(join(projectRoot, path), 'utf8');
  const blocks = [...document.matchAll(/<!-- runnable -->\n+```sh\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  assert.ok(blocks.length > 0, path);
  return blocks;
}

/** The output of a script. A denied command does not end it, as for a reader. */
async function bash(script: string, cwd: string, url: string): Promise<string> {
  const path = `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`;
  const env = { ...process.env, SALLYPORT_URL: url, PATH: path };
  const child = spawn('bash', ['-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return out;
}

/** Each is printed, in this order. */
function assertPrinted(printed: string, texts: readonly (string | RegExp)[]): void {
  let rest = printed;
  for (const text of texts) {
    const at = typeof text === 'string' ? rest.indexOf(text) : rest.search(text);
    assert.ok(at >= 0, `${text}\n${printed}`);
    rest = rest.slice(at);
  }
}

test('the call with curl in README.md is allowed, and denied after the disable', async (t) => {
  const { follow, run } = await reader(t);
  assert.match(await follow('README.md'), /"decision":"allow"/);
  assert.match(await run(`npx sallyport disable capability:filesystem --reason 'INC-1'`), /epoch 1/);
  const [block = ''] = runnableBlocks('README.md');
  assertPrinted(await run(block.slice(block.indexOf('curl'))), ['"decision":"deny"', '"reason":"disabled"']);
});

test('the tutorials of the first afternoon work one after the other', async (t) => {
  const { follow } = await reader(t);
  const guarded = ['written to', 'registered filesystem', 'approved', 'task ', 'ALLOW', 'DENY', 'outside_task_scope'];
  assertPrinted(await follow('docs/tutorials/guard-a-server.md'), guarded);
  const stopped = ['at epoch 1', 'DENY', 'disabled', 'at epoch 2', '2 active', 'effective', 'lifted'];
  assertPrinted(await follow('docs/tutorials/stop-a-capability.md'), stopped);
  assertPrinted(await follow('docs/tutorials/follow-a-trace.md'), ['TaskOpened', 'ALLOW', 'identical: all', 'trace ']);
  const audited = ['DENY ', 'Denied: ', 'history', 'identical: all', 'local-admin', 'lifted', 'VersionReviewed'];
  assertPrinted(await follow('docs/tutorials/first-audit.md'), audited);
});

test('the tutorial of policies works on a fresh service', async (t) => {
  const { follow } = await reader(t);
  const written = ['no errors', '2 passed, 0 failed', 'proposed policy set', 'approved'];
  assertPrinted(await follow('docs/tutorials/write-a-policy.md'), written);
});

test('the tutorial of content that crosses works on a fresh service', async (t) => {
  const { follow } = await reader(t);
  assertPrinted(await follow('docs/tutorials/what-crosses.md'), [
    'warning: /manifest/operations/move_file: /destination names or addresses something',
    'may be sent: {"content":"A pass for [redacted pii:email]"',
    'may be sent: context c1 from crm/ada (internal): "Ada writes from [redacted pii:email]."',
    'redacted: /arguments/content: pii:email, once',
    'taken out: /arguments/note: not_declared',
    'withheld: context c2 (/context/1): context_not_needed',
    'quarantined, held until a release',
    'held  letters/read_text_file',
    'released by local-reviewer',
    /<<untrusted .* letters@.* read_text_file>>\nMinutes of May\. Ignore\^/,
    'DENY  letters/write_file: approval_required',
    'needs the user of the task: tainted',
    'granted ',
    'ALLOW letters/write_file',
    'used, by user (tainted)',
    'write_file: 2 calls, up to internal',
    'redacted   pii:email 2, not_declared 1',
    'granted by ada as user, because of tainted',
    'response same',
    'identical: all 4 decisions',
  ]);
});
