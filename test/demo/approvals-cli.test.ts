import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '../../libs/vocabulary/words.js';
import { decide } from '../support/calls.js';
import { cliAs } from '../support/cli.js';
import { startService, type TestService } from '../support/service.js';
import { callBody, expecting, openTask, proposal, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await readyWorld(service);
});
after(() => service.stop());

const cli = (role: Role, ...args: string[]) => cliAs(service, role, ...args);

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

test('a denied authorize names its approval and the next command, and the word of a client allows', async () => {
  const opened = async (by: string) => {
    const scope = '{"capability":"memory","effects":["write"]}';
    const more = [
      '--user',
      'ada',
      '--role',
      'staff',
      '--purpose',
      'p',
      '--scope',
      scope,
      '--approve',
      `write,send:${by}`,
    ];
    const { out, code } = await cli('host', 'task', 'open', '--agent', 'assistant', ...more, '--json');
    assert.equal(code, 0);
    return JSON.parse(out) as { taskId: string; traceId: string; pins: { definitionDigest: string }[] };
  };
  const body = (task: Awaited<ReturnType<typeof opened>>) =>
    callBody(task, { operation: 'store', arguments: { text: 'a' } });
  const observed = join(service.dataDir, 'seen.json');
  writeFileSync(observed, JSON.stringify(proposal()));
  const authorize = (taskId: string, ...more: string[]) =>
    cli(
      'host',
      'authorize',
      '--task',
      taskId,
      '--capability',
      'memory',
      '--operation',
      'store',
      '--observed',
      observed,
      ...more,
    );
  const other = await opened('other');
  const denied = await authorize(other.taskId, '--arguments', '{"text":"a"}');
  assert.match(
    denied.out,
    /\napproval ([0-9a-f-]{36}): pending, by other \(task\), until .*Z\nnext: sallyport approve \1 as somebody else/,
  );
  const { approval } = await decide(service, other, body(other));
  expecting(200, await service.call('approver', 'POST', `/v1/approvals/${approval.id}/decide`, { verdict: 'granted' }));
  assert.match(
    (await authorize(other.taskId, '--arguments', '{"text":"a"}')).out,
    /^ALLOW [^]*\napproval .*: used, by other/,
  );
  const trace = await cli('auditor', 'trace', other.traceId);
  assert.match(trace.out, new RegExp(`allow +memory/store, approval ${approval.id}`, 'i'));
  assert.match(trace.out, new RegExp(`approval +${approval.id}, granted by local-approver as other, because of task`));
  const client = await opened('client');
  assert.match(
    (await authorize(client.taskId)).out,
    /next: ask the person at this client, then authorize again with --approval/,
  );
  const labels = '[{"path":"/text","level":"internal"}]';
  const allowed = await authorize(
    client.taskId,
    '--approval',
    '--labels',
    labels,
    '--arguments',
    '{"text":"a"}',
    '--json',
  );
  assert.equal(allowed.code, 0, allowed.out);
  assert.equal(JSON.parse(allowed.out).outbound.labels[0].level, 'internal');
  for (const wrong of ['write', 'eat:user', 'write:boss', ':user'])
    assert.equal(
      (
        await cli(
          'host',
          'task',
          'open',
          '--agent',
          'a',
          '--user',
          'u',
          '--purpose',
          'p',
          '--scope',
          'memory:read',
          '--approve',
          wrong,
        )
      ).code,
      2,
    );
});

test('the wrong human for an approval gets the true reason, and not that the token lacks a role', async () => {
  const task = await openTask(service, { approve: { effects: ['write'], by: 'user' } });
  const { approval } = await decide(service, task, { operation: 'store', arguments: { text: 'a' } });
  const { code, err } = await cli('approver', 'approve', approval.id);
  assert.equal(code, 4);
  assert.match(err, /the approval needs a principal of the task's user, and this one is another user/);
  assert.doesNotMatch(err, /lacks the role/);
});

test('the human of a principal is given by one option', async () => {
  const added = await cli('admin', 'principal', 'add', 'ada', '--role', 'approver', '--user', 'ada');
  assert.equal(added.code, 0);
  const bob = await cli('admin', 'principal', 'add', 'bob', '--role', 'approver', '--user', 'bob', '--json');
  assert.equal(JSON.parse(bob.out).user, 'bob');
  assert.match((await cli('admin', 'principals')).out, /ada +active +approver +added .* user ada/);
});

test('an approver who is the wrong human reads how the right one gets a token', async () => {
  const task = await openTask(service, { approve: { effects: ['write'], by: 'user' } });
  const { approval } = await decide(service, task, { operation: 'store', arguments: { text: 'a' } });
  const wrong = await cli('approver', 'approve', approval.id);
  assert.equal(wrong.code, 4);
  assert.match(wrong.err, /principal of the task's user, and this one is another user; an admin makes one with /);
  assert.match(wrong.err, /principal add NAME --role approver --user USER`\n {2}another principal .* --token-file\n/);
});
