import assert from 'node:assert/strict';
import { PolicyEngine, type AuthorityAnswer } from '../policy/cedar.js';
import { makeWorld, must, traceOf } from '../../test/support/audit-world.js';
import { test, type TestContext } from '../../test/support/testing.js';

/** Counts the questions to Cedar itself and to its memory. */
function watchPolicies(t: TestContext, remembered: (answer: AuthorityAnswer) => AuthorityAnswer = (answer) => answer) {
  const { ask, evaluate } = PolicyEngine.prototype;
  t.after(() => Object.assign(PolicyEngine.prototype, { ask, evaluate }));
  const seen = { asked: 0, remembered: 0 };
  PolicyEngine.prototype.ask = function (...question) {
    seen.asked += 1;
    return ask.apply(this, question);
  };
  PolicyEngine.prototype.evaluate = function (...question) {
    seen.remembered += 1;
    return remembered(evaluate.apply(this, question));
  };
  return seen;
}

test('a trace asks the policies and the users once for calls that are alike', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  for (let call = 0; call < 5; call += 1) await world.authorize(taskId);
  const seen = watchPolicies(t);
  let users = 0;
  const { userOf } = world.keys;
  world.keys.userOf = (pseudonym) => {
    users += 1;
    return userOf.call(world.keys, pseudonym);
  };
  const trace = await traceOf(world, traceId);
  assert.equal(trace?.calls.length, 5);
  assert.equal(seen.remembered, 5);
  assert.ok(seen.asked <= 1, `${seen.asked} questions`);
  assert.equal(users, 2, 'one for the calls, one for the task');
});

test('a replay asks Cedar for every call, and believes no remembered answer', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  for (let call = 0; call < 5; call += 1) assert.equal((await world.authorize(taskId)).decision, 'allow');
  const seen = watchPolicies(t, () => ({ outcome: 'deny', determining: ['a wrong memory'] }));
  const replay = must(await world.audit().replay(traceId));
  assert.deepEqual([replay?.identical, replay?.calls.length], [true, 5]);
  assert.deepEqual(seen, { asked: 5, remembered: 0 });
  // A wrong memory shows in a trace as nothing but the recorded checks.
  const trace = await traceOf(world, traceId);
  assert.ok(trace?.calls.every(({ decision, checks }) => decision === 'allow' && checks.length > 10));
});
