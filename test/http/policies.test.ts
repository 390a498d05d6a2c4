import assert from 'node:assert/strict';
import { NO_CALLS } from '../../libs/decision/snapshot.js';
import { addPrincipal, unique } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { eventsOf, logEnd } from '../support/events.js';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, ALLOW_ALL, approve, expecting, openTask, register } from '../support/world.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await register(service);
  await approve(service);
});
after(() => service.stop());

const propose = (set: string, cedar = ALLOW_ALL, more: Answered = {}, headers?: Record<string, string>) =>
  service.call('registrar', 'POST', `/v1/policies/${set}`, { cedar, reason: 'test', ...more }, headers);
const review = (set: string, version: number | string, verdict = 'approved', who: Answered = 'reviewer') =>
  service.call(who, 'POST', `/v1/policies/${set}/${version}/review`, { verdict, reason: 'test' });
const get = async (set: string) => expecting(200, await service.call('host', 'GET', `/v1/policies/${set}`));
/** The decision on a call under a policy in force. Tests of it run one after the other. */
const under = async (cedar: string, call: Answered = {}, task: Answered = {}): Promise<Answered> => {
  await activatePolicy(service, cedar);
  return decide(service, await openTask(service, task), { explain: true, ...call });
};
const authorityOf = ({ checks }: Answered) =>
  checks.find(({ check }: Answered) => check === 'user_authority')?.evidence;

test('with no policy in force everything is outside the authority of the user', async () => {
  const answer = await decide(service, await openTask(service));
  assert.deepEqual([answer.decision, answer.reason], ['deny', 'outside_user_authority']);
  expecting(201, await propose('default'));
  assert.equal((await decide(service, await openTask(service))).reason, 'outside_user_authority', 'only proposed');
  expecting(200, await review('default', 1, 'rejected'));
  assert.equal((await decide(service, await openTask(service))).reason, 'outside_user_authority', 'rejected');
  const other = unique('set');
  expecting(201, await propose(other));
  expecting(200, await review(other, 1));
  assert.equal((await decide(service, await openTask(service))).reason, 'outside_user_authority', 'another set');
});

test('a policy is proposed, reviewed by someone else, and in force from its approval until the next one', async () => {
  const set = unique('set');
  const proposed = expecting(201, await propose(set));
  const { position, ...rest } = proposed;
  assert.deepEqual(rest, { set, policyVersion: 1, status: 'pending' });
  assert.match(position, /^\d+$/);
  assert.equal((await get(set)).active, undefined);
  const reviewed = expecting(200, await review(set, 1));
  assert.deepEqual([reviewed.policyVersion, reviewed.status], [1, 'approved']);
  assert.equal((await get(set)).active, 1);
  expecting(201, await propose(set, 'forbid(principal, action, resource);'));
  assert.equal((await get(set)).active, 1);
  expecting(200, await review(set, 2, 'rejected'));
  assert.equal((await get(set)).active, 1);
  expecting(201, await propose(set));
  expecting(200, await review(set, 3));
  const { active, versions } = await get(set);
  assert.equal(active, 3);
  assert.deepEqual(
    versions.map(({ policyVersion, status, cedar }: Answered) => [policyVersion, status, cedar === ALLOW_ALL]),
    [
      [1, 'approved', true],
      [2, 'rejected', false],
      [3, 'approved', true],
    ],
  );
});

for (const first of ['approved', 'rejected']) {
  test(`a policy that is ${first} is not reviewed again`, async () => {
    const set = unique('set');
    expecting(201, await propose(set));
    expecting(200, await review(set, 1, first));
    for (const verdict of ['approved', 'rejected']) {
      refused(409, 'invalid_transition', await review(set, 1, verdict));
    }
    assert.equal((await eventsOf(service, `policy-${set}`)).length, 2);
  });
}

test('who proposed a policy cannot review it', async () => {
  const both = await addPrincipal(service, ['registrar', 'reviewer']);
  const set = unique('set');
  expecting(201, await service.call(both, 'POST', `/v1/policies/${set}`, { cedar: ALLOW_ALL, reason: 'mine' }));
  refused(403, 'self_review', await review(set, 1, 'approved', both));
  expecting(200, await review(set, 1));
});

