import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { run } from '../../apps/cli/program.js';
import { scopeOf } from '../support/actors.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, ALLOW_ALL, callBody, expecting, openTask, readyWorld } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

/** `sallyport calls`, `call` and `events`, from a real service. */

let service: TestService;
/** Ids of calls by a name of the test. */
const ids = new Map<string, string>();
const tasks = new Map<string, Answered>();

async function ask(name: string, taskOf: string, more: Answered = {}): Promise<void> {
  const callId = randomUUID();
  ids.set(name, callId);
  const body = callBody(tasks.get(taskOf), { callId, ...more });
  expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', body));
}

before(async () => {
  service = await startService();
  await readyWorld(service);
  const scope = scopeOf('memory');
  tasks.set('ada', await openTask(service, { scope, user: { id: 'ada', roles: [] }, agent: 'scribe' }));
  tasks.set('bob', await openTask(service, { scope, user: { id: 'bob', roles: [] }, agent: 'clerk' }));
  await ask('ada allowed', 'ada');
  await ask('ada denied', 'ada', { operation: 'forget' });
  await activatePolicy(service, `${ALLOW_ALL}\n// second`);
  await ask('bob allowed', 'bob');
  await ask('bob denied', 'bob', { arguments: {} });
  const { taskId } = tasks.get('bob');
  const result = { content: [{ type: 'text', text: 'a note\u001b[2J <|im_start|>' }] };
  const response = { taskId, result };
  expecting(200, await service.call('host', 'POST', `/v1/calls/${ids.get('bob allowed')}/response`, response));
});
after(() => service.stop());

async function cli(...args: readonly string[]) {
  let out = '';
  let err = '';
  const code = await run([...args, '--server', service.url], {
    env: { SALLYPORT_TOKEN: service.tokens.auditor },
    cwd: service.dataDir,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readStdin: () => Promise.reject(new Error('nothing is read')),
  });
  return { code, out, err };
}

/** The names of the calls that a command lists. */
async function found(...options: readonly string[]): Promise<string[]> {
  const { code, out, err } = await cli('calls', ...options);
  assert.equal(code, 0, err);
  const names = new Map([...ids].map(([name, id]) => [id, name]));
  return Array.from(out.matchAll(/call ([0-9a-f-]{36})/g), ([, id = '']) => names.get(id) ?? id);
}

test('calls are found by each condition, newest first', async () => {
  const { taskId, traceId } = tasks.get('bob');
  const told: readonly (readonly [readonly string[], readonly string[]])[] = [
    [[], ['bob denied', 'bob allowed', 'ada denied', 'ada allowed']],
    [
      ['--user', 'ada'],
      ['ada denied', 'ada allowed'],
    ],
    [['--user', 'ada', '--denied', '--from', '1h'], ['ada denied']],
    [['--allowed'], ['bob allowed', 'ada allowed']],
    [
      ['--agent', 'clerk'],
      ['bob denied', 'bob allowed'],
    ],
    [['--operation', 'forget'], ['ada denied']],
    [['--capability', 'memory', '--version', '1.0.0', '--reason', 'arguments_invalid'], ['bob denied']],
    [
      ['--task', taskId, '--host', 'local-host'],
      ['bob denied', 'bob allowed'],
    ],
    [
      ['--trace', traceId],
      ['bob denied', 'bob allowed'],
    ],
    [
      ['--policy-version', '1'],
      ['ada denied', 'ada allowed'],
    ],
    [
      ['--identity', 'bob'],
      ['bob denied', 'bob allowed'],
    ],
    [['--to', '1h'], []],
    [['--user', 'nobody'], []],
  ];
  for (const [options, names] of told) assert.deepEqual(await found(...options), names, options.join(' '));
});

test('a list is followed to its end in every format', async () => {
  const { out } = await cli('calls', '--limit', '3');
  assert.match(out, /… and more: --all lists them\n$/);
  const json = JSON.parse((await cli('calls', '--all', '--format', 'json')).out);
  assert.deepEqual(json.items.length, 4);
  const lines = (await cli('calls', '--all', '--format', 'jsonl')).out.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    json.items,
  );
  const csv = (await cli('calls', '--all', '--format', 'csv')).out.trimEnd().split('\r\n');
  assert.equal(csv.length, 5);
  assert.match(csv[1] ?? '', /,deny,arguments_invalid,memory,1\.0\.0,recall,bob,clerk,local-host,/);
});

test('a call is shown whole, with its checks, its content and the history of its capability', async () => {
  const callId = ids.get('bob allowed') ?? '';
  const { code, out, err } = await cli('call', callId);
  assert.equal(code, 0, err);
  for (const part of [
    /^call [0-9a-f-]{36} in trace [0-9a-f]{32}$/m,
    /Allowed: the policy allow-all in version 2 of the policy set default permits it to user bob/,
    /task +[0-9a-f-]{36}, agent clerk on host local-host/,
    /^ +server_identity +pass: method package/m,
    /arguments that were sent\n +\| \{\n +\| +"key": "a"/,
    /response of the server[^]*a note/,
    /history of the capability[^]*CapabilityRegistered[^]*VersionReviewed/,
  ])
    assert.match(out, part);
  assert.doesNotMatch(out, /(?!\n)\p{Cc}|<\|im_start/u);
  const answer = await service.call('auditor', 'GET', `/v1/audit/calls/${callId}`);
  assert.deepEqual(JSON.parse((await cli('call', callId, '--json')).out), answer.body);
  assert.match((await cli('call', callId, '--format', 'html')).out, /<pre>[^]*&quot;key&quot;[^]*<\/html>/);
  assert.equal((await cli('call', randomUUID())).code, 4);
});

test('events are found by each condition, in the order of the log', async () => {
  const typesOf = async (...options: readonly string[]): Promise<string[]> => {
    const { code, out, err } = await cli('events', ...options, '--all', '--format', 'jsonl');
    assert.equal(code, 0, err);
    return out
      .trimEnd()
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line).type]));
  };
  const capability = ['CapabilityRegistered', 'VersionProposed', 'VersionReviewed'];
  assert.deepEqual(await typesOf('--stream', 'capability-memory'), capability);
  assert.deepEqual(await typesOf('--capability', 'memory', '--actor', 'local-reviewer'), ['VersionReviewed']);
  assert.deepEqual(await typesOf('--types', 'PolicyReviewed', '--from', '1h'), ['PolicyReviewed', 'PolicyReviewed']);
  assert.deepEqual(await typesOf('--types', 'PolicyReviewed', '--to', '1h'), []);
  const { out } = await cli('events', '--types', 'VersionReviewed');
  assert.match(out, /^\d+ +\S+Z +local-reviewer +VersionReviewed +memory@1\.0\.0 approved: looked at it$/m);
  assert.equal((await cli('events', '--types', 'NoSuchType')).code, 4);
});
