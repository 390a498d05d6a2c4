import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { cli, cliIn } from '../support/cli.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { watchOver } from '../support/watch.js';
import { expecting } from '../support/world.js';
import { test, type TestContext } from '../support/testing.js';

async function started(t: TestContext, env: Record<string, string> = {}): Promise<TestService> {
  const service = await startService({ env });
  t.after(() => service.stop());
  return service;
}

const never = new Promise<void>(() => undefined);

/** An instance that watches. Once it has heard of the change it waits, then it acknowledges, or is gone. */
async function instance(
  t: TestContext,
  service: TestService,
  waits: Promise<void> = Promise.resolve(),
  then: 'acknowledges' | 'is gone' = 'acknowledges',
): Promise<string> {
  const instanceId = randomUUID();
  const watch = await watchOver(service.url, service.tokens.host, `?instanceId=${instanceId}`);
  t.after(() => watch.close());
  await watch.next();
  const follow = async (): Promise<void> => {
    const { data }: { data: Answered } = await watch.next(({ event }) => event === 'directive');
    await waits;
    if (then === 'is gone') return watch.close();
    const { epoch, stateRoot } = data;
    const body = { instanceId, epoch, stateRoot, appliedAt: new Date().toISOString() };
    expecting(200, await service.call('host', 'POST', '/v1/directives/acks', body));
  };
  follow().catch(() => undefined);
  return instanceId;
}

const DISABLE = ['disable', 'all', '--reason', 'INC-1', '--wait'];

test('disable --wait shows the instances as they come in, and is done when it is effective on all of them', async (t) => {
  const service = await started(t);
  const shown = Promise.withResolvers<void>();
  const [quick, later] = [await instance(t, service), await instance(t, service, shown.promise)];
  const env = { SALLYPORT_TOKEN: service.tokens.operator };
  // The second one acknowledges once the first is shown: they are shown when they come.
  const onPrinted = (text: string): void => (text.includes(quick) ? shown.resolve() : undefined);
  const { code, out, err } = await cliIn(service, { env, onPrinted }, ...DISABLE);
  assert.deepEqual([code, err], [0, '']);
  assert.match(
    out,
    /^disabled all at epoch 1[^]*\n +\d+ ms {2}acknowledged[^]*effective on all 2 instances \d+ ms after/,
  );
  assert.match(out, new RegExp(`${quick} {2}\\(unproven\\)`), 'it only repeated the root');
  assert.ok(out.indexOf(quick) < out.indexOf(later), out);
});

test('disable --wait exits 7 with one clear line where the target is missed, whether or not it ends well', async (t) => {
  // One of them has half of the lease to acknowledge. The other one is stopped by its lease later than that.
  const service = await started(t, { SALLYPORT_LEASE_MS: '6000', SALLYPORT_SKEW_MS: '0' });
  await instance(t, service);
  const gone = await instance(t, service, undefined, 'is gone');
  const late = await cli(service, ...DISABLE, '--target-ms', '2500');
  assert.equal(late.code, 7);
  assert.match(
    late.err,
    /^sallyport: effective on all 2 instances \d+ ms after the commit: the target of 2500 ms was missed\n$/,
  );
  assert.match(late.out, /the target of 2500 ms has passed: 1 of 2 are pending; still waiting\n/);
  assert.match(late.out, new RegExp(`lease expired +local-host +${gone}`));
});

test('disable --wait gives up after its timeout, and the directive stays in force', async (t) => {
  const service = await started(t);
  await instance(t, service, never);
  const args = ['--target-ms', '100', '--timeout-ms', '400', '--json'];
  const { code, out, err } = await cli(service, ...DISABLE, ...args);
  const { id, inTime, propagation } = JSON.parse(out);
  assert.deepEqual([code, inTime, propagation.instances[0].state], [7, false, 'pending']);
  assert.match(err, /after 400 ms: 1 of 1 are pending; the directive is in force/);
  const { active } = expecting(200, await service.call('operator', 'GET', '/v1/directives'));
  assert.equal(active[0].id, id);
  const shown = await cli(service, 'propagation', id);
  assert.match(shown.out, /epoch 1, committed .*, not yet effective everywhere\n +pending/);
});

test('disable --wait whose token ends meanwhile still exits 7, and says which directive is in force', async (t) => {
  const service = await started(t);
  await instance(t, service, never);
  const waiting = cli(service, ...DISABLE, '--json');
  const epochNow = async () => expecting(200, await service.call('host', 'GET', '/v1/directives')).epoch;
  for (let tries = 0; tries < 500 && (await epochNow()) === 0; tries += 1) await pause(10);
  expecting(200, await service.call('admin', 'POST', '/v1/principals/local-operator/rotate', {}));
  const { code, out, err } = await waiting;
  assert.equal(code, 7);
  assert.match(JSON.parse(out).id, /^[0-9a-f-]{36}$/);
  assert.match(err, /not known to be effective everywhere: .*; the directive is in force\n$/);
});