test('an unknown policy set or version is a 404', async () => {
  const set = unique('set');
  refused(404, 'not_found', await service.call('host', 'GET', `/v1/policies/${set}`));
  refused(404, 'not_found', await review(set, 1));
  expecting(201, await propose(set));
  refused(404, 'not_found', await review(set, 2));
  refused(400, 'malformed_request', await review(set, 'one'));
  refused(400, 'malformed_request', await review(set, 0));
});

test('a policy that does not parse is a 400, and nothing of it is stored', async () => {
  const end = await logEnd(service);
  for (const cedar of [
    '',
    'permit(principal, action',
    'allow(principal, action, resource);',
    'permit(principal == ?principal, action, resource);',
    '@id("a") permit(principal, action, resource); @id("a") forbid(principal, action, resource);',
  ]) {
    refused(400, 'malformed_request', await propose('default', cedar));
  }
  refused(400, 'malformed_request', await propose('default', ALLOW_ALL, { reasons: 'x' }));
  refused(400, 'malformed_request', await propose('default', ALLOW_ALL, { reason: '' }));
  refused(400, 'malformed_request', await propose('UPPER'));
  assert.equal(await logEnd(service), end);
});

test('a policy that names something no decision asks about is a 400 with line and column, and is not stored', async () => {
  const end = await logEnd(service);
  const cedar = `${ALLOW_ALL}
forbid(principal is Usr, action == Action::"wirte", resource)
  when { context.arguements has force };`;
  const problem = await propose('default', cedar);
  refused(400, 'malformed_request', problem);
  const messages = ({ body }: Answered): string[] => body.errors.map(({ message }: Answered) => message);
  const [type, action, attribute, ...others] = messages(problem);
  assert.match(type ?? '', /^line 2, column 21: unknown entity type Usr/);
  assert.match(action ?? '', /^line 2, column 36: unknown action Action::"wirte"/);
  assert.match(attribute ?? '', /^line 3, column 18: unknown attribute "arguements" of context/);
  assert.deepEqual(others, []);
  const unparsed = await propose('default', `${ALLOW_ALL}\n  permit(principal, action, resuorce);`);
  refused(400, 'malformed_request', unparsed);
  assert.match(messages(unparsed)[0] ?? '', /^line 2, column 29: /);
  assert.equal(await logEnd(service), end);
});

test('names that the registry does not have are warnings of a proposal', async () => {
  const set = unique('set');
  const known = `permit(principal, action, resource in Capability::"memory") when {
    resource == Operation::"memory/recall" || resource in Category::"notes"
  };`;
  assert.equal(expecting(201, await propose(set, known)).warnings, undefined);
  const unknown = `${known}
permit(principal, action, resource in Capability::"memroy");
forbid(principal, action, resource) when { resource in [Operation::"memory/recal", Category::"nots"] };`;
  assert.deepEqual(expecting(201, await propose(set, unknown)).warnings, [
    'line 4, column 39: no capability "memroy" is registered',
    'line 5, column 57: no version has the operation "memory/recal"',
    'line 5, column 84: no capability is in category "nots"',
  ]);
});

test('the same Idempotency-Key with the same policy is answered from the record, with another one it is a 409', async () => {
  const set = unique('set');
  const key = { 'idempotency-key': unique('key') };
  const { position: _, ...first } = expecting(201, await propose(set, ALLOW_ALL, {}, key));
  const { position: __, ...again } = expecting(201, await propose(set, ALLOW_ALL, {}, key));
  assert.deepEqual(again, first);
  refused(409, 'already_exists', await propose(set, 'forbid(principal, action, resource);', {}, key));
  refused(409, 'already_exists', await propose(set, ALLOW_ALL, { reason: 'another' }, key));
  assert.equal((await get(set)).versions.length, 1);
  assert.equal(expecting(201, await propose(set)).policyVersion, 2);
});

