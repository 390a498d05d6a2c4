import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../libs/kernel/version.js';
import { startStub, type Stub } from '../../test/demo/stub-service.js';
import { after, before, beforeEach, test } from '../../test/support/testing.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TASK = '0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11';

let stub: Stub;
before(async () => {
  stub = await startStub();
});
after(() => stub.close());
beforeEach(() => stub.reset());

test('every command has help with an example', async () => {
  const help = await stub.cli(['--help']);
  assert.equal(help.code, 0);
  const names = [...help.out.matchAll(/^ {2}([a-z]+) (?=\[|<| )/gm)]
    .map((match) => match[1] ?? '')
    .filter((name) => name !== 'help');
  assert.ok(names.length >= 20, names.join());
  const groups = {
    publisher: ['register', 'add-key', 'review-key', 'revoke-key', 'revoke', 'show', 'allow', 'review'],
    policy: ['propose', 'review', 'show', 'check', 'test'],
    task: ['open', 'list', 'show', 'close'],
    principal: ['add', 'list', 'rotate', 'remove'],
    events: ['schema'],
    siem: ['sample'],
  };
  const commands = names.flatMap((name) =>
    name in groups ? groups[name as 'task'].map((sub) => [name, sub]) : [[name]],
  );
  for (const words of commands)
    assert.match((await stub.cli([...words, '--help'])).out, /Example:\n {2}sallyport/, words.join(' '));
});

test('an OCSF event of each event type is printed without a service', async () => {
  const all = await stub.cli(['siem', 'sample']);
  assert.equal(all.code, 0);
  const lines = all.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(lines.length >= 28);
  const one = await stub.cli(['siem', 'sample', '--type', 'CallDecided']);
  assert.equal(JSON.parse(one.out).type_uid, 600_399);
  assert.equal((await stub.cli(['siem', 'sample', '--type', 'RelayLeaseTaken'])).code, 2);
});

test('the schemas of published events are printed, or written as files', async (t) => {
  const template = await stub.cli(['events', 'schema', '--format', 'elasticsearch']);
  assert.equal(template.code, 0);
  assert.equal(JSON.parse(template.out)['sallyport-events'].template.mappings.dynamic, 'strict');
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-schemas-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [schemas, registry] = [join(folder, 'a', 'b'), join(folder, 'c')];
  assert.equal((await stub.cli(['events', 'schema', '--out', schemas])).code, 0);
  assert.equal((await stub.cli(['events', 'schema', '--format', 'schema-registry', '--out', registry])).code, 0);
  const read = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));
  const decided = read(schemas, 'CallDecided.v4.json');
  assert.equal(decided.$id, 'urn:sallyport:event:CallDecided.v4');
  assert.equal(decided.additionalProperties, false);
  const asked = read(registry, 'CallDecided.v4.json');
  assert.deepEqual([asked.schemaType, JSON.parse(asked.schema)], ['JSON', decided]);
  writeFileSync(join(folder, 'file'), '');
  assert.equal((await stub.cli(['events', 'schema', '--out', join(folder, 'file', 'x')])).code, 2);
});

