import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { projectRoot } from '../support/root.js';
import { callBody, openTask, readyWorld } from '../support/world.js';
import { ended, place, until, type Exit, type Program, type ServiceProcess } from './child.js';
import { linkPackages } from './packages.js';
import { slowRequest } from './slow-client.js';
import { after, before, test } from '../support/testing.js';

/** Starting and stopping, as an operator sees it. */

const READY_MS = 3_000;
const GONE_MS = 10_000;
const EXIT_0: Exit = { code: 0, signal: null };
const NPM_START = ['npm', 'start'] as const;

/**
 * A checkout of our own, built and installed: what others change meanwhile must not make `npm start` build or install
 * again.
 */
let checkout: string;
before(() => {
  checkout = mkdtempSync(join(tmpdir(), 'sallyport-checkout-'));
  for (const part of ['package.json', '.npmrc', 'tsconfig.json', 'scripts', 'apps', 'libs', 'proto', 'test', 'dist']) {
    cpSync(join(projectRoot, part), join(checkout, part), { recursive: true, preserveTimestamps: true });
  }
  linkPackages(checkout, 'all');
  // In this order: what is installed is newer than what is asked for, and the build is newer than both.
  writeFileSync(join(checkout, 'package-lock.json'), '{}');
  utimesSync(join(checkout, 'package-lock.json'), 0, 0);
  for (const made of ['node_modules/.package-lock.json', 'dist/.built']) writeFileSync(join(checkout, made), '');
});
after(() => rmSync(checkout, { recursive: true, force: true }));

/** Sends a signal, and expects the end within the time that is promised, with nothing left behind. */
async function goneAfter(program: Program, signal: () => void): Promise<Exit> {
  signal();
  const exit = await ended(program, GONE_MS);
  for (let tries = 0; tries < 20 && program.groupIsLeft(); tries += 1) await pause(10);
  assert.equal(program.groupIsLeft(), false, 'a process was left behind');
  return exit;
}

/** The process of the service in the group that npm leads. */
function serviceIn(group: number): number {
  const found = processes().find(
    ({ pgid, args }) =>
      pgid === group && /(^|\/)node$/.test(args[0] ?? '') && args.some((arg) => arg.endsWith('main.js')),
  );
  assert.ok(found, `no service among the processes of group ${group}`);
  return found.pid;
}

/** All processes: from `/proc`, since not every Linux has a `ps`, else from `ps`. */
function processes(): { pid: number; pgid: number; args: string[] }[] {
  if (!existsSync('/proc/self/stat')) {
    const rows = execFileSync('ps', ['-A', '-o', 'pid=,pgid=,args='], { encoding: 'utf8' }).trim().split('\n');
    return rows.map((row) => {
      const [pid, pgid, ...args] = row.trim().split(/\s+/);
      return { pid: Number(pid), pgid: Number(pgid), args };
    });
  }
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid)) return [];
      // After the name, which may hold anything: state, parent, group.
      const [, , pgid] = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return [{ pid: Number(pid), pgid: Number(pgid), args }];
    } catch {
      return []; // gone meanwhile
    }
  });
}

/** The share of a start that npm itself takes on an idle machine, in milliseconds. */
const NPM_MS = 250;

/** How long npm takes to do nothing. */
function npmMs(): number {
  const from = performance.now();
  execFileSync('npm', ['run', 'env'], { cwd: checkout, stdio: 'ignore' });
  return performance.now() - from;
}

/** A start, and how long it may take here: if npm alone takes longer, the machine is slow, or busy with something else. */
async function timed(start: () => Promise<ServiceProcess>): Promise<{ service: ServiceProcess; limitMs: number }> {
  const before = npmMs();
  const service = await start();
  return { service, limitMs: READY_MS * Math.max(1, before / NPM_MS, npmMs() / NPM_MS) };
}

