import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { MODERN, NOTES, scriptedServer, speakModern, type ScriptedServer } from '../../../test/support/mcp-server.js';
import { uuid } from '../../../test/support/given.js';
import { fingerprintDefinition } from '../../kernel/definition-digest.js';
import type { Allow, Decision, RegisteredVersion, Task, Validated } from '../service/answers.js';
import { ServiceError, type Authorize, type HostClient, type Outcome } from '../service/client.js';
import type { FollowerState } from '../directives/follower.js';
import { guard } from './guard.js';
import type { McpClient, McpTransport } from '../../mcp/client.js';
import type { CallRefused } from './refusal.js';
import type { StaleReason } from '../directives/view.js';
import { test, type TestContext } from '../../../test/support/testing.js';

const fingerprint = fingerprintDefinition(NOTES);
const digest = fingerprint.ok ? fingerprint.value.digest : '';
const traceId = 'f'.repeat(32);
const OPERATIONS = { look: { effects: ['read'] }, raze: { effects: ['modify'] } };
const NOW_MS = Date.parse('2026-11-22T10:00:00.000Z');

const outbound = (sent: Partial<Allow['outbound']> & Pick<Allow['outbound'], 'arguments'>): Allow['outbound'] => ({
  context: [],
  labels: [],
  redactions: [],
  refusals: [],
  ...sent,
});

