import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { NOTES, scriptedServer, type ScriptedServer } from '../../test/support/mcp-server.js';
import { uuid } from '../../test/support/given.js';
import { fingerprintDefinition } from '../kernel/definition-digest.js';
import type { Decision, Validated } from './answers.js';
import { ServiceError, type Authorize, type HostClient, type Outcome } from './client.js';
import type { FollowerState } from './follower.js';
import { guard } from './guard.js';
import type { CallRefused } from './refusal.js';
import type { StaleReason } from './view.js';

const fingerprint = fingerprintDefinition(NOTES);
const digest = fingerprint.ok ? fingerprint.value.digest : '';
const traceId = 'f'.repeat(32);
const NOW_MS = Date.parse('2026-11-22T10:00:00.000Z');

/** A guard over a service and a follower that say what the test wants, right when it wants. */
async function guarded(
  t: TestContext,
  arrange: (server: ScriptedServer, disable: () => void) => void = () => undefined,
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
    directives: unused,
    acknowledge: unused,
    observe: () => Promise.resolve(),
    version: () =>
      Promise.resolve({ definition: NOTES, manifest: { operations: { look: { effects: ['read'] } } } }) as never,
    async authorize(call: Authorize) {
      failing('authorize');
      if (call.operation !== '$connect') service.onAuthorize();
      const { callId, arguments: args } = call;
      const answered = { callId, traceId, reason: 'ok', obligations: [] as string[], epoch: 1 };
      const expiresAt = new Date(NOW_MS + 5000).toISOString();
      return {
        ...answered,
        decision: 'allow' as const,
        outbound: { arguments: args },
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
  arrange(server, disable);
  const scope = [{ capability: 'notes', effects: ['read' as const] }];
  const pins = [{ capability: 'notes', version: '1', definitionDigest: digest }];
  const task = { taskId: uuid(1), traceId, pins, unresolved: [], expiresAt: '', scope };
  const mcp = new Client({ name: 't', version: '1' });
  const options = { task, capability: 'notes', transport: server.transport, server: { method: 'none' as const } };
  const made = await guard(mcp, options, { client, follower });
  t.after(() => made.close());
  outcomes.length = 0;
  return { guard: made, host, disable, service, server, outcomes };
}

test('the server gets what the decision lets out, and nothing else of the question', async (t) => {
  const { guard, service, server } = await guarded(t);
  service.allow = { outbound: { arguments: { key: '[redacted]' } } };
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

test('a directive that matches before the first byte leaves stops the call as well', async (t) => {
  const { guard, server, host } = await guarded(t);
  let looks = 0;
  Object.defineProperty(host, 'voids', { get: () => (looks += 1) > 1 });
  assert.equal((await guard.callTool({ name: 'look' })).refusal?.reason, 'disabled');
  assert.deepEqual(server.requestsOf('tools/call'), []);
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
    const finding = { detector: 'caps', kind: 'too_large', path: '', severity: 'high' };
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
