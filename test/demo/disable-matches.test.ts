import assert from 'node:assert/strict';
import { run } from '../../apps/cli/program.js';
import { cli } from '../support/cli.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

const disable = (...args: string[]) => cli(service, 'disable', ...args, '--reason', 'INC-1');
const active = async (): Promise<Answered[]> =>
  expecting(200, await service.call('operator', 'GET', '/v1/directives')).active;

test('a disable that matches nothing stands, names what is near, and exits 8', async () => {
  for (const [typo, near] of [
    ['capability:memroy', 'capability:memory'],
    ['version:memory@1.0.1', 'version:memory@1.0.0'],
    ['operation:memory/recal', 'operation:memory/recall'],
    ['source:npm:@example/memori', 'source:npm:@example/memory'],
    ['category:note', 'category:notes'],
  ] as const) {
    const standing = (await active()).length;
    const { code, out, err } = await disable(typo);
    assert.equal(code, 8, typo);
    assert.match(out, /it matches 0 capabilities, 0 versions, 0 open tasks\n/);
    assert.ok(err.includes(`${typo} matches nothing now; near it: ${near}`), err);
    assert.match(err, /the directive is in force/);
    assert.equal((await active()).length, standing + 1);
  }
  const json = await disable('capability:memroy', '--json');
  assert.deepEqual([json.code, JSON.parse(json.out).matches.versions], [8, 0]);
  assert.doesNotMatch((await disable('capability:quite-another')).err, /near/);
});

test('a disable that matches, or that says --ahead, exits 0', async () => {
  await openTask(service);
  const { code, out, err } = await disable('capability:memory');
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /it matches 1 capability, 1 version, 1 open task\n/);
  const ahead = await disable('capability:later', '--ahead');
  assert.deepEqual([ahead.code, ahead.err], [0, '']);
});

test('exit code 8 is in the help', async () => {
  let out = '';
  const print = (text: string): void => void (out += text);
  const readStdin = () => Promise.reject(new Error('nothing is read'));
  assert.equal(await run(['help'], { env: {}, cwd: service.dataDir, out: print, err: print, readStdin }), 0);
  assert.match(out, /\n {2}8 {2}a disable matches nothing now/);
});
