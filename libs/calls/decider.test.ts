import assert from 'node:assert/strict';
import { at, callDecided, digest, specified, uuid } from '../../test/support/given.js';
import { callsDecider, MAX_CALLS, type CallsEvent } from './decider.js';
import { digestOf } from '../kernel/digest.js';
import { callsEventSchemas, type CallDecided, type OutcomeRecorded, type ResponseValidated } from './events.js';
import { test } from '../../test/support/testing.js';

const given = specified(callsDecider, callsEventSchemas);
const by = { actor: 'hank', time: at(0) };

const call = (decision: 'allow' | 'deny', more: Partial<CallDecided> = {}): CallsEvent => ({
  type: 'CallDecided',
  data: callDecided(decision, more),
  ...by,
});
const record = (decision: 'allow' | 'deny', more: Partial<CallDecided> = {}) => {
  const { attempt: _, ...rest } = callDecided(decision, more);
  return { type: 'record-decision', decided: rest, ...by } as const;
};
const validated = (body = 'response'): ResponseValidated => ({
  callId: uuid(1),
  taskId: uuid(9),
  attempt: 1,
  verdict: 'accepted',
  findings: [],
  commitments: { raw: digest('raw') },
  requestDigest: digest(body),
  epoch: 0,
});
const response = (body?: string): CallsEvent => ({ type: 'ResponseValidated', data: validated(body), ...by });
const respond = (body?: string) => ({ type: 'record-response', validated: validated(body), ...by }) as const;
const told = (status: OutcomeRecorded['status'], more: Partial<OutcomeRecorded> = {}): OutcomeRecorded => {
  const outcome = { callId: uuid(1), taskId: uuid(9), status, ...more };
  return { requestDigest: digestOf({ keyed: outcome }), ...outcome };
};
const outcome = (...what: Parameters<typeof told>): CallsEvent => ({
  type: 'OutcomeRecorded',
  data: told(...what),
  ...by,
});
const tell = (...what: Parameters<typeof told>) => {
  const outcome = told(...what);
  return { type: 'record-outcome', outcome, plainDigest: digestOf({ plain: outcome }), ...by } as const;
};

test('attempts at a call are counted from one, each call for itself', () => {
  given().when(record('deny')).thenEvents(call('deny'));
  given(call('deny'))
    .when(record('allow'))
    .thenEvents(call('allow', { attempt: 2 }));
  given(call('deny'), call('allow', { attempt: 2 }))
    .when(record('allow', { callId: uuid(2) }))
    .thenEvents(call('allow', { callId: uuid(2) }));
});

test('a task has so many calls and no more; those it has may be tried again', () => {
  const state = callsDecider.initialState();
  const latest = { decided: callDecided('deny'), at: at(0), revision: 1 };
  for (let number = 1; number <= MAX_CALLS; number += 1) {
    state.calls.set(uuid(number), { callId: uuid(number), requestDigest: digest('request'), latest });
  }
  const another = callsDecider.decide(record('allow', { callId: uuid(MAX_CALLS + 1) }), state);
  assert.deepEqual([another.ok, another.ok || another.error.code], [false, 'too_large']);
  assert.ok(callsDecider.decide(record('allow'), state).ok);
});

test('what calls have in common is counted once, and a task with too much evidence takes no more decisions', () => {
  const state = callsDecider.initialState();
  const server = (name: string) => ({ method: 'package' as const, command: name.repeat(4096) });
  const allow = (number: number, name: string) =>
    callsDecider.evolve(state, call('allow', { callId: uuid(number), observed: { server: server(name) } }));
  allow(1, 'a');
  const one = state.chars;
  assert.ok(one > 4096 && one < 4300, `${one}`);
  for (let number = 2; number <= 100; number += 1) allow(number, 'a');
  assert.equal(state.chars, one);
  for (let number = 1; number < 33_554_432 / 4096; number += 1)
    allow(100 + (number % 50), number % 2 === 0 ? 'a' : 'b');
  for (const callId of [uuid(1), uuid(20_000)]) {
    const refused = callsDecider.decide(record('allow', { callId }), state);
    assert.deepEqual([refused.ok, refused.ok || refused.error.code], [false, 'too_large']);
  }
  assert.ok(callsDecider.decide(tell('succeeded'), state).ok);
});

