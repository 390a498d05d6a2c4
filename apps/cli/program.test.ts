import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './program.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TASK = '0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly body: unknown;
}

/** A stand-in for the service: it notes what was asked and answers what the test laid out. */
let server: Server;
let base = '';
let folder = '';
let asked: Asked[] = [];
let reply: { status: number; body: unknown } = { status: 200, body: {} };

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
  const roles = ['admin', 'registrar', 'reviewer', 'operator', 'auditor', 'host'];
  writeFileSync(
    join(folder, 'tokens.json'),
    JSON.stringify(Object.fromEntries(roles.map((role) => [role, `token-of-${role}`]))),
  );
  server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const token = (request.headers.authorization ?? '').replace('Bearer ', '');
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      asked.push({ method: request.method ?? '', path: request.url ?? '', token, body });
      response.writeHead(reply.status, { 'content-type': 'application/json' });
      response.end(reply.status === 204 ? undefined : JSON.stringify(reply.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked = [];
  reply = { status: 200, body: {} };
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function cli(words: readonly string[], env: Record<string, string> = {}, stdin = ''): Promise<Ran> {
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
}

const REGISTRATION = { id: 'fs', kind: 'mcp-server', version: { version: '2', definition: {} } };

/** A command line, and the request that it becomes, by the token of the role that it needs. */
const REQUESTS: [string[], string, string, string, unknown][] = [
  [['register', '-'], 'registrar', 'POST', '/v1/capabilities', REGISTRATION],
  [['propose', '-'], 'registrar', 'POST', '/v1/capabilities/fs/versions', REGISTRATION.version],
  [
    ['review', 'fs', '1+b', '--approve', '--reason', 'fine', '--exception', 'signature_missing'],
    'reviewer',
    'POST',
    '/v1/capabilities/fs/versions/1%2Bb/review',
    { verdict: 'approved', reason: 'fine', exceptions: ['signature_missing'] },
  ],
  [
    ['review', 'fs', '1', '--reject', '--reason', 'no', '--expected-revision', '4'],
    'reviewer',
    'POST',
    '/v1/capabilities/fs/versions/1/review',
    { verdict: 'rejected', reason: 'no', expectedRevision: 4 },
  ],
  [
    ['suspend', 'fs', '1', '--reason', 'r'],
    'operator',
    'POST',
    '/v1/capabilities/fs/versions/1/suspend',
    { reason: 'r' },
  ],
  [
    ['reinstate', 'fs', '1', '--reason', 'r'],
    'reviewer',
    'POST',
    '/v1/capabilities/fs/versions/1/reinstate',
    { reason: 'r' },
  ],
  [
    ['revoke', 'fs', '1', '--reason', 'r'],
    'operator',
    'POST',
    '/v1/capabilities/fs/versions/1/revoke',
    { reason: 'r' },
  ],
  [
    ['capabilities', '--status', 'approved'],
    'registrar',
    'GET',
    '/v1/capabilities?status=approved&limit=200',
    undefined,
  ],
  [['capabilities', 'fs'], 'registrar', 'GET', '/v1/capabilities/fs', undefined],
  [['capabilities', 'fs', '1'], 'registrar', 'GET', '/v1/capabilities/fs/versions/1', undefined],
  [
    ['diff', 'fs', '2', '--against', '1'],
    'reviewer',
    'GET',
    '/v1/capabilities/fs/versions/2/diff?against=1',
    undefined,
  ],
  [['pending'], 'reviewer', 'GET', '/v1/reviews?status=pending', undefined],
  [
    ['policy', 'propose', '-', '--reason', 'r'],
    'registrar',
    'POST',
    '/v1/policies/default',
    { cedar: JSON.stringify(REGISTRATION), reason: 'r' },
  ],
  [
    ['policy', 'review', '3', '--approve', '--reason', 'r'],
    'reviewer',
    'POST',
    '/v1/policies/default/3/review',
    { verdict: 'approved', reason: 'r' },
  ],
  [['policy', 'show'], 'registrar', 'GET', '/v1/policies/default', undefined],
  [
    [
      'task',
      'open',
      '--agent',
      'a',
      '--user',
      'u',
      '--role',
      'r1',
      '--role',
      'r2',
      '--purpose',
      'p',
      '--scope',
      'fs:read',
      '--ttl',
      '60',
    ],
    'host',
    'POST',
    '/v1/tasks',
    {
      agent: 'a',
      user: { id: 'u', roles: ['r1', 'r2'] },
      purpose: 'p',
      scope: [{ capability: 'fs', effects: ['read'] }],
      ttlMs: 60000,
    },
  ],
  [['task', 'show', TASK], 'host', 'GET', `/v1/tasks/${TASK}`, undefined],
  [['task', 'close', TASK, '--reason', 'r'], 'host', 'POST', `/v1/tasks/${TASK}/close`, { reason: 'r' }],
  [
    ['outcome', 'c1', '--task', TASK, '--status', 'succeeded', '--effect', 'read', '--summary', 's'],
    'host',
    'POST',
    '/v1/calls/c1/outcome',
    { taskId: TASK, status: 'succeeded', effect: { type: 'read', summary: 's' } },
  ],
  [
    ['disable', 'version:fs@1', '--reason', 'r'],
    'operator',
    'POST',
    '/v1/directives',
    { target: { type: 'version', capability: 'fs', version: '1' }, reason: 'r' },
  ],
  [['lift', 'd1', '--reason', 'r'], 'operator', 'POST', '/v1/directives/d1/lift', { reason: 'r' }],
  [['directives'], 'operator', 'GET', '/v1/directives', undefined],
  [['trace', TRACE], 'auditor', 'GET', `/v1/audit/traces/${TRACE}`, undefined],
  [
    ['principal', 'add', 'h', '--role', 'host', '--agent', 'a', '--capability', 'fs'],
    'admin',
    'POST',
    '/v1/principals',
    { name: 'h', roles: ['host'], host: { agents: ['a'], capabilities: ['fs'] } },
  ],
  [['principal', 'rotate', 'h'], 'admin', 'POST', '/v1/principals/h/rotate', undefined],
  [['principal', 'remove', 'h'], 'admin', 'DELETE', '/v1/principals/h', undefined],
];
for (const [words, role, method, path, body] of REQUESTS) {
  test(`sallyport ${words.slice(0, 2).join(' ')} becomes its request`, async () => {
    const ran = await cli(words, {}, JSON.stringify(REGISTRATION));
    assert.equal(ran.code, 0, ran.err);
    assert.deepEqual(asked, [{ method, path, token: `token-of-${role}`, body }]);
    asked = [];
    const quiet = await cli([...words, '--json'], {}, JSON.stringify(REGISTRATION));
    assert.deepEqual([quiet.code, JSON.parse(quiet.out), quiet.err], [0, {}, '']);
  });
}

test('every command has help with an example', async () => {
  const help = await cli(['--help']);
  assert.equal(help.code, 0);
  const names = [...help.out.matchAll(/^ {2}([a-z]+) (?=\[|<| )/gm)]
    .map((match) => match[1] ?? '')
    .filter((name) => name !== 'help');
  assert.ok(names.length >= 20, names.join());
  const groups = {
    policy: ['propose', 'review', 'show'],
    task: ['open', 'show', 'close'],
    principal: ['add', 'rotate', 'remove'],
  };
  const commands = names.flatMap((name) =>
    name in groups ? groups[name as 'task'].map((sub) => [name, sub]) : [[name]],
  );
  for (const words of commands)
    assert.match((await cli([...words, '--help'])).out, /Example:\n {2}sallyport/, words.join(' '));
});

test('a denied call says why and has its own exit code', async () => {
  const checks = [
    { check: 'registered', outcome: 'pass' },
    { check: 'task_scope', outcome: 'fail', evidence: { entry: null } },
  ];
  reply.body = {
    decision: 'deny',
    reason: 'outside_task_scope',
    callId: 'c',
    capability: 'fs',
    operation: 'write_file',
    checks,
    obligations: [],
  };
  const ran = await cli([
    'authorize',
    '--task',
    TASK,
    '--capability',
    'fs',
    '--operation',
    'write_file',
    '--arguments',
    '{"path":"/a"}',
  ]);
  assert.equal(ran.code, 5);
  assert.match(ran.out, /DENY {2}fs\/write_file: outside_task_scope[^]*task_scope \{"entry":null\}/);
  const body = asked[0]?.body as Record<string, unknown>;
  assert.deepEqual(body['arguments'], { path: '/a' });
  assert.deepEqual(body['observed'], { server: { method: 'none' } });
});

test('anything but a plain allow is a denial', async () => {
  reply.body = { decision: 'perhaps' };
  assert.equal((await cli(['authorize', '--task', TASK, '--capability', 'fs', '--operation', 'x'])).code, 5);
  reply.body = { decision: 'allow', outbound: { arguments: {} } };
  assert.equal((await cli(['authorize', '--task', TASK, '--capability', 'fs', '--operation', 'x'])).code, 0);
});

test('an observation is taken from a captured file, its digest computed here', async () => {
  const server = { method: 'package', integrity: 'sha512-x' };
  const probe = { protocolVersion: '2025-11-25', clientCapabilities: {} };
  const captured = { id: 'fs', version: { definition: { tools: [{ name: 't' }] }, probe, manifest: { server } } };
  writeFileSync(join(folder, 'seen.json'), JSON.stringify(captured));
  await cli(['authorize', '--task', TASK, '--capability', 'fs', '--operation', 't', '--observed', 'seen.json']);
  const { observed } = (asked[0]?.body ?? {}) as { observed: Record<string, unknown> };
  assert.match(String(observed['definitionDigest']), /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual([observed['probe'], observed['server'], observed['definition']], [probe, server, undefined]);
  const spoilt = { version: { ...captured.version, definition: { tools: 'all' } } };
  writeFileSync(join(folder, 'spoilt.json'), JSON.stringify(spoilt));
  assert.equal(
    (await cli(['authorize', '--task', TASK, '--capability', 'fs', '--operation', 't', '--observed', 'spoilt.json']))
      .code,
    2,
  );
});

test('a response that was not accepted has its own exit code', async () => {
  for (const [verdict, code] of [
    ['accepted', 0],
    ['quarantined', 5],
    ['rejected', 5],
  ] as const) {
    reply.body = {
      verdict,
      findings: [],
      content: { parts: [{ type: 'text', text: '<<untrusted>>\n\u001b[2Jhello' }] },
    };
    const ran = await cli(['respond', 'c1', '--task', TASK, '--result', '{"content":[]}']);
    assert.equal(ran.code, code);
    assert.ok(!ran.out.includes('\u001b'));
  }
  assert.deepEqual(asked[0]?.body, { taskId: TASK, result: { content: [] } });
});

test('a replay that is not identical exits with 1', async () => {
  reply.body = { identical: false, calls: [{ identical: false }] };
  const ran = await cli(['replay', TRACE]);
  assert.equal(ran.code, 1);
  assert.match(ran.out, /DIFFERS[^]*NOT IDENTICAL/);
  reply.body = { identical: true, calls: [] };
  assert.equal((await cli(['replay', TRACE, '--json'])).code, 0);
});

test('a problem is told with its code, its fields and the next step', async () => {
  reply = {
    status: 400,
    body: { code: 'malformed_request', detail: 'two fields', errors: [{ path: '/version/x', message: 'unknown' }] },
  };
  const ran = await cli(['register', '-'], {}, '{}');
  assert.equal(ran.code, 4);
  assert.match(ran.err, /malformed_request: two fields\n {2}\/version\/x: unknown\n {2}correct the fields/);
  const asJson = await cli(['register', '-', '--json'], {}, '{}');
  assert.equal((JSON.parse(asJson.out) as { code: string }).code, 'malformed_request');
  reply = { status: 503, body: { code: 'log_unavailable', detail: 'cannot record' } };
  assert.equal((await cli(['directives'])).code, 3);
});

test('a service that is not there is one line and its own exit code', async () => {
  const ran = await cli(['directives'], { SALLYPORT_URL: 'http://127.0.0.1:1' });
  assert.equal(ran.code, 3);
  assert.match(ran.err, /^sallyport: no answer from http:\/\/127\.0\.0\.1:1: .*\n$/);
});

test('a token comes from a file, the environment or tokens.json, and goes nowhere else', async () => {
  writeFileSync(join(folder, 'one.token'), 'token-in-file\n');
  await cli(['directives', '--token-file', 'one.token'], { SALLYPORT_TOKEN: 'token-in-environment' });
  await cli(['directives'], { SALLYPORT_TOKEN: 'token-in-environment' });
  await cli(['directives', '--token-file', 'tokens.json']);
  assert.deepEqual(
    asked.map((one) => one.token),
    ['token-in-file', 'token-in-environment', 'token-of-operator'],
  );
  const elsewhere = await cli(['directives', '--server', 'https://sallyport.example.com']);
  assert.equal(elsewhere.code, 2);
  assert.match(elsewhere.err, /no token: set SALLYPORT_TOKEN or give --token-file\n$/);
  const plain = await cli(['directives', '--server', 'http://sallyport.example.com'], { SALLYPORT_TOKEN: 'x' });
  assert.match(plain.err, /would travel unencrypted/);
  assert.equal((await cli(['directives'], { SALLYPORT_DATA: '/nowhere' })).code, 2);
});

test('only principal add and rotate print a token', async () => {
  reply.body = { name: 'h', roles: ['host'], token: 'sallyport_new' };
  assert.match((await cli(['principal', 'add', 'h', '--role', 'host'])).out, /sallyport_new/);
  assert.match((await cli(['principal', 'rotate', 'h'])).out, /sallyport_new/);
  reply = { status: 401, body: { code: 'unauthenticated', detail: 'no' } };
  const ran = await cli(['directives'], { SALLYPORT_TOKEN: 'sallyport_old' });
  assert.doesNotMatch(ran.out + ran.err, /sallyport_old/);
});

test('wrong usage exits with 2 and asks the service nothing', async () => {
  const wrong = [
    ['nonsense'],
    ['review', 'fs', '1', '--reason', 'r'],
    ['review', 'fs', '1', '--approve', '--reject', '--reason', 'r'],
    ['review', 'fs', '1', '--approve', '--reason', 'r', '--exception', 'signature_mising'],
    ['disable', 'everything', '--reason', 'r'],
    ['disable', 'all'],
    ['task', 'open', '--agent', 'a'],
    ['respond', 'c1', '--task', TASK],
    ['register', 'not-there.json'],
    ['principal', 'add', 'x', '--role', 'king'],
    ['capture'],
    ['capture', '--url', 'ftp://x'],
    ['capture', '--url', 'http://x', '--', 'node'],
    ['capture', '--id', 'Not A Name', '--', 'node'],
    ['capture', '--timeout', '0', '--', 'node'],
  ];
  for (const words of wrong) assert.equal((await cli(words)).code, 2, words.join(' '));
  assert.equal((await cli(['register', '-'], {}, '{"id":"a","id":"b"}')).code, 2);
  assert.deepEqual(asked, []);
});

test('a trace is told as a story', async () => {
  reply.body = {
    traceId: TRACE,
    tasks: [{}],
    calls: [
      {
        callId: 'c1',
        attempt: 1,
        decision: 'deny',
        reason: 'outside_task_scope',
        registry: {
          capability: 'fs',
          version: '1',
          definitionDigest: 'sha256:0',
          review: { verdict: 'approved', by: 'rita' },
        },
        serverAuthentication: { method: 'package', result: 'verified' },
        outbound: 'shredded',
        response: null,
      },
    ],
    events: [
      {
        time: '2026-11-22T10:00:00.000Z',
        actor: 'h',
        type: 'TaskOpened',
        data: { agent: 'scribe', user: { id: 'ana' } },
      },
      {
        time: '2026-11-22T10:00:01.000Z',
        actor: 'h',
        type: 'CallDecided',
        data: { callId: 'c1', attempt: 1, decision: 'deny', operation: 'write\u001b[2J', reason: 'outside_task_scope' },
      },
    ],
  };
  const { out } = await cli(['trace', TRACE]);
  assert.match(out, /TaskOpened +scribe for ana/);
  assert.match(out, /CallDecided +DENY +fs\/write\\u\{1b\}\[2J: outside_task_scope/);
  assert.match(out, /registry +fs@1 approved by rita/);
  assert.match(out, /sent +shredded/);
});

test('the built command runs as a program', () => {
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const ran = spawnSync(process.execPath, [main, '--version'], { encoding: 'utf8' });
  assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, '0.1.0\n', '']);
  const failed = spawnSync(process.execPath, [main, 'capture', '--', '/nowhere'], { encoding: 'utf8' });
  assert.deepEqual([failed.status, failed.stdout], [6, '']);
});
