import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../support/root.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { startProxy } from '../support/proxy.js';
import { after, before, test, type TestContext } from '../support/testing.js';
import { callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { commandsOf, copied, environment, pythonWith, ran } from './place.js';

/** The Python example runs as its README says, over HTTP and gRPC, and keeps the rules of a host. */

let service: TestService;
let folder = '';
let example = '';
let python: Awaited<ReturnType<typeof pythonWith>>;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-python-'));
  example = copied('python', folder);
  python = await pythonWith(join(example, 'requirements.txt'));
  service = await startService();
  const setup = await ran('node examples/setup.mjs', environment(service, folder));
  assert.equal(setup.code, 0, setup.err);
});
after(async () => {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

const installed = (t: TestContext): string => ('venv' in python ? python.venv : t.skip(python.unavailable));

/** The commands of the README that follow the installation, for the copy and its packages. */
function commands(t: TestContext): string[] {
  const venv = installed(t);
  const [makes = '', installs = '', ...rest] = commandsOf('python');
  assert.match(makes, /-m venv /);
  assert.match(installs, /pip install -r .*requirements\.txt$/);
  return rest.map((line) =>
    line
      .replaceAll('examples/python/.venv', venv)
      .replaceAll('=examples/python', `=${example}`)
      .replaceAll('examples/python/main.py', join(example, 'main.py')),
  );
}

const ANSWER =
  /\$connect: allow \(ok\)\nread_text_file: allow \(ok\)\nresponse: accepted\n<<untrusted .*\nThe east gate/;

test('the questions over HTTP and gRPC, the lease and the check of beats have under 200 lines', () => {
  const names = ['follower.py', 'over_http.py', 'over_grpc.py'];
  const lines = names.flatMap((name) => readFileSync(join(example, name), 'utf8').split('\n'));
  assert.ok(lines.filter((line) => line.trim() !== '').length < 200);
});

test('one call to a real server, over HTTP and over gRPC', async (t) => {
  const [overHttp = '', generates = '', overGrpc = ''] = commands(t);
  for (const command of [overHttp, generates, overGrpc]) {
    const { code, out, err } = await ran(command, environment(service, folder));
    assert.equal(code, 0, err);
    if (command !== generates) assert.match(out, ANSWER);
  }
  const path = '/v1/audit/calls?capability=files&decision=allow';
  const { items } = expecting(200, await service.call('auditor', 'GET', path));
  assert.equal(items.length, 6);
  const { items: outcomes } = expecting(200, await service.call('auditor', 'GET', '/v1/audit/calls?capability=files'));
  assert.equal(outcomes.filter(({ outcome }: Answered) => outcome?.status === 'succeeded').length, 2);
});

test('a capability that is stopped is refused before the server is started', async (t) => {
  const [overHttp = ''] = commands(t);
  const target = { type: 'capability', capability: 'files' };
  const { id } = expecting(201, await service.call('operator', 'POST', '/v1/directives', { target, reason: 'r' }));
  const stopped = await ran(overHttp, environment(service, folder));
  assert.deepEqual([stopped.code, stopped.out], [1, '$connect: deny (disabled)\n']);
  expecting(200, await service.call('operator', 'POST', `/v1/directives/${id}/lift`, { reason: 'r' }));
});

/** A Python host that holds one allow. Gives the next thing that it says. */
async function following(
  t: TestContext,
  own: TestService,
  transport: 'http' | 'grpc',
  address = transport === 'http' ? own.url : own.server.grpc,
): Promise<() => Promise<Answered>> {
  const [, generates = ''] = commands(t);
  const env = environment(own, folder);
  assert.equal((await ran(generates, env)).code, 0);
  copyFileSync(join(projectRoot, 'test/languages/follow.py'), join(example, 'follow.py'));
  const request = JSON.stringify(callBody(await openTask(own)));
  const args = [join(example, 'follow.py'), transport, address, own.tokens.host, request];
  const child = spawn(join(installed(t), 'bin', 'python'), args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return async () => JSON.parse((await lines.next()).value ?? 'null');
}

for (const transport of ['http', 'grpc'] as const) {
  test(`over ${transport} a stop makes an allow void, and is acknowledged with a proof`, async (t) => {
    const own = await startService();
    t.after(() => own.stop());
    await readyWorld(own);
    const next = await following(t, own, transport);
    const { instance, decision } = await next();
    assert.equal(decision, 'allow');
    const target = { type: 'operation', capability: 'memory', operation: 'recall' };
    const issued = expecting(201, await own.call('operator', 'POST', '/v1/directives', { target, reason: 'r' }));
    assert.match((await next()).void, /^(disabled|host_stale)$/);
    const path = `/v1/directives/${issued.id}/propagation`;
    let seen: Answered;
    do {
      const { instances } = expecting(200, await own.call('operator', 'GET', path));
      seen = instances.find(({ instanceId }: Answered) => instanceId === instance);
    } while (seen?.state === 'pending');
    assert.deepEqual([seen?.state, seen?.proven], ['acknowledged', true]);
  });

  test(
    `over ${transport} a host whose connections went silent has its lease again`,
    { timeoutMs: 90_000 },
    async (t) => {
      const own = await startService({ env: { SALLYPORT_LEASE_MS: '2000' } });
      t.after(() => own.stop());
      await readyWorld(own);
      const proxy = await startProxy(transport === 'http' ? new URL(own.url).host : own.server.grpc);
      t.after(() => proxy.close());
      const next = await following(t, own, transport, transport === 'http' ? `http://${proxy.address}` : proxy.address);
      assert.equal((await next()).decision, 'allow');
      proxy.forget();
      // Over HTTP each question has a connection of its own, so the lease may hold until the allow expires.
      assert.match((await next()).void, /^(host_stale|expired)$/);
      assert.deepEqual(await next(), { again: true });
    },
  );

  test(`over ${transport} a host that hears nothing lets no allow stand`, async (t) => {
    const own = await startService({ env: { SALLYPORT_LEASE_MS: '2000' } });
    t.after(() => own.stop());
    await readyWorld(own);
    const next = await following(t, own, transport);
    assert.equal((await next()).decision, 'allow');
    await own.server.close();
    assert.match((await next()).void, /^(host_stale|expired)$/);
  });
}
