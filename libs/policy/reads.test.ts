import assert from 'node:assert/strict';
import type { Json } from '../kernel/canonical-json.js';
import { freshCedar } from './cedar.js';
import { readsOf } from './reads.js';
import { test } from '../../test/support/testing.js';

const EVERYTHING = ['agent', 'arguments', 'attributes', 'host', 'purpose', 'sensitivity'];
const cedar = freshCedar();

function jsonOf(condition: string): Json {
  const parsed = cedar.policyToJson(`permit(principal, action, resource) when { ${condition} };`);
  assert.ok(parsed.type === 'success', condition);
  return parsed.json as unknown as Json;
}
const reads = (policy: Json): string[] => [...readsOf([policy])].sort();

test('the forms that are understood read just what they name', () => {
  for (const [condition, expected] of [
    ['true', []],
    ['principal == User::"a" && principal in [Role::"a"] && resource is Operation', []],
    ['context.purpose like "a*" || !(context has agent)', ['agent', 'purpose']],
    ['principal.level + 1 > 2 || principal has home.city', ['attributes']],
    ['if context["host"] == "h" then [1].isEmpty() else {a: context.sensitivity} == {}', ['host', 'sensitivity']],
    ['context has arguments.force', ['arguments']],
    ['context.arguments.a.b == 1', ['arguments']],
    ['context has unknown', []],
    ['context == {}', EVERYTHING.filter((part) => part !== 'attributes')],
  ] as const) {
    assert.deepEqual(reads(jsonOf(condition)), expected, condition);
  }
});

test('every other form counts as reading everything', () => {
  for (const condition of [
    'User::"a".suspended',
    'User::"a" has suspended',
    'Role::"a".x',
    '(if true then principal else User::"a").x',
    '{a: principal}.a.x',
    'principal.hasTag("x")',
    'principal.getTag("x") == 1',
    'principal is User in Role::"a"',
    'ip("10.0.0.1").isIpv4()',
    'true || [User::"a".x].isEmpty()',
  ]) {
    assert.deepEqual(reads(jsonOf(condition)), EVERYTHING, condition);
  }
});

test('a policy or a node that has another shape than it is known by counts as reading everything', () => {
  const sound = jsonOf('true') as Record<string, Json>;
  const body = (node: Json): Json => ({ ...sound, conditions: [{ kind: 'when', body: node }] });
  assert.deepEqual(reads(body({ Value: true })), []);
  const entity = { type: 'User', id: 'a' };
  for (const policy of [
    null,
    [],
    'permit',
    { ...sound, extra: 1 },
    { ...sound, effect: 'allow' },
    { ...sound, conditions: {} },
    { ...sound, annotations: 'x' },
    { ...sound, principal: { op: '==', slot: '?principal' } },
    { ...sound, principal: { op: 'has', entity } },
    { ...sound, action: { op: 'in', entities: [{ ...entity, more: 1 }] } },
    { ...sound, resource: { op: 'is', entity_type: 'Operation', in: { slot: '?resource' } } },
    { ...sound, conditions: [{ kind: 'while', body: { Value: true } }] },
    { ...sound, conditions: [{ kind: 'when', body: { Value: true }, more: 1 }] },
    body(null),
    body({}),
    body({ Value: true, Var: 'principal' }),
    body({ Value: null }),
    body({ Value: [1] }),
    body({ Value: { a: 1 } }),
    body({ Value: { __extn: { fn: 'ip', arg: '10.0.0.1' } } }),
    body({ Value: { __entity: { ...entity, more: 1 } } }),
    body({ Var: 'unknown' }),
    body({ Slot: '?principal' }),
    body({ Set: { a: 1 } }),
    body({ Record: [] }),
    body({ '!': { arg: { Value: true }, more: 1 } }),
    body({ '==': { left: { Value: true } } }),
    body({ '.': { left: { Var: 'context' }, attr: ['purpose'] } }),
    body({ has: { left: { Var: 'context' }, attr: [] } }),
    body({ has: { left: { Var: 'context' }, attr: 'purpose', more: 1 } }),
    body({ like: { left: { Var: 'context' }, pattern: [{ Regex: 'x' }] } }),
    body({ like: { left: { Value: 'x' }, pattern: 'x' } }),
    body({ is: { left: { Var: 'principal' }, entity_type: 1 } }),
    body({ xor: { left: { Value: true }, right: { Value: true } } }),
  ]) {
    assert.deepEqual(reads(policy), EVERYTHING, JSON.stringify(policy));
  }
});