test('another body under the same callId is a conflict', () => {
  for (const history of [[call('deny')], [call('allow')], [call('allow'), response()]]) {
    given(...history)
      .when(record('allow', { requestDigest: digest('other') }))
      .thenRefused('call_conflict');
  }
});

test('once there is a response there is no further attempt', () => {
  given(call('allow'), response()).when(record('allow')).thenRefused('call_finished');
});

test('a response needs an attempt that was allowed, the latest or an earlier one', () => {
  given().when(respond()).thenRefused('invalid_transition');
  given(call('deny')).when(respond()).thenRefused('invalid_transition');
  given(call('allow', { callId: uuid(2) }))
    .when(respond())
    .thenRefused('invalid_transition');
  given(call('allow')).when(respond()).thenEvents(response());
  given(call('allow'), call('deny', { attempt: 2 }))
    .when(respond())
    .thenEvents(response());
});

test('a response arrives once', () => {
  given(call('allow'), response()).when(respond()).thenNothing();
  given(call('allow'), response()).when(respond('other')).thenRefused('call_conflict');
});

test('an outcome needs an attempt that was allowed, and no response', () => {
  given().when(tell('succeeded')).thenRefused('invalid_transition');
  given(call('deny')).when(tell('succeeded')).thenRefused('invalid_transition');
  given(call('allow')).when(tell('succeeded')).thenEvents(outcome('succeeded'));
  given(call('allow'), response()).when(tell('failed')).thenEvents(outcome('failed'));
});

/** first outcome | second | third | result of the last one */
const OUTCOMES = `
  succeeded | succeeded |           | nothing
  succeeded | failed    |           | refused
  succeeded | unknown   |           | refused
  failed    | succeeded |           | refused
  failed    | failed    |           | nothing
  unknown   | unknown   |           | nothing
  unknown   | succeeded |           | recorded
  unknown   | failed    |           | recorded
  unknown   | succeeded | succeeded | nothing
  unknown   | succeeded | failed    | refused
  unknown   | failed    | unknown   | refused
`;
for (const line of OUTCOMES.trim().split('\n')) {
  const [first, second, third, result] = line.split('|').map((cell) => cell.trim());
  const statuses = [first, second, third].filter((status) => status !== '') as OutcomeRecorded['status'][];
  test(`outcomes ${statuses.join(', then ')}: the last one is ${result}`, () => {
    const last = statuses.at(-1) ?? 'unknown';
    const then = given(call('allow'), ...statuses.slice(0, -1).map((status) => outcome(status))).when(tell(last));
    if (result === 'nothing') then.thenNothing();
    else if (result === 'refused') then.thenRefused('invalid_transition');
    else then.thenEvents(outcome(last));
  });
}

test('an outcome is the same only by the digest of its request, which also finds records of version 1', () => {
  const again = tell('succeeded', { effect: { type: 'read' } });
  const first = outcome('succeeded', { effect: { type: 'read' }, requestDigest: again.plainDigest });
  given(call('allow'), first).when(again).thenNothing();
  const effect = { type: 'read' as const };
  given(call('allow'), outcome('succeeded', { effect })).when(tell('succeeded')).thenRefused('invalid_transition');
  given(call('allow'), outcome('unknown')).when(tell('unknown', { effect })).thenEvents(outcome('unknown', { effect }));
  given(call('allow'), outcome('unknown'), outcome('unknown', { effect }))
    .when(tell('succeeded'))
    .thenRefused('invalid_transition');
});

test('the state tells the latest attempt, the latest allow and the revision of each record', () => {
  const { state } = given(call('allow'), call('deny', { attempt: 2 }), response(), outcome('failed'));
  const held = state.calls.get(uuid(1));
  assert.deepEqual(
    [held?.latest.revision, held?.allowed?.revision, held?.response?.revision, held?.outcome?.recorded.status],
    [2, 1, 3, 'failed'],
  );
  assert.equal(state.revision, 4);
});