/** A guard over a service and a follower that say what the test wants, right when it wants. */
async function guarded(
  t: TestContext,
  arrange: (
    server: ScriptedServer,
    disable: () => void,
    service: { findings?: RegisteredVersion['findings'] },
  ) => void = () => undefined,
  {
    mcp = new Client({ name: 't', version: '1' }),
    scope = [{ capability: 'notes', effects: ['read'] }],
  }: { mcp?: McpClient<McpTransport>; scope?: Task['scope'] } = {},
) {
  const host = { stale: undefined as StaleReason | undefined, voids: false, nowMs: NOW_MS };
  const listeners = new Set<(state: FollowerState) => void>();
  const disable = () => {
    host.voids = true;
    for (const tell of listeners) tell({} as FollowerState);
  };
  const outcomes: Outcome[] = [];
  const service = {
    onAuthorize: (): void => undefined,
    onValidate: (): void => undefined,
    allow: {} as Partial<Extract<Decision, { decision: 'allow' }>>,
    validated: undefined as Validated | undefined,
    findings: undefined as RegisteredVersion['findings'],
    fails: undefined as keyof HostClient | undefined,
  };
  const failing = (name: keyof HostClient) => {
    if (service.fails === name) throw new ServiceError('log_unavailable', 'no log');
  };
  const unused = () => Promise.reject(new Error('not asked in these tests'));
  const client: HostClient = {
    openTask: unused,
    getTask: unused,
    closeTask: unused,
    keys: unused,
    approval: unused,
    response: unused,
    directives: unused,
    acknowledge: unused,
    observe: () => Promise.resolve(),
    version: () =>
      Promise.resolve({ definition: NOTES, manifest: { operations: OPERATIONS }, findings: service.findings }) as never,
    async authorize(call: Authorize) {
      failing('authorize');
      if (call.operation !== '$connect') service.onAuthorize();
      const { callId, arguments: args } = call;
      const answered = { callId, traceId, reason: 'ok', obligations: [] as string[], epoch: 1 };
      const expiresAt = new Date(NOW_MS + 5000).toISOString();
      return {
        ...answered,
        decision: 'allow' as const,
        outbound: outbound({ arguments: args }),
        targets: ['all'],
        expiresAt,
        ...service.allow,
      };
    },
    async validateResponse(_callId, { result }) {
      failing('validateResponse');
      service.onValidate();
      if (service.validated !== undefined) return service.validated;
      const source = {
        capability: 'notes',
        version: '1',
        operation: 'look',
        server: { method: 'none', result: 'unauthenticated' },
      };
      const parts = [{ type: 'structured', value: (result ?? {}) as never }] as const;
      const content = { integrity: 'untrusted', source, boundary: 'b', parts: [...parts], digest: 'd' } as const;
      return { verdict: 'accepted', content: { ...content, parts: [...parts] }, findings: [] };
    },
    async recordOutcome(_callId, outcome) {
      failing('recordOutcome');
      outcomes.push(outcome);
    },
  };
  const follower = {
    stale: () => host.stale,
    isVoid: () => host.voids,
    isLeaseOver: () => false,
    serviceMs: () => host.nowMs,
    onChange: (listener: (state: FollowerState) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const server = scriptedServer();
  arrange(server, disable, service);
  const pins = [{ capability: 'notes', version: '1', definitionDigest: digest }];
  const task = { taskId: uuid(1), traceId, pins, unresolved: [], expiresAt: '', scope };
  const evidence = { method: 'none' as const };
  const options = { task, capability: 'notes', transport: server.transport, server: evidence, lateMs: 20 };
  const made = await guard(mcp, options, { client, follower });
  t.after(() => made.close());
  outcomes.length = 0;
  return { guard: made, host, disable, service, server, outcomes };
}

test('instructions with a finding of severity high are shown as evidence, and others as they are', async (t) => {
  const finding = { detector: 'd', kind: 'override', path: '/instructions', span: [0, 11] as [number, number] };
  const shownWith = async (severity: 'low' | 'high') =>
    (await guarded(t, (_server, _disable, service) => (service.findings = [{ ...finding, severity }]))).guard.shown;
  const { instructions, tools } = await shownWith('high');
  assert.match(
    instructions ?? '',
    /^<<untrusted ([0-9a-f]{32}) instructions>>\nKeeps\^[0-9a-f]{4,}notes\.\n<<end \1>>$/,
  );
  assert.deepEqual(tools, NOTES.tools.slice(0, 1));
  assert.equal((await shownWith('low')).instructions, NOTES.instructions);
});

test('labels and admitted context go to the server in `_meta`, as the service answered them', async (t) => {
  const { guard, service, server } = await guarded(t);
  const label = { path: '/key', level: 'internal', categories: ['pii:email'], source: 'crm' };
  const item = { id: 'mail-1', source: 'mail', content: 'one line' };
  const filtered = { redactions: [{ path: '/other', type: 'not_needed', count: 1 }], refusals: [] };
  const sent = outbound({ arguments: { key: 'a' }, labels: [label], context: [item], ...filtered });
  service.allow = { outbound: sent, obligations: ['summarise:mail-2'] };
  const context = [{ ...item, content: 'one line and a secret' }];
  const result = await guard.callTool({ name: 'look', arguments: { key: 'a' } }, { context });
  const meta = server.requestsOf('tools/call')[0]?.params['_meta'];
  assert.deepEqual([meta['dev.sallyport/labels'], meta['dev.sallyport/context']], [[label], [item]]);
  assert.equal(JSON.stringify(server.received).includes('secret'), false);
  assert.deepEqual(result.filtered, { ...filtered, obligations: ['summarise:mail-2'] });
});

test('a quarantined response is delivered as quoted, and a held one is a refusal', async (t) => {
  const { guard, service } = await guarded(t);
  const quoted = await guard.callTool({ name: 'look' });
  assert.ok(quoted.envelope);
  service.validated = { verdict: 'quarantined', content: quoted.envelope, findings: [] };
  assert.equal((await guard.callTool({ name: 'look' })).refusal, undefined);
  service.validated = { verdict: 'quarantined', findings: [] };
  const held = await guard.callTool({ name: 'look' });
  assert.deepEqual([held.refusal?.reason, held.envelope], ['response_quarantined', undefined]);
});

test('the server gets what the decision lets out, and nothing else of the question', async (t) => {
  const { guard, service, server } = await guarded(t);
  service.allow = { outbound: outbound({ arguments: { key: '[redacted]' } }) };
  await guard.callTool({ name: 'look', arguments: { key: 'secret', other: 'secret' } });
  const sent = JSON.stringify(server.received);
  assert.ok(sent.includes('[redacted]') && !sent.includes('secret'));
});

const between: Record<string, (stage: Awaited<ReturnType<typeof guarded>>['host']) => void> = {
  host_stale: (host) => (host.stale = 'lease_expired'),
  disabled: (host) => (host.voids = true),
  expired: (host) => (host.nowMs += 5000),
};

for (const [reason, happens] of Object.entries(between)) {
  test(`what comes between the decision and the call stops it: ${reason}`, async (t) => {
    const { guard, service, server, host, outcomes } = await guarded(t);
    service.onAuthorize = () => happens(host);
    const { refusal, isError } = await guard.callTool({ name: 'look' });
    assert.deepEqual([isError, refusal?.reason, refusal?.by], [true, reason, 'host']);
    assert.deepEqual(server.requestsOf('tools/call'), []);
    await guard.close();
    assert.deepEqual(outcomes, [
      { taskId: uuid(1), status: 'failed', control: { decision: 'not_called', by: 'host', reason } },
    ]);
  });
}

test('what stops a call before its first byte leaves is on record as a call that was not made', async (t) => {
  const caller = new AbortController();
  for (const reason of ['disabled', 'cancelled']) {
    const { guard, service, server, host, outcomes } = await guarded(t);
    service.onValidate = () => assert.fail('there is no answer');
    let looks = 0;
    if (reason === 'disabled') Object.defineProperty(host, 'voids', { get: () => (looks += 1) > 1 });
    else service.onAuthorize = () => caller.abort();
    const { refusal } = await guard.callTool({ name: 'look' }, { signal: caller.signal });
    assert.equal(refusal?.reason, reason);
    assert.deepEqual(server.requestsOf('tools/call'), []);
    await guard.close();
    const control = { decision: 'not_called', by: 'host', reason };
    assert.deepEqual(outcomes, [{ taskId: uuid(1), status: 'failed', control }]);
  }
});

test('a stopped call has its outcome also where its late answer cannot be handed in', async (t) => {
  const { guard, service, server, disable, outcomes } = await guarded(t);
  service.fails = 'validateResponse';
  server.answers['tools/call'] = () => {
    setImmediate(disable);
    return new Promise(() => undefined);
  };
  assert.equal((await guard.callTool({ name: 'look' })).refusal?.reason, 'disabled');
  await guard.close();
  const control = { decision: 'aborted', by: 'host', reason: 'disabled' };
  assert.deepEqual(outcomes, [{ taskId: uuid(1), status: 'unknown', control }]);
});

test('what is shown is cut by the entries of this capability alone', async (t) => {
  const scope: Task['scope'] = [
    { capability: 'notes', effects: ['read'] },
    { capability: 'tickets', effects: ['modify'] },
    { capability: 'tickets', operations: ['raze'] },
  ];
  const { guard } = await guarded(t, undefined, { scope });
  assert.deepEqual(guard.shown.tools, [NOTES.tools[0]]);
});

test('a server that answers with questions gets no answers of its host (SDK v2, 2026-07-28)', async (t) => {
  const mode = { pin: MODERN };
  const mcp = new ClientV2({ name: 't', version: '1' }, { capabilities: { roots: {} }, versionNegotiation: { mode } });
  mcp.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///secret' }] }));
  const { guard, server, outcomes } = await guarded(t, speakModern, { mcp });
  assert.equal((await guard.callTool({ name: 'look' })).isError, false);
  server.answers['tools/call'] = () => ({
    resultType: 'input_required',
    inputRequests: { a: { method: 'roots/list' } },
  });
  const { refusal, content } = await guard.callTool({ name: 'look' });
  assert.deepEqual([refusal?.reason, refusal?.by], ['input_required', 'host']);
  assert.ok(!JSON.stringify(content).includes('inputRequests'));
  await guard.close();
  assert.equal(server.requestsOf('tools/call').length, 2, 'it is not asked again');
  assert.ok(!JSON.stringify(server.received).includes('secret'));
  assert.equal(outcomes.at(-1)?.status, 'failed');
});

test('a server that answers its host only after it has been answered itself is refused, not waited for', async (t) => {
  const { guard, service, server } = await guarded(t);
  const asked: unknown[] = [];
  const authorize = service.onAuthorize;
  service.onAuthorize = () => {
    asked.push('client');
    authorize();
  };
  let answered: (said: object) => void = () => undefined;
  server.answers['tools/list'] = () => new Promise((resolve) => (answered = resolve));
  server.say({ method: 'notifications/tools/list_changed' });
  server.say({ id: 's1', method: 'ping' });
  server.say({ id: 's2', method: 'roots/list' });
  for (let tries = 0; tries < 300 && asked.length === 0; tries += 1) await delay(10);
  assert.deepEqual(asked, ['client'], 'without a digest: the service says what becomes of it');
  answered({ tools: NOTES.tools });
  assert.equal((await guard.callTool({ name: 'look' })).isError, false);
});

for (const step of ['authorize', 'validateResponse'] as const) {
  test(`an error of the service refuses, whatever it is: ${step}`, async (t) => {
    const { guard, service } = await guarded(t);
    service.fails = step;
    const { refusal, isError, content, envelope } = await guard.callTool({ name: 'look' });
    assert.deepEqual([isError, refusal?.reason, envelope], [true, 'log_unavailable', undefined]);
    assert.ok(!JSON.stringify(content).includes('did look'));
  });
}

test('an outcome that cannot be recorded takes nothing back', async (t) => {
  const { guard, service } = await guarded(t);
  service.fails = 'recordOutcome';
  assert.equal((await guard.callTool({ name: 'look' })).isError, false);
});

for (const verdict of ['quarantined', 'rejected'] as const) {
  test(`what is ${verdict} is not shown`, async (t) => {
    const { guard, service } = await guarded(t);
    const finding = { detector: 'caps/too_large', kind: 'cap', path: '', severity: 'high' };
    service.validated = { verdict, findings: [finding] };
    const { refusal, content } = await guard.callTool({ name: 'look' });
    assert.deepEqual([refusal?.reason, refusal?.by, refusal?.findings], [`response_${verdict}`, 'service', [finding]]);
    assert.ok(!JSON.stringify(content).includes('did look'));
  });
}

test('nothing is asked of the service, or of the server, while the host is stale', async (t) => {
  const { guard, service, server, host } = await guarded(t);
  host.stale = 'bad_signature';
  service.onAuthorize = () => assert.fail('asked');
  const { refusal } = await guard.callTool({ name: 'look' });
  assert.deepEqual([refusal?.reason, refusal?.detail], ['host_stale', 'bad_signature']);
  assert.deepEqual(server.requestsOf('tools/call'), []);
});

test('what was accepted before a directive, and answered after it, is not shown', async (t) => {
  const { guard, service, disable } = await guarded(t);
  service.onValidate = disable;
  const { refusal, content, envelope } = await guard.callTool({ name: 'look' });
  assert.deepEqual([refusal?.reason, refusal?.by, envelope], ['disabled', 'host', undefined]);
  assert.ok(!JSON.stringify(content).includes('did look'));
});

for (const [step, method] of [
  ['connects', 'initialize'],
  ['reads what the server declares', 'tools/list'],
] as const) {
  test(`a directive stops a host that ${step}`, async (t) => {
    const arranged = guarded(t, (server, disable) => {
      server.answers[method] = () => {
        setImmediate(disable);
        return new Promise(() => undefined);
      };
    });
    await assert.rejects(arranged, ({ refusal }: CallRefused) => {
      assert.deepEqual([refusal.reason, refusal.by], ['disabled', 'host']);
      return true;
    });
  });
}
