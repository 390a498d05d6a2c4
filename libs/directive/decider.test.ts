import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { at, digest, specified, uuid } from '../../test/support/given.js';
import { digestOf } from '../kernel/digest.js';
import { activeDirectives, directiveDecider, directiveEventSchemas, isVoid, stateRoot } from './decider.js';
import type { DirectiveCommand, DirectiveEvent } from './decider.js';
import { Target, targetKey } from './target.js';
import { test } from '../../test/support/testing.js';

const given = specified(directiveDecider, directiveEventSchemas);
const by = { actor: 'otto', time: at(0) };
const all = { type: 'all' } as const;
const memory = { type: 'capability', capability: 'memory' } as const;

type Rooted = { id: string; target: Target; epoch: number };
const root = (...active: Rooted[]) => digestOf(active);
const issue = (id: number, target: Target = all, more: Partial<DirectiveCommand> = {}): DirectiveCommand => ({
  type: 'issue',
  id: uuid(id),
  target,
  reason: 'r',
  ...by,
  ...more,
});
const issued = (id: number, target: Target, stateRootAfter: string, more = {}): DirectiveEvent => ({
  type: 'DirectiveIssued',
  data: { id: uuid(id), target, reason: 'r', ...more, stateRoot: stateRootAfter as `sha256:${string}` },
  ...by,
});
const lifted = (id: number, stateRootAfter: string): DirectiveEvent => ({
  type: 'DirectiveLifted',
  data: { id: uuid(id), reason: 'r', stateRoot: stateRootAfter as `sha256:${string}` },
  ...by,
});
const lift = (id: number, more: Partial<DirectiveCommand> = {}): DirectiveCommand =>
  ({ type: 'lift', id: uuid(id), reason: 'r', ...by, ...more }) as DirectiveCommand;
const one = { id: uuid(1), target: all, epoch: 1 };
const two = { id: uuid(2), target: memory, epoch: 2 };

test('each event holds the state root after it', () => {
  given()
    .when(issue(1))
    .thenEvents(issued(1, all, root(one)));
  given(issued(1, all, root(one)))
    .when(issue(2, memory))
    .thenEvents(issued(2, memory, root(one, two)));
  given(issued(1, all, root(one)), issued(2, memory, root(one, two)))
    .when(lift(1))
    .thenEvents(lifted(1, root(two)));
  given(issued(1, all, root(one)))
    .when(lift(1))
    .thenEvents(lifted(1, root()));
});

test('the same request under the id of an active directive is nothing new, another one is refused', () => {
  const requestDigest = digest('request');
  const history = given(issued(1, all, root(one), { requestDigest }));
  history.when(issue(1, all, { requestDigest })).thenNothing();
  history.when(issue(1, all, { requestDigest: digest('other') })).thenRefused('already_exists');
  history.when(issue(1)).thenRefused('already_exists');
});

test('any request under the id of a lifted directive is refused: its answer would claim a stop', () => {
  const requestDigest = digest('request');
  const history = given(issued(1, all, root(one), { requestDigest }), lifted(1, root()));
  history.when(issue(1, all, { requestDigest })).thenRefused('invalid_transition');
  history.when(issue(1)).thenRefused('invalid_transition');
});

test('an end that lies in the past is refused', () => {
  given()
    .when(issue(1, all, { expiresAt: at(0) }))
    .thenRefused('malformed_request');
  given()
    .when(issue(1, all, { expiresAt: at(1) }))
    .thenEvents(issued(1, all, root(one), { expiresAt: at(1) }));
});

test('what has an end holds until it is lifted, however late', () => {
  const history = given(issued(1, all, root(one), { expiresAt: at(1) }));
  assert.equal(activeDirectives(history.state).length, 1);
  history.when(lift(1, { time: at(900) })).thenEvents({ ...lifted(1, root()), time: at(900) });
});

test('a directive is lifted once, and not before it was issued', () => {
  given().when(lift(1)).thenRefused('not_found');
  given(issued(1, all, root(one)), lifted(1, root()))
    .when(lift(1))
    .thenRefused('invalid_transition');
});

test('what a suspension issued is lifted with its cause alone', () => {
  const history = given(issued(1, memory, root({ ...one, target: memory }), { cause: uuid(9) }));
  history.when(lift(1)).thenRefused('invalid_transition');
  history.when(lift(1, { withCause: true })).thenEvents(lifted(1, root()));
});

test('an allow is void after a directive of a later epoch against one of its targets, lifted since or not', () => {
  const { state } = given(issued(1, all, root(one)), lifted(1, root()), issued(2, memory, root({ ...two, epoch: 3 })));
  const voided = (epoch: number, ...targets: string[]) => isVoid(state, { epoch, targets });
  assert.deepEqual(
    [voided(0, 'all'), voided(1, 'all'), voided(2, 'capability:memory'), voided(3, 'capability:memory')],
    [true, false, true, false],
  );
  assert.equal(voided(0, 'capability:other', 'effect:read'), false);
  assert.equal(voided(0), false);
});

const targets: fc.Arbitrary<Target> = fc.oneof(
  fc.constant<Target>({ type: 'all' }),
  fc.constantFrom('a', 'b').map((capability): Target => ({ type: 'capability', capability })),
  fc.constantFrom('a', 'b').map((category): Target => ({ type: 'category', category })),
);

test('the epoch counts the events, and the root follows from what is active, in whatever order it came', () => {
  const steps = fc.array(fc.tuple(fc.nat(5), targets), { maxLength: 20 });
  fc.assert(
    fc.property(steps, (wanted) => {
      const events: DirectiveEvent[] = [];
      const expected = new Map<string, Rooted>();
      for (const [number, target] of wanted) {
        const id = uuid(number);
        const { state } = given(...events);
        const decided = directiveDecider.decide(expected.has(id) ? lift(number) : issue(number, target), state);
        if (!decided.ok) continue;
        events.push(...decided.value);
        if (!expected.delete(id)) expected.set(id, { id, target, epoch: events.length });
      }
      const { state } = given(...events);
      assert.equal(state.epoch, events.length);
      const active = [...expected.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      assert.equal(stateRoot(activeDirectives(state)), root(...active));
      assert.equal(stateRoot(activeDirectives(state).reverse()), root(...active));
      assert.equal(events.at(-1)?.data.stateRoot ?? root(), root(...active));
    }),
    { numRuns: 100 },
  );
});

test('each target has a key of its own, in the words of the contract', () => {
  const keys: [Target, string][] = [
    [all, 'all'],
    [memory, 'capability:memory'],
    [{ type: 'version', capability: 'memory', version: '1.0.0' }, 'version:memory@1.0.0'],
    [{ type: 'operation', capability: 'memory', operation: 'read' }, 'operation:memory/read'],
    [{ type: 'publisher', publisher: 'acme' }, 'publisher:acme'],
    [{ type: 'publisher-key', publisher: 'acme', keyId: 'k1' }, 'publisher-key:acme/k1'],
    [{ type: 'source', source: 'npm:name' }, 'source:npm:name'],
    [{ type: 'category', category: 'x' }, 'category:x'],
    [{ type: 'effect', effect: 'read' }, 'effect:read'],
    [{ type: 'host', host: 'h' }, 'host:h'],
    [{ type: 'task', taskId: uuid(1) }, `task:${uuid(1)}`],
  ];
  for (const [target, key] of keys) {
    assert.equal(targetKey(target), key);
    assert.deepEqual(Target.parse(target), target);
    assert.equal(Target.safeParse({ ...target, more: 1 }).success, false, 'a misspelt target is none');
  }
});