test('the rule of an answer names the determining policies by their @id', async () => {
  const cedar =
    '@id("readers") permit(principal, action == Action::"read", resource); @id("b") permit(principal, action, resource);';
  const allowed = await under(cedar);
  assert.deepEqual([allowed.decision, allowed.rule], ['allow', 'b, readers']);
  assert.deepEqual(authorityOf(allowed).determining, ['b', 'readers']);
  assert.equal(authorityOf(allowed).set, 'default');
  const unnamed = await under('permit(principal, action, resource);');
  assert.equal(typeof unnamed.rule, 'string');
});

test('forbid wins, and names itself', async () => {
  const denied = await under(`${ALLOW_ALL} @id("not-ada") forbid(principal == User::"ada", action, resource);`);
  assert.deepEqual([denied.reason, denied.rule], ['outside_user_authority', 'not-ada']);
  assert.deepEqual(authorityOf(denied).determining, ['not-ada']);
});

test('an error denies, even together with an allow', async () => {
  const denied = await under(`${ALLOW_ALL} permit(principal, action, resource) when { principal.missing == 1 };`);
  assert.deepEqual([denied.decision, denied.reason], ['deny', 'policy_error']);
});

test('every effect of an operation has to be allowed', async () => {
  const readers = 'permit(principal, action == Action::"read", resource);';
  assert.equal((await under(readers)).decision, 'allow');
  assert.equal((await under(readers, { operation: 'store' })).reason, 'outside_user_authority');
});

test('a policy sees the user, the effect, the resource with its ancestors, and the context', async () => {
  const cedar = `permit(
    principal == User::"ada",
    action == Action::"read",
    resource == Operation::"memory/recall"
  ) when {
    principal in Role::"staff" && resource in Capability::"memory" && resource in Category::"notes" &&
    principal.team == "a" && context.purpose == "test" && context.agent == "assistant" &&
    context.host == "local-host" && context.sensitivity == "internal" && context.arguments.key == "a"
  };`;
  const user = { id: 'ada', roles: ['staff'], attributes: { team: 'a' } };
  assert.equal((await under(cedar, {}, { user })).decision, 'allow');
  for (const [call, task] of [
    [{ arguments: { key: 'b' } }, { user }],
    [{}, { user, purpose: 'another' }],
    [{}, { user, agent: 'another' }],
    [{}, { user: { ...user, roles: ['guest'] } }],
    [{}, { user: { ...user, attributes: { team: 'b' } } }],
    [{}, { user: { ...user, id: 'eve' } }],
  ]) {
    const { reason } = await decide(service, await openTask(service, task), call);
    assert.equal(reason, 'outside_user_authority');
  }
});

test('arguments and attributes are data: what Cedar would read as an entity is a policy_error', async () => {
  const escaped = { type: 'User', id: 'root' };
  for (const escape of ['__entity', '__extn', '__expr']) {
    const denied = await under(ALLOW_ALL, { arguments: { key: 'a', more: [{ [escape]: escaped }] } });
    assert.deepEqual([denied.decision, denied.reason], ['deny', 'policy_error']);
  }
  const user = { id: 'ada', roles: [], attributes: { boss: { __entity: escaped } } };
  assert.equal((await under(ALLOW_ALL, {}, { user })).reason, 'policy_error');
});

test('a policy sees all arguments of a call: a null is the empty record, a number that is no i64 is text', async () => {
  const cedar = `${ALLOW_ALL} forbid(principal, action, resource) unless {
    context.arguments has nothing && context.arguments.nothing != "x" && context.arguments.half == "0.5" &&
    context.arguments.list == [1, {}, "1e+21"] && context.arguments.nested.deep has nothing && principal has nothing
  };`;
  const args = { key: 'a', nothing: null, half: 0.5, list: [1, null, 1e21], nested: { deep: { nothing: null } } };
  const user = { id: 'ada', roles: ['staff'], attributes: { nothing: null } };
  const allowed = await under(cedar, { arguments: args }, { user });
  assert.equal(allowed.decision, 'allow');
  assert.deepEqual(allowed.outbound.arguments, { key: 'a' }, 'the filter leaves what the schema declares');
});