test('a denied call says why and has its own exit code', async () => {
  const checks = [
    { check: 'registered', outcome: 'pass' },
    { check: 'task_scope', outcome: 'fail', evidence: { entry: null } },
  ];
  stub.reply.body = {
    decision: 'deny',
    reason: 'outside_task_scope',
    callId: 'c',
    capability: 'fs',
    operation: 'write_file',
    checks,
    obligations: [],
  };
  const ran = await stub.cli([
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
  const body = stub.asked[0]?.body as Record<string, unknown>;
  assert.deepEqual(body['arguments'], { path: '/a' });
  assert.deepEqual(body['observed'], { server: { method: 'none' } });
});

test('anything but a plain allow is a denial', async () => {
  stub.reply.body = { decision: 'perhaps' };
  assert.equal((await stub.cli(['authorize', '--task', TASK, '--capability', 'fs', '--operation', 'x'])).code, 5);
  stub.reply.body = { decision: 'allow', outbound: { arguments: {} } };
  assert.equal((await stub.cli(['authorize', '--task', TASK, '--capability', 'fs', '--operation', 'x'])).code, 0);
});

test('an observation is taken from a captured file, its digest computed here', async () => {
  const server = { method: 'package', integrity: 'sha512-x' };
  const probe = { protocolVersion: '2025-11-25', clientCapabilities: {} };
  const captured = { id: 'fs', version: { definition: { tools: [{ name: 't' }] }, probe, manifest: { server } } };
  writeFileSync(join(stub.folder, 'seen.json'), JSON.stringify(captured));
  await stub.cli(['authorize', '--task', TASK, '--capability', 'fs', '--operation', 't', '--observed', 'seen.json']);
  const { observed } = (stub.asked[0]?.body ?? {}) as { observed: Record<string, unknown> };
  assert.match(String(observed['definitionDigest']), /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual([observed['probe'], observed['server'], observed['definition']], [probe, server, undefined]);
  const spoilt = { version: { ...captured.version, definition: { tools: 'all' } } };
  writeFileSync(join(stub.folder, 'spoilt.json'), JSON.stringify(spoilt));
  assert.equal(
    (
      await stub.cli([
        'authorize',
        '--task',
        TASK,
        '--capability',
        'fs',
        '--operation',
        't',
        '--observed',
        'spoilt.json',
      ])
    ).code,
    2,
  );
});

test('a response that was not accepted has its own exit code', async () => {
  for (const [verdict, code] of [
    ['accepted', 0],
    ['quarantined', 5],
    ['rejected', 5],
  ] as const) {
    stub.reply.body = {
      verdict,
      findings: [],
      content: { parts: [{ type: 'text', text: '<<untrusted>>\n\u001b[2Jhello' }] },
    };
    const ran = await stub.cli(['respond', 'c1', '--task', TASK, '--result', '{"content":[]}']);
    assert.equal(ran.code, code);
    assert.ok(!ran.out.includes('\u001b'));
  }
  assert.deepEqual(stub.asked[0]?.body, { taskId: TASK, result: { content: [] } });
});

test('a replay that is not identical exits with 1', async () => {
  stub.reply.body = { identical: false, calls: [{ identical: false }] };
  const ran = await stub.cli(['replay', TRACE]);
  assert.equal(ran.code, 1);
  assert.match(ran.out, /DIFFERS[^]*NOT IDENTICAL/);
  stub.reply.body = { identical: true, calls: [] };
  assert.equal((await stub.cli(['replay', TRACE, '--json'])).code, 0);
  stub.reply.body = { identical: 'engine_gone', calls: [{ identical: true }, { identical: 'engine_gone' }] };
  const gone = await stub.cli(['replay', TRACE]);
  assert.equal(gone.code, 11);
  assert.match(gone.out, /same[^]*ENGINE GONE[^]*nothing differs/);
  assert.doesNotMatch(gone.out, /DIFFERS/);
});

test('a replay is read to its last page, and is identical only if each page is', async () => {
  const page = (identical: boolean | string, next?: string) => ({
    identical,
    calls: [{ callId: 'c', identical: identical !== false, response: { again: 'shredded' } }],
    unchecked: ['what the host saw'],
    next,
  });
  const cases = [
    [[page(true, 'a'), page(true)], 0, /identical: all 2 decisions/],
    [[page(false, 'a'), page(true)], 1, /DIFFERS[^]*NOT IDENTICAL/],
    [[page(true, 'a'), page(false)], 1, /NOT IDENTICAL/],
    [[page('engine_gone', 'a'), page(true)], 11, /ENGINE GONE/],
    [[page('engine_gone', 'a'), page(false)], 1, /NOT IDENTICAL/],
  ] as const;
  for (const [pages, code, said] of cases) {
    stub.pages = [...pages];
    const ran = await stub.cli(['replay', TRACE]);
    assert.equal(ran.code, code);
    assert.match(ran.out, said);
    assert.match(ran.out, /response shredded/);
    assert.equal(ran.out.match(/not checked: what the host saw/g)?.length, 1);
    stub.pages = [...pages];
    assert.equal((JSON.parse((await stub.cli(['replay', TRACE, '--json'])).out) as { calls: [] }).calls.length, 2);
  }
});

test('a problem is told with its code, its fields and the next step', async () => {
  stub.reply = {
    status: 400,
    body: { code: 'malformed_request', detail: 'two fields', errors: [{ path: '/version/x', message: 'unknown' }] },
  };
  const ran = await stub.cli(['register', '-'], {}, '{}');
  assert.equal(ran.code, 4);
  assert.match(ran.err, /malformed_request: two fields\n {2}\/version\/x: unknown\n {2}correct the fields/);
  const asJson = await stub.cli(['register', '-', '--json'], {}, '{}');
  assert.equal((JSON.parse(asJson.out) as { code: string }).code, 'malformed_request');
  stub.reply = { status: 503, body: { code: 'log_unavailable', detail: 'cannot record' } };
  assert.equal((await stub.cli(['directives'])).code, 3);
});

test('a command of unknown fate has an exit code of its own, and says how to ask', async () => {
  stub.reply = { status: 503, body: { code: 'outcome_unknown', detail: 'it is not known' } };
  const lifted = await stub.cli(['lift', 'd1', '--reason', 'r']);
  assert.equal(lifted.code, 9);
  assert.match(
    lifted.err,
    /^sallyport: outcome_unknown: it is not known\n {2}The command .* Send the same command again/,
  );
  const disabled = await stub.cli(['disable', 'all', '--reason', 'r']);
  assert.equal(disabled.code, 9);
  const { id } = (stub.asked.at(-1)?.body ?? {}) as { id: string };
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.match(disabled.err, new RegExp(`^sallyport: the directive has the id ${id}: send it again with --id ${id}\n`));
  stub.reply = { status: 201, body: { name: 'h', roles: ['host'] } };
  const added = await stub.cli(['principal', 'add', 'h', '--role', 'host']);
  assert.match(added.out, /was added before.*\nFor a new token: sallyport principal rotate h\n$/);
});

test('a review that lacks exceptions is told which, and what to do', async () => {
  const needed = ['schema_unenforced:a', 'signature_missing'];
  stub.reply = { status: 409, body: { code: 'exception_required', detail: 'the version needs exceptions', needed } };
  const review = ['review', 'fs', '1', '--approve', '--reason', 'r'];
  const ran = await stub.cli(review);
  assert.equal(ran.code, 4);
  assert.match(ran.err, /needs --exception schema_unenforced:a\n {2}needs --exception signature_missing\n/);
  assert.match(ran.err, /review --help/);
  assert.deepEqual((JSON.parse((await stub.cli([...review, '--json'])).out) as { needed: string[] }).needed, needed);
  for (const command of ['review', 'exceptions']) {
    assert.match((await stub.cli([command, '--help'])).out, /signature_missing +the manifest is not signed/);
  }
});

test('a service that is not there is one line and its own exit code', async () => {
  const ran = await stub.cli(['directives'], { SALLYPORT_URL: 'http://127.0.0.1:1' });
  assert.equal(ran.code, 3);
  assert.match(ran.err, /^sallyport: no answer from http:\/\/127\.0\.0\.1:1: .*\n$/);
});

test('a token comes from a file, the environment or tokens.json, and goes nowhere else', async () => {
  writeFileSync(join(stub.folder, 'one.token'), 'token-in-file\n');
  await stub.cli(['directives', '--token-file', 'one.token'], { SALLYPORT_TOKEN: 'token-in-environment' });
  await stub.cli(['directives'], { SALLYPORT_TOKEN: 'token-in-environment' });
  await stub.cli(['directives', '--token-file', 'tokens.json']);
  assert.deepEqual(
    stub.asked.map((one) => one.token),
    ['token-in-file', 'token-in-environment', 'token-of-operator'],
  );
  const elsewhere = await stub.cli(['directives', '--server', 'https://sallyport.example.com']);
  assert.equal(elsewhere.code, 2);
  assert.match(elsewhere.err, /no token: set SALLYPORT_TOKEN or give --token-file\n$/);
  const plain = await stub.cli(['directives', '--server', 'http://sallyport.example.com'], { SALLYPORT_TOKEN: 'x' });
  assert.match(plain.err, /would travel unencrypted/);
  assert.equal((await stub.cli(['directives'], { SALLYPORT_DATA: '/nowhere' })).code, 2);
});

test('only principal add and rotate print a token', async () => {
  stub.reply.body = { name: 'h', roles: ['host'], token: 'sallyport_new' };
  assert.match((await stub.cli(['principal', 'add', 'h', '--role', 'host'])).out, /sallyport_new/);
  assert.match((await stub.cli(['principal', 'rotate', 'h'])).out, /sallyport_new/);
  stub.reply = { status: 401, body: { code: 'unauthenticated', detail: 'no' } };
  const ran = await stub.cli(['directives'], { SALLYPORT_TOKEN: 'sallyport_old' });
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
  for (const words of wrong) assert.equal((await stub.cli(words)).code, 2, words.join(' '));
  assert.equal((await stub.cli(['register', '-'], {}, '{"id":"a","id":"b"}')).code, 2);
  assert.deepEqual(stub.asked, []);
});

test('a trace is told as a story', async () => {
  stub.reply.body = {
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
  const { out } = await stub.cli(['trace', TRACE]);
  assert.match(out, /TaskOpened +scribe for ana/);
  assert.match(out, /CallDecided +DENY +fs\/write\\u\{1b\}\[2J: outside_task_scope/);
  assert.match(out, /registry +fs@1, approved by rita/);
  assert.match(out, /sent +shredded: the key of its task was destroyed/);
});

test('a trace is read to its last page, and a shared history is found by its positions', async () => {
  const event = (position: string, type: string, time: string, data: object) => ({
    position,
    stream: 's',
    revision: 1,
    type,
    time,
    actor: 'olga',
    data,
  });
  const call = {
    callId: 'c2',
    attempt: 1,
    decision: 'deny',
    reason: 'version_revoked',
    capability: 'fs',
    version: '1',
  };
  const revoked = event('7', 'VersionRevoked', '2026-11-22T20:29:22.041Z', { version: '1', reason: 'CVE-2026-1111' });
  const pages = [
    { traceId: TRACE, tasks: [{ taskId: TASK }], calls: [{ callId: 'c1' }], events: [], next: 'a b' },
    {
      traceId: TRACE,
      tasks: [{ taskId: TASK }],
      calls: [{ ...call, time: '2026-11-22T20:30:00.000Z', position: '9', capabilityHistory: ['7'] }],
      events: [{ position: '8', stream: 'calls', revision: 3, damaged: true }],
      histories: { fs: [revoked, event('8', 'VersionReviewed', '2026-11-23T00:00:00.000Z', { version: '2' })] },
    },
  ];
  stub.pages = pages;
  const { out } = await stub.cli(['trace', TRACE]);
  assert.deepEqual(
    stub.asked.map((one) => one.path),
    [`/v1/audit/traces/${TRACE}`, `/v1/audit/traces/${TRACE}?cursor=a+b`],
  );
  assert.match(out, /1 task, 2 calls/);
  assert.match(out, /Denied: version 1 was revoked by olga at 20:29:22, CVE-2026-1111/);
  assert.match(out, /DAMAGED: the event at position 8 of the log, calls@3/);
  assert.doesNotMatch(out, /VersionReviewed/);
});

test('the built command runs as a program', () => {
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const ran = spawnSync(process.execPath, [main, '--version'], { encoding: 'utf8' });
  assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, `${VERSION}\n`, '']);
  const failed = spawnSync(process.execPath, [main, 'capture', '--', '/nowhere'], { encoding: 'utf8' });
  assert.deepEqual([failed.status, failed.stdout], [6, '']);
});
