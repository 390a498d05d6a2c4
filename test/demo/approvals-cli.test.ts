import assert from 'node:assert/strict';
import type { Role } from '../../libs/vocabulary/words.js';
import { run } from '../../apps/cli/program.js';
import { decide } from '../support/calls.js';
import { startService, type TestService } from '../support/service.js';
import { openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

async function cli(role: Role, ...args: readonly string[]) {
  let out = '';
  let err = '';
  const code = await run(args, {
    env: { SALLYPORT_TOKEN: service.tokens[role], SALLYPORT_HTTP: new URL(service.url).host },
    cwd: service.dataDir,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, out, err };
}

test('an approver sees what waits, and grants or denies it', async () => {
  assert.equal((await cli('approver', 'approvals')).out, 'no approval is pending\n');
  const task = await openTask(service, { approve: { effects: ['write'], by: 'other' } });
  const call = { operation: 'store', arguments: { text: 'a\u001b[2Jb' } };
  const { approval } = await decide(service, task, call);
  const listed = await cli('approver', 'approvals');
  assert.match(listed.out, new RegExp(`^${approval.id}  pending until `));
  assert.match(listed.out, /memory@1\.0\.0 store \(write\)\n {2}for ada, by assistant of local-host\n/);
  assert.match(listed.out, /needs somebody else than the task's user: task\n {2}arguments \{"text":"a\\u001b\[2Jb"\}/);
  const granted = await cli('approver', 'approve', approval.id, '--reason', 'as agreed');
  assert.deepEqual([granted.code, granted.out], [0, `granted ${approval.id}\n`]);
  assert.match((await cli('approver', 'approvals', '--state', 'granted')).out, /granted by local-approver: as agreed/);
  assert.equal((await decide(service, task, call)).decision, 'allow');
  const other = (await decide(service, task, call)).approval.id;
  assert.equal((await cli('approver', 'deny', other)).out, `denied ${other}\n`);
  assert.equal((await cli('approver', 'approve', other)).code, 4);
});

test('an approver reads context items and what the filter holds back, and that a task has ended', async () => {
  const task = await openTask(service, { approve: { effects: ['write'], by: 'other' } });
  const item = {
    id: 'c1',
    source: 'chat/\u001b[2J',
    level: 'internal',
    categories: ['customer'],
    content: 'two\nlines',
  };
  const key = 'AKIAIOSFODNN7EXAMPLQ';
  const { approval } = await decide(service, task, {
    operation: 'store',
    arguments: { text: key, more: 'x'.repeat(5000) },
    context: [item],
  });
  const { out } = await cli('approver', 'approvals', '--task', task.taskId);
  assert.match(out, /\n {2}context c1 from chat\/\\u\{1b\}\[2J \(internal, customer\): two⏎lines\n/);
  assert.match(out, /\n {2}the filter holds back \/arguments\/text: secret:aws_access_key, once\n/);
  assert.match(out, /\n {2}the filter leaves out \/context\/0: context_not_needed\n/);
  assert.match(out, /\n {2}a line is cut: --json shows all of it\n/);
  assert.doesNotMatch(out, /its task is/);
  await service.call('host', 'POST', `/v1/tasks/${task.taskId}/close`);
  const closed = await cli('approver', 'approvals', '--task', task.taskId);
  assert.match(closed.out, new RegExp(`^${approval.id}  pending until .* \\(its task is closed\\)\n`));
});

test('the human of a principal is given by one option', async () => {
  const added = await cli('admin', 'principal', 'add', 'ada', '--role', 'approver', '--user', 'ada');
  assert.equal(added.code, 0);
  assert.match((await cli('admin', 'principals')).out, /ada +active +approver +added .* user ada/);
});
