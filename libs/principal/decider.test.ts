import assert from 'node:assert/strict';
import { at, digest, specified, uuid } from '../../test/support/given.js';
import { principalDecider, principalEventSchemas, type PrincipalEvent } from './decider.js';
import { test } from '../../test/support/testing.js';

const given = specified(principalDecider, principalEventSchemas);
const by = { actor: 'adam', time: at(0) };
const principal = { name: 'hank', roles: ['host' as const], host: { agents: ['a'] }, tokenDigest: digest('t') };
const added = (roles = principal.roles as PrincipalRoles): PrincipalEvent => ({
  type: 'PrincipalAdded',
  data: { ...principal, roles },
  ...by,
});
type PrincipalRoles = Extract<PrincipalEvent, { type: 'PrincipalAdded' }>['data']['roles'];
const rotated: PrincipalEvent = { type: 'TokenRotated', data: { name: 'hank', tokenDigest: digest('u') }, ...by };
const removed = (stop = true): PrincipalEvent => ({
  type: 'PrincipalRemoved',
  data: { name: 'hank', ...(stop ? { directiveId: uuid(1) } : {}) },
  ...by,
});
const add = { type: 'add', principal, ...by } as const;
const rotate = { type: 'rotate', tokenDigest: digest('u'), ...by } as const;
const remove = { type: 'remove', directiveId: uuid(1), ...by } as const;

test('a name is given once, also after a removal', () => {
  given().when(add).thenEvents(added());
  given(added()).when(add).thenRefused('already_exists');
  given(added(), removed()).when(add).thenRefused('already_exists');
});

test('a token is rotated as often as one likes, while its principal is there', () => {
  given(added()).when(rotate).thenEvents(rotated);
  given(added(), rotated).when(rotate).thenEvents(rotated);
  given().when(rotate).thenRefused('not_found');
  given(added(), removed()).when(rotate).thenRefused('not_found');
  assert.equal(given(added(), rotated).state?.tokenDigest, digest('u'));
});

test('the removal of a host names the directive that stops it, that of others none', () => {
  given(added()).when(remove).thenEvents(removed());
  given(added(['auditor', 'host']))
    .when(remove)
    .thenEvents(removed());
  given(added(['auditor']))
    .when(remove)
    .thenEvents(removed(false));
  given().when(remove).thenRefused('not_found');
  given(added(), removed()).when(remove).thenRefused('not_found');
});

test('roles and ceilings stay as they were given', () => {
  const { state } = given(added(), rotated);
  assert.deepEqual([state?.roles, state?.host, state?.removed], [['host'], { agents: ['a'] }, false]);
  assert.equal(given(added(), removed()).state?.removed, true);
});
