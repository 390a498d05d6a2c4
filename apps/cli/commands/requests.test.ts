import assert from 'node:assert/strict';
import { startStub, type Stub } from '../../../test/demo/stub-service.js';
import { after, before, beforeEach, test } from '../../../test/support/testing.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TASK = '0b9f3a52-7c55-4c1e-8a55-2f6a3a1b7f11';

let stub: Stub;
before(async () => {
  stub = await startStub();
});
after(() => stub.close());
beforeEach(() => stub.reset());

const REGISTRATION = { id: 'fs', kind: 'mcp-server', version: { version: '2', definition: {} } };

/** A command line, and the request that it sends, with the token of the role that it needs. */
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
    ['exceptions', 'fs', '1', '--add', 'signature_missing', '--remove', 'schema_unenforced:a b', '--reason', 'r'],
    'reviewer',
    'POST',
    '/v1/capabilities/fs/versions/1/exceptions',
    { add: ['signature_missing'], remove: ['schema_unenforced:a b'], reason: 'r' },
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
    ['disable', 'version:fs@1', '--reason', 'r', '--id', TASK],
    'operator',
    'POST',
    '/v1/directives',
    { id: TASK, target: { type: 'version', capability: 'fs', version: '1' }, reason: 'r' },
  ],
  [['lift', 'd1', '--reason', 'r'], 'operator', 'POST', '/v1/directives/d1/lift', { reason: 'r' }],
  [['directives'], 'operator', 'GET', '/v1/directives', undefined],
  [['trace', TRACE], 'auditor', 'GET', `/v1/audit/traces/${TRACE}`, undefined],
  [
    ['principal', 'add', 'h', '--role', 'host', '--agent', 'a', '--capability', 'fs', '--may-stop'],
    'admin',
    'POST',
    '/v1/principals',
    { name: 'h', roles: ['host'], host: { agents: ['a'], capabilities: ['fs'], mayStop: true } },
  ],
  [['principal', 'rotate', 'h'], 'admin', 'POST', '/v1/principals/h/rotate', undefined],
  [['principal', 'remove', 'h'], 'admin', 'DELETE', '/v1/principals/h', undefined],
];
for (const [words, role, method, path, body] of REQUESTS) {
  test(`sallyport ${words.slice(0, 2).join(' ')} becomes its request`, async () => {
    const ran = await stub.cli(words, {}, JSON.stringify(REGISTRATION));
    assert.equal(ran.code, 0, ran.err);
    const [asked, ...more] = stub.asked;
    assert.deepEqual(asked, { method, path, token: `token-of-${role}`, body });
    // Reads that only show something to a person come in addition to the request.
    assert.ok(more.every((each) => method === 'GET' && each.method === 'GET'));
    stub.asked = [];
    const quiet = await stub.cli([...words, '--json'], {}, JSON.stringify(REGISTRATION));
    assert.deepEqual([quiet.code, JSON.parse(quiet.out), quiet.err], [0, {}, '']);
    assert.equal(stub.asked.length, 1);
  });
}

test('warnings of a proposal are printed', async () => {
  const warnings = ['line 1, column 39: no capability "memroy" is registered'];
  stub.reply = { status: 201, body: { set: 'default', policyVersion: 1, status: 'pending', warnings, position: '1' } };
  const { code, out } = await stub.cli(['policy', 'propose', '-', '--reason', 'r'], {}, 'permit(…);');
  assert.equal(code, 0);
  assert.match(out, /^warning: line 1, column 39: no capability "memroy" is registered$/m);
});
