import assert from 'node:assert/strict';
import { at, digest, specified } from '../../test/support/given.js';
import { policyDecider, policyEventSchemas, type PolicyEvent } from './decider.js';
import { test } from '../../test/support/testing.js';

const given = specified(policyDecider, policyEventSchemas);
const proposed = (policyVersion: number, key?: string, actor = 'rita'): PolicyEvent => ({
  type: 'PolicyProposed',
  data: {
    set: 's',
    policyVersion,
    cedar: digest('c'),
    reason: 'r',
    ...(key === undefined ? {} : { key: digest(key) }),
  },
  actor,
  time: at(0),
});
const reviewed = (policyVersion: number, verdict: 'approved' | 'rejected'): PolicyEvent => ({
  type: 'PolicyReviewed',
  data: { set: 's', policyVersion, verdict, reason: 'r' },
  actor: 'vera',
  time: at(0),
});
const propose = (more: { cedar?: string; reason?: string; key?: string } = {}) =>
  ({
    type: 'propose',
    set: 's',
    cedar: digest(more.cedar ?? 'c'),
    reason: more.reason ?? 'r',
    ...(more.key === undefined ? {} : { key: digest(more.key) }),
    actor: 'rita',
    time: at(0),
  }) as const;
const review = (policyVersion: number, verdict: 'approved' | 'rejected', actor = 'vera') =>
  ({ type: 'review', set: 's', policyVersion, verdict, reason: 'r', actor, time: at(0) }) as const;

test('versions of a policy are counted from one', () => {
  given().when(propose()).thenEvents(proposed(1));
  given(proposed(1)).when(propose()).thenEvents(proposed(2));
});

test('a proposal with the key of an earlier one is that one, or refused', () => {
  const history = given(proposed(1, 'k'), proposed(2));
  history.when(propose({ key: 'k' })).thenNothing();
  history.when(propose({ key: 'k', cedar: 'other' })).thenRefused('already_exists');
  history.when(propose({ key: 'k', reason: 'other' })).thenRefused('already_exists');
  history.when(propose({ key: 'other' })).thenEvents(proposed(3, 'other'));
});

test('a policy is reviewed once, and by someone else', () => {
  for (const verdict of ['approved', 'rejected'] as const) {
    given(proposed(1)).when(review(1, verdict)).thenEvents(reviewed(1, verdict));
    given(proposed(1))
      .when(review(1, verdict, 'rita'))
      .thenRefused('self_review');
    given(proposed(1)).when(review(2, verdict)).thenRefused('not_found');
    for (const earlier of ['approved', 'rejected'] as const) {
      given(proposed(1), reviewed(1, earlier)).when(review(1, verdict)).thenRefused('invalid_transition');
    }
  }
});

test('in force is what was approved last; a rejection changes nothing', () => {
  const activeAfter = (...events: PolicyEvent[]) => given(...events).state.active?.policyVersion;
  const history = [proposed(1), proposed(2), proposed(3)];
  assert.equal(activeAfter(...history), undefined);
  assert.equal(activeAfter(...history, reviewed(1, 'rejected')), undefined);
  assert.equal(activeAfter(...history, reviewed(2, 'approved')), 2);
  assert.equal(activeAfter(...history, reviewed(2, 'approved'), reviewed(1, 'approved')), 1);
  assert.equal(activeAfter(...history, reviewed(2, 'approved'), reviewed(3, 'rejected')), 2);
});