test(`npm start is ready within ${READY_MS} ms once built, and builds nothing`, async (t) => {
  const { start } = place(t);
  const builtMs = statSync(join(checkout, 'dist', '.built')).mtimeMs;
  const once = () => timed(() => start({ command: NPM_START, cwd: checkout }));
  let { service, limitMs } = await once();
  for (let again = 0; again < 4 && service.readyMs >= limitMs; again += 1) {
    await goneAfter(service, () => service.kill('SIGTERM'));
    ({ service, limitMs } = await once());
  }
  const measured = `ready after ${Math.round(service.readyMs)} ms, allowed ${Math.round(limitMs)}`;
  t.diagnostic(measured);
  assert.ok(service.readyMs < limitMs, measured);
  assert.doesNotMatch(service.stdout() + service.stderr(), /building|installing/);
  assert.equal(statSync(join(checkout, 'dist', '.built')).mtimeMs, builtMs);
  assert.deepEqual(await goneAfter(service, () => service.kill('SIGTERM')), EXIT_0);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} to the service that npm started ends both with 0`, async (t) => {
    const service = await place(t).start({ command: NPM_START, cwd: checkout });
    const pid = serviceIn(service.pid);
    assert.deepEqual(await goneAfter(service, () => process.kill(pid, signal)), EXIT_0);
  });

  test(`${signal} lets requests in flight finish, refuses new connections, and ends with 0`, async (t) => {
    const service = await place(t).start();
    await readyWorld(service);
    const task = await openTask(service);
    const slow = await Promise.all(Array.from({ length: 30 }, () => slowRequest(service, callBody(task))));
    service.kill(signal);
    await until(service, () => refusesConnections(service));
    assert.equal(await Promise.race([service.exit, pause(200, 'still there')]), 'still there');
    for (const request of slow) request.sendRest();
    for (const request of slow) {
      const { status, body } = await request.answer;
      assert.deepEqual([status, JSON.parse(body).decision], [200, 'allow']);
    }
    assert.deepEqual(await goneAfter(service, () => undefined), EXIT_0);
    assert.equal(service.stderr(), '');
  });
}

test('SIGINT to npm and the service, as a terminal sends it, ends both with 0', async (t) => {
  const service = await place(t).start({ command: NPM_START, cwd: checkout });
  assert.deepEqual(await goneAfter(service, () => process.kill(-service.pid, 'SIGINT')), EXIT_0);
});

test('SIGTERM among thirty whole requests: each is answered or was never taken, and what was answered stays', async (t) => {
  const { start } = place(t);
  // A lease that outlives the restart on a slow machine.
  const env = { SALLYPORT_LEASE_MS: '60000' };
  const service = await start({ env });
  await readyWorld(service);
  const task = await openTask(service);
  const bodies = Array.from({ length: 30 }, () => callBody(task));
  const sent = bodies.map((body) =>
    service.call('host', 'POST', '/v1/calls/authorize', body).catch((error: Error) => error),
  );
  await sent[0];
  const exit = await goneAfter(service, () => service.kill('SIGTERM'));
  assert.deepEqual([exit, service.stderr()], [EXIT_0, '']);
  const again = await start({ env });
  for (const [index, answer] of (await Promise.all(sent)).entries()) {
    if (answer instanceof Error) continue;
    assert.deepEqual([answer.status, answer.body.decision], [200, 'allow']);
    const repeated = await again.call('host', 'POST', '/v1/calls/authorize', bodies[index]);
    assert.deepEqual(repeated.body, answer.body);
  }
});

test('connections that are kept alive, and a client that never sends the rest, do not keep the service', async (t) => {
  const service = await place(t).start();
  await readyWorld(service);
  const task = await openTask(service);
  const never = await slowRequest(service, callBody(task));
  assert.deepEqual(await goneAfter(service, () => service.kill('SIGTERM')), EXIT_0);
  await assert.rejects(never.answer);
});

test('a second SIGTERM changes nothing', async (t) => {
  const service = await place(t).start();
  await readyWorld(service);
  const slow = await slowRequest(service, callBody(await openTask(service)));
  service.kill('SIGTERM');
  await until(service, () => refusesConnections(service));
  service.kill('SIGTERM');
  slow.sendRest();
  assert.equal((await slow.answer).status, 200);
  assert.deepEqual(await goneAfter(service, () => service.kill('SIGTERM')), EXIT_0);
});

test('SIGTERM during the start ends it, and the next start is a whole one', async (t) => {
  const { launch, start } = place(t);
  // From before the first line of ours runs to about the first answer.
  for (const afterMs of [50, 200, 350, 450, 550, 650]) {
    const program = launch();
    await pause(afterMs);
    const { code, signal } = await goneAfter(program, () => program.kill('SIGTERM'));
    assert.ok(code === 0 || signal === 'SIGTERM', `after ${afterMs} ms: ${code} ${signal}`);
    assert.equal(program.stderr(), '');
  }
  const service = await start();
  await readyWorld(service);
  const slow = await slowRequest(service, callBody(await openTask(service)));
  slow.sendRest();
  assert.equal(JSON.parse((await slow.answer).body).decision, 'allow');
});

function refusesConnections({ url }: ServiceProcess): Promise<true | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.once('connect', () => resolve(undefined)).once('error', () => resolve(true));
    socket.once('connect', () => socket.destroy());
  });
}