test('a null does not pass a policy that forbids its name, and is an error for one that compares it', async () => {
  const forbidding = (condition: string) =>
    under(`${ALLOW_ALL} forbid(principal, action, resource) when { ${condition} };`, {
      operation: 'store',
      arguments: { force: null },
    });
  assert.equal((await forbidding('context.arguments has force')).reason, 'outside_user_authority');
  assert.equal((await forbidding('context.arguments.force')).reason, 'policy_error');
  assert.equal((await forbidding('context.arguments.force > 0')).reason, 'policy_error');
});

test('what a policy reads through a path of `has` is part of each question', async () => {
  await activatePolicy(
    service,
    `${ALLOW_ALL} forbid(principal, action, resource) when { context has arguments.force };`,
  );
  const task = await openTask(service);
  const store = (args: Answered) => decide(service, task, { operation: 'store', arguments: args });
  assert.equal((await store({ branch: 'x' })).decision, 'allow');
  const forced = await store({ branch: 'x', force: true });
  assert.deepEqual([forced.decision, forced.reason], ['deny', 'outside_user_authority']);
  assert.equal((await store({ branch: 'x' })).decision, 'allow');
});

test('what a policy reads of the user through a literal is part of each question', async () => {
  const suspended = 'User::"ada" has suspended && User::"ada".suspended';
  await activatePolicy(service, `${ALLOW_ALL} forbid(principal, action, resource) when { ${suspended} };`);
  const as = async (attributes: Answered) => {
    const task = await openTask(service, { user: { id: 'ada', roles: ['staff'], attributes } });
    return (await decide(service, task)).reason;
  };
  assert.equal(await as({}), 'ok');
  assert.equal(await as({ suspended: true }), 'outside_user_authority');
  assert.equal(await as({ suspended: false }), 'ok');
});

test('a replay asks Cedar itself, so that it finds a wrong answer from memory', async () => {
  await activatePolicy(service, 'forbid(principal, action, resource);');
  const { engines } = service.service.decisions;
  const sound = { ...engines.engines };
  Object.assign(engines.engines, { authority: () => ({ outcome: 'allow', determining: [] }) });
  try {
    const wrong = await decide(service, await openTask(service));
    assert.equal(wrong.decision, 'allow');
    const path = `/v1/audit/traces/${wrong.traceId}/replay?minPosition=${wrong.position}`;
    const { identical, calls } = expecting(200, await service.call('auditor', 'GET', path));
    assert.equal(identical, false);
    assert.equal(calls[0].redecided.reason, 'outside_user_authority');
  } finally {
    Object.assign(engines.engines, sound);
  }
});

test('an allow does not outlive the policy that gave it: its next attempt is decided on the new one', async () => {
  await activatePolicy(service);
  const task = await openTask(service);
  const call = { callId: '4b7a3d0e-3c11-4a67-9d1c-3f5a4e4f2a10' };
  assert.equal((await decide(service, task, call)).decision, 'allow');
  await activatePolicy(service, 'forbid(principal, action, resource);');
  assert.equal((await decide(service, task, call)).reason, 'outside_user_authority');
});

test('after a start the policy in force is there before the first call asks for it', async () => {
  const first = await startService();
  await activatePolicy(first);
  await first.stop('keep');
  const second = await startService({ dataDir: first.dataDir });
  try {
    const { control, decisions } = second.service;
    const policySet = control.view.policySet('default').state;
    assert.ok(policySet.active);
    const nothing = {
      basis: {},
      directives: control.view.directives().state,
      capability: undefined,
      publisherOf: () => undefined,
      task: undefined,
      calls: NO_CALLS,
    };
    const snapshot = { ...nothing, policySet, content: { purpose: '', attributes: {} } };
    assert.equal(
      decisions.engines.missing(snapshot, { capability: 'any', version: undefined, operation: 'any' }),
      undefined,
    );
  } finally {
    await second.stop();
  }
});
