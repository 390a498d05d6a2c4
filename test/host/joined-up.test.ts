import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CallRefused, type Guarded, type Host } from '../../libs/host/index.js';
import { cli } from '../support/cli.js';
import { EVERYTHING, hostOf, registeredServer, scopeOf } from '../support/guarded.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting, historyIn } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

const COMMAND = [process.execPath, EVERYTHING];
const LEASE_MS = 5000;
const LONG = 'trigger-long-running-operation';

/** server-everything behind a guard, through either generation of the SDK. */
async function guarded(t: TestContext, service: TestService, host: Host, sdk: 'v1' | 'v2') {
  const capability = `everything-${sdk}`;
  const { version } = await registeredServer(service, capability, COMMAND);
  const task = await host.openTask(scopeOf(capability, { effects: ['read'] }));
  const [command = '', ...args] = COMMAND;
  const spawned = { command, args, stderr: 'ignore' as const };
  const options = { task, capability, server: version.manifest.server, lateMs: 300 };
  const info = { name: 'test', version: '1' };
  const guard =
    sdk === 'v1'
      ? await host.guard(new ClientV1(info), { ...options, transport: new StdioV1(spawned) })
      : await host.guard(new ClientV2(info), { ...options, transport: new StdioV2(spawned) });
  t.after(() => guard.close());
  return { guard, task, capability, version };
}

async function started(t: TestContext, more: Record<string, string> = {}) {
  const service = await startService({ env: more });
  t.after(() => service.stop());
  const host = await hostOf(service);
  t.after(() => host.close());
  return { service, host };
}

const traceOf = async (service: TestService, traceId: string): Promise<Answered> =>
  expecting(200, await service.call('auditor', 'GET', `/v1/audit/traces/${traceId}`));

const namesOf = ({ shown }: Guarded) => shown.tools.map(({ name }) => name);

for (const sdk of ['v1', 'v2'] as const) {
  test(`a disable while a guarded call is in flight stops it, joined up over everything (SDK ${sdk})`, async (t) => {
    const { service, host } = await started(t);
    const { guard, task, capability } = await guarded(t, service, host, sdk);
    assert.ok(namesOf(guard).includes('echo'));
    const echoed = await guard.callTool({ name: 'echo', arguments: { message: 'hello' } });
    assert.equal(echoed.isError, false);
    const [first] = echoed.content;
    assert.match(
      first?.type === 'text' ? first.text : '',
      /^<<untrusted [0-9a-f]{32} .*\n.*hello.*\n<<end [0-9a-f]{32}>>$/,
    );

    const running = guard.callTool({ name: LONG, arguments: { duration: 30, steps: 30 } });
    await delay(300);
    const beganMs = performance.now();
    const disabling = cli(service, 'disable', `capability:${capability}`, '--reason', 'INC-1', '--wait');
    const stopped = await running;
    const tookMs = performance.now() - beganMs;
    assert.equal(stopped.refusal?.reason, 'disabled');
    assert.equal(stopped.refusal?.by, 'host');
    assert.ok(tookMs < LEASE_MS, `stopped after ${tookMs} ms, long before the lease would have ended`);
    const { code, out } = await disabling;
    assert.equal(code, 0, out);
    assert.match(out, /acknowledged[^]*effective on /);
    const { active } = expecting(200, await service.call('operator', 'GET', '/v1/directives'));
    const { id } = active.find(({ target }: Answered) => target.capability === capability);
    const next = await guard.callTool({ name: 'echo', arguments: { message: 'again' } });
    assert.deepEqual([next.refusal?.reason, next.refusal?.by], ['disabled', 'service']);
    assert.ok(!JSON.stringify(next.content).includes('again'));

    await guard.close();
    const whole = await traceOf(service, task.traceId);
    const { calls, events } = whole;
    const evidence = calls.findLast(({ callId }: Answered) => callId === stopped.callId);
    assert.equal(evidence.response.verdict, 'rejected');
    assert.deepEqual(
      evidence.response.findings.map(({ kind }: Answered) => kind),
      ['disabled'],
    );
    assert.equal(evidence.outcome.status, 'unknown');
    assert.equal(evidence.outcome.control.reason, 'disabled');
    assert.equal(calls.find(({ callId }: Answered) => callId === next.callId).reason, 'disabled');
    const types = new Set(events.map(({ type }: Answered) => type));
    for (const type of ['TaskOpened', 'CallDecided', 'ResponseValidated', 'OutcomeRecorded'])
      assert.ok(types.has(type));
    assert.ok(
      historyIn(whole, evidence).some(({ data }) => data.id === id),
      'the directive is in the history',
    );
    const { complete, instances } = expecting(
      200,
      await service.call('operator', 'GET', `/v1/directives/${id}/propagation`),
    );
    const own = instances.find(({ instanceId }: Answered) => instanceId === host.instanceId);
    assert.equal(own.state, 'acknowledged');
    assert.ok(own.latencyMs < LEASE_MS, `acknowledged after ${own.latencyMs} ms`);
    assert.equal(complete, true);
  });
}

test('a host that was off during the disable makes no call before it has caught up', async (t) => {
  const { service, host } = await started(t);
  const { guard, task, capability, version } = await guarded(t, service, host, 'v1');
  await guard.close();
  await host.close();
  const off = await guard.callTool({ name: 'echo', arguments: { message: 'x' } });
  assert.equal(off.refusal?.reason, 'host_stale');
  const target = { type: 'capability', capability };
  const { id, epoch } = expecting(
    201,
    await service.call('operator', 'POST', '/v1/directives', { target, reason: 'INC-2' }),
  );
  const again = await hostOf(service);
  t.after(() => again.close());
  assert.equal(again.state().epoch, epoch, 'it has caught up before it is handed over');
  const [command = '', ...args] = COMMAND;
  const transport = new StdioV1({ command, args, stderr: 'ignore' });
  let begun = false;
  transport.start = () => {
    begun = true;
    return Promise.reject(new Error('not to be started'));
  };
  const refused = again.guard(new ClientV1({ name: 'test', version: '1' }), {
    task,
    capability,
    transport,
    server: version.manifest.server,
  });
  await assert.rejects(refused, (error) => error instanceof CallRefused && error.refusal.reason === 'disabled');
  assert.equal(begun, false, 'not a byte went to the server');
  expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'over' }));
  assert.equal(
    (await traceOf(service, task.traceId)).calls.filter(({ decision }: Answered) => decision === 'allow').length,
    2,
  );
});
