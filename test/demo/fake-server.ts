/**
 * A small MCP server for tests of `capture`, with good and bad manners: `node fake-server.js <manner> [file]` speaks
 * stdio. It is written against the protocol alone and shares no code with what it tests.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

type Message = { id?: number | string; method?: string; params?: Record<string, unknown> };
type Answer = { result: object } | { error: { code: number; message: string; data?: object } };

const STATELESS = '2026-07-28';
const META = 'io.modelcontextprotocol/';

export const TOOLS = [
  {
    name: 'look',
    description: 'Looks things up',
    inputSchema: { type: 'object', properties: { q: { type: 'string' } } },
    annotations: { readOnlyHint: true, openWorldHint: false, 'com.example/confidence': 0.5 },
    'com.example/unknown': { kept: ['as', 'received'] },
    _meta: { 'com.example/rank': 3 },
  },
  { name: 'mail', description: 'Sends mail', inputSchema: { type: 'object' }, annotations: { destructiveHint: false } },
  { name: 'raze', inputSchema: { type: 'object' }, annotations: { openWorldHint: false }, futureField: true },
  { name: 'bare', inputSchema: { type: 'object' } },
];
/** A good tool, and two that no registry can enforce. */
const UNVETTABLE = [
  { name: 'good', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
  {
    name: 'backreference',
    inputSchema: { type: 'object', properties: { q: { type: 'string', pattern: '^(a)\\1$' } } },
  },
  { name: 'remote', inputSchema: { type: 'object' }, outputSchema: { $ref: 'https://example.com/schema' } },
  { name: 'shapeless' },
];
const PROMPTS = [{ name: 'greet', arguments: [{ name: 'who', required: true }] }];
const TEMPLATES = [{ uriTemplate: 'note://{id}', name: 'note' }];
const RESOURCES = [{ uri: 'note://1', name: 'one' }];

export type Manner =
  | '2026-07-28'
  | '2025-11-25'
  | '2024-11-05'
  | 'dies-before-initialize'
  | 'dies-with-words'
  | 'unvettable'
  | 'silent-before-initialize'
  | 'dies-while-listing'
  | 'hangs'
  | 'hangs-with-child'
  | 'floods-messages'
  | 'floods-line'
  | 'garbage'
  | 'banner'
  | 'no-such-end'
  | 'same-cursor'
  | 'same-name'
  | 'duplicate-key'
  | 'inexact-number'
  | 'future-version'
  | 'no-list'
  | 'both-eras'
  | 'lists-missing'
  | 'says-unsupported'
  | 'resources-fail'
  | 'resources-hang'
  | 'late-page-fails'
  | 'ansi'
  | 'asks-back'
  | 'tells-environment';

/** The answers of a correct server of an era. Lists arrive in pages of two, and backwards in the stateless era. */
export function answer(era: string, message: Message): Answer | undefined {
  const { method = '', params = {} } = message;
  const meta = (params['_meta'] ?? {}) as Record<string, unknown>;
  const common = {
    capabilities: { tools: {}, prompts: {}, resources: {} },
    instructions: 'Be kind.',
  };
  if (era === STATELESS) {
    if (meta[`${META}protocolVersion`] !== STATELESS || typeof meta[`${META}clientCapabilities`] !== 'object') {
      return { error: { code: -32602, message: 'the request does not say which revision it speaks' } };
    }
    if (method === 'server/discover') {
      const ours = { [`${META}serverInfo`]: { name: 'fake', version: '1.2.3' } };
      return {
        result: {
          resultType: 'complete',
          ttlMs: 0,
          cacheScope: 'private',
          supportedVersions: [STATELESS],
          ...common,
          _meta: ours,
        },
      };
    }
    return listed(method, params, true);
  }
  if (method === 'initialize') {
    return { result: { protocolVersion: era, serverInfo: { name: 'fake', version: '1.2.3' }, ...common } };
  }
  return message.id === undefined ? undefined : listed(method, params, false);
}

function listed(method: string, params: Record<string, unknown>, backwards: boolean): Answer {
  const lists: Record<string, [string, object[]]> = {
    'tools/list': ['tools', TOOLS],
    'prompts/list': ['prompts', PROMPTS],
    'resources/templates/list': ['resourceTemplates', TEMPLATES],
    'resources/list': ['resources', RESOURCES],
  };
  const [key, all] = lists[method] ?? [];
  if (key === undefined || all === undefined) return { error: { code: -32601, message: 'no such method' } };
  const items = backwards ? all.toReversed() : all;
  const from = Number(params['cursor'] ?? 0);
  const next = from + 2 < items.length ? { nextCursor: String(from + 2) } : {};
  return { result: { resultType: 'complete', [key]: items.slice(from, from + 2), ...next } };
}

const NONSENSE = 'Starting up... all systems nominal\n';

function raw(text: string): void {
  process.stdout.write(`${text}\n`);
}

function serve(manner: Manner, file: string | undefined): void {
  const say = (message: object): void => raw(JSON.stringify({ jsonrpc: '2.0', ...message }));
  process.stderr.write('fake server: a word on stderr\n');
  if (manner === 'banner') raw('Welcome to the fake server');
  if (manner === 'hangs-with-child') {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    if (file !== undefined) writeFileSync(file, `${process.pid} ${child.pid ?? ''}`);
    process.on('SIGTERM', () => undefined);
  }
  if (manner === 'hangs' || manner === 'hangs-with-child') {
    setInterval(() => undefined, 1000);
    return;
  }
  if (manner === 'garbage') return endlessly(() => NONSENSE);
  if (manner === 'floods-line') return endlessly(() => '"'.padEnd(65_536, 'x'));
  if (manner === 'floods-messages') {
    const note = { jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(40) } };
    return endlessly(() => `${JSON.stringify(note)}\n`);
  }
  if (manner === 'dies-with-words') {
    for (let line = 1; line <= 40; line += 1) process.stderr.write(`line ${line} \u001b[2J\u202e\n`);
    process.stderr.write('x'.repeat(5000));
    process.exitCode = 3;
    return;
  }
  let begun = false;
  let pages = 0;
  createInterface({ input: process.stdin }).on('line', (line): void => {
    const message = JSON.parse(line) as Message;
    const { id, method } = message;
    if (!begun && method !== 'initialize') {
      if (manner === 'dies-before-initialize') process.exit(1);
      if (manner === 'silent-before-initialize') return;
    }
    begun ||= method === 'initialize';
    if (method === 'initialize' && manner === 'asks-back') say({ id: 'ours', method: 'roots/list' });
    if (id === 'ours') writeFileSync(file ?? '', line);
    if (method === 'initialize' && manner === 'future-version') {
      return say({ id, result: { protocolVersion: '2031-01-01', capabilities: {} } });
    }
    if (method === 'initialize' && manner === 'tells-environment') {
      const instructions = JSON.stringify(process.env);
      return say({ id, result: { protocolVersion: '2025-11-25', capabilities: {}, instructions } });
    }
    if (method === 'tools/list') {
      pages += 1;
      if (manner === 'dies-while-listing') process.exit(7);
      if (manner === 'unvettable') return say({ id, result: { tools: UNVETTABLE } });
      if (manner === 'no-list') return say({ id, result: { tools: 'all of them' } });
      if (manner === 'no-such-end')
        return say({ id, result: { tools: [{ name: `t${pages}` }], nextCursor: `c${pages}` } });
      if (manner === 'same-cursor') return say({ id, result: { tools: [], nextCursor: 'again' } });
      if (manner === 'same-name') return say({ id, result: { tools: [{ name: 'twin' }, { name: 'twin' }] } });
      if (manner === 'ansi')
        return say({ id, result: { tools: [{ name: 'clear\u001b[2J\u202etxt.exe', inputSchema: {} }] } });
      if (manner === 'duplicate-key')
        return raw(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[{"name":"a","name":"b"}]}}`);
      if (manner === 'inexact-number') {
        return raw(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[{"name":"a","limit":9007199254740993}]}}`);
      }
    }
    const isPartial = manner === 'lists-missing' || manner === 'says-unsupported';
    if (isPartial && (method === 'prompts/list' || method === 'resources/templates/list')) {
      const missing = { code: -32601, message: 'Method not found' };
      return say({ id, error: manner === 'lists-missing' ? missing : { code: -32603, message: 'Not supported here' } });
    }
    if (method === 'resources/list') {
      if (manner === 'resources-fail') return say({ id, error: { code: -32603, message: 'the disk is full' } });
      if (manner === 'resources-hang') return undefined;
    }
    if (manner === 'late-page-fails' && message.params?.['cursor'] !== undefined) {
      return say({ id, error: { code: -32601, message: 'Method not found' } });
    }
    const isStateless = manner === 'both-eras' && message.params?.['_meta'] !== undefined && method !== 'initialize';
    if (isStateless) return say({ id, ...answer(STATELESS, message) });
    const era = manner === '2026-07-28' || manner === '2024-11-05' ? manner : '2025-11-25';
    const found = id === undefined || method === undefined ? undefined : answer(era, message);
    if (found !== undefined) say({ id, ...found });
  });
}

/** Writes as fast as the reader reads, for ever. */
function endlessly(chunk: () => string): void {
  const go = (): void => {
    while (process.stdout.write(chunk()));
    process.stdout.once('drain', go);
  };
  go();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) serve(process.argv[2] as Manner, process.argv[3]);
