import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Effect } from '../vocabulary/words.js';
import { policySets } from '../../test/support/cedar-grammar.js';
import { freshCedar } from './cedar.js';
import { checkPolicies } from './check.js';
import { unregistered } from './registered.js';
import { test } from '../../test/support/testing.js';

const cedar = freshCedar();
const errorsOf = (text: string): string[] =>
  checkPolicies(cedar, text).errors.map(({ line, column, message }) => `${line}:${column} ${message.split(';')[0]}`);
const when = (condition: string): string => `permit(principal, action, resource) when { ${condition} };`;

test('policies that name only what questions hold have no errors, in every form of the language', () => {
  for (const text of [
    '',
    '// nothing',
    ...Effect.options.map((effect) => `permit(principal, action == Action::"${effect}", resource);`),
    'permit(principal is User, action in [Action::"read", Action::"write"], resource in Category::"files");',
    'permit(principal is User in Role::"a", action in [], resource is Operation in Capability::"b");',
    '@id("a") @note permit(principal == User::"a", action, resource == Operation::"b/c");\nforbid(principal, action, resource);',
    when('principal.anything.at.all has a.b && principal["a b"] == 1 && principal has "x" && principal has x.y'),
    when('context.arguments.x.y > 3 || context has arguments.x.y || context["arguments"]["purpos"] == "x"'),
    when('context has purpose && context.agent like "a*" && context.host != context.sensitivity && context == {}'),
    when(
      '{context: {purpos: 1}, "Usr": 2}.context.purpos == 1 && "Usr::\\"x\\"" == "Action::\\"wirte\\"" // Usr::"x"\n',
    ),
    when('resource is Capability || action is Action || User::"a".suspended || Role::"b" has x'),
    when('principal.context.purpos && principal has context.purpos && context.arguments.context.purpos'),
    when('principal.hasTag("x") && principal.getTag("x") == 1 && ip("10.0.0.1").isIpv4() && decimal("1.0") == 1'),
    when('if [1, "a"].contains(context.purpose) then -1 + 2 * 3 < 4 else [].isEmpty() && {a: [User::"a"]}.a == []'),
    when('(if true then context else context.arguments).purpose == "x" && ((context)).purpose == ""'),
  ]) {
    assert.deepEqual(errorsOf(text), [], text);
  }
});

test('unknown actions and entity types are errors at their place, dead code included', () => {
  const text = `// é😀 counts as two characters
permit(principal, action, resource);
forbid(principal is Usr, action in [Action::"read", Action::"wirte"], resource in Categry::"x")
  when { "😀" == "😀" && Foo::Action::"read" == action }
  unless { false && resource is Opration in A::B::"x" };`;
  assert.deepEqual(errorsOf(text), [
    '3:21 unknown entity type Usr',
    '3:53 unknown action Action::"wirte"',
    '3:83 unknown entity type Categry',
    '4:24 unknown action Foo::Action::"read"',
    '5:33 unknown entity type Opration',
    '5:45 unknown entity type A::B',
  ]);
});

test('unknown attributes of context are errors at their place, however they are reached', () => {
  for (const [condition, ...expected] of [
    ['context.purpos == "x"', '1:52 unknown attribute "purpos"'],
    ['context has arguements', '1:56 unknown attribute "arguements"'],
    ['context has arguements.force', '1:56 unknown attribute "arguements"'],
    ['context["purp\\u{6f}s"] == 1', '1:52 unknown attribute "purpos"'],
    ['context has "a b" || (context)["a b"]', '1:56 unknown attribute "a b"', '1:75 unknown attribute "a b"'],
    ['false && context.arguments.user == context.user', '1:87 unknown attribute "user"'],
    ['(if true then context else context).user', '1:80 unknown attribute "user"'],
    ['{a: context}.a.user', '1:59 unknown attribute "user"'],
    ['[context.x, context.y] == []', '1:53 unknown attribute "x"', '1:64 unknown attribute "y"'],
  ] as const) {
    assert.deepEqual(
      errorsOf(when(condition)).map((error) => error.replace(/ of context.*/, '')),
      expected,
      condition,
    );
  }
});

test('over the whole grammar the errors are the names that no question holds, at their place', () => {
  fc.assert(
    fc.property(policySets, (text) => {
      for (const { line, column, message } of checkPolicies(cedar, text).errors) {
        const [, type, attribute] =
          /^unknown (?:entity type (Other::Type)|attribute "(force|level|branch|nested|list)") ?/.exec(
            message.replace(';', ' '),
          ) ?? [];
        const name = type ?? attribute;
        const found = text.split('\n')[line - 1]?.slice(column - 1) ?? '';
        assert.ok(name !== undefined && (found.startsWith(name) || found.startsWith(`"${name}"`)), message);
      }
    }),
    { numRuns: 300 },
  );
});

test('what does not parse is an error at its place', () => {
  const allow = 'permit(principal, action, resource);';
  for (const [text, place] of [
    ['permit(principal, action,\n  resurce);', '2:3'],
    [`// é😀\n/${allow}`, '2:1'],
    [`${allow}\n${allow}\npermit(principal == ?principal, action, resource);`, '3:21'],
    [`@id("a") ${allow}\n\n  @id("a") ${allow}`, '3:3'],
    [`${Array.from({ length: 11 }, () => allow).join('\n')}\n@id("policy2") ${allow}`, '12:1'],
  ] as const) {
    const [first] = errorsOf(text);
    assert.equal(first?.split(' ')[0], place, text);
  }
});

test('the errors of a text are the first ones, and they are bounded', () => {
  const { errors } = checkPolicies(cedar, Array.from({ length: 500 }, () => when('A::"x" == B::"y"')).join('\n'));
  assert.equal(errors.length, 50);
  assert.equal(errors.at(-1)?.line, 25);
});

test('names that the registry does not have are warnings at their first mention', () => {
  const text = `permit(principal, action, resource in Capability::"memory");
permit(principal, action, resource in Category::"notes");
permit(principal, action, resource == Operation::"memory/recall");
permit(principal, action, resource in Capability::"memroy") when { resource in Capability::"memroy" };
permit(principal, action, resource == Operation::"memory/recal");
permit(principal, action, resource) unless { resource in [Category::"nots", Operation::"x/y", Operation::"z"] };
permit(principal, action, resource) when { "Capability::\\"quoted\\"" == "" }; // Capability::"comment"`;
  const { errors, names } = checkPolicies(cedar, text);
  assert.deepEqual(errors, []);
  const registry = {
    operations: (capability: string) => (capability === 'memory' ? new Set(['recall']) : undefined),
    hasCategory: (category: string) => category === 'notes',
  };
  assert.deepEqual(
    unregistered(text, names, registry).map(({ line, column, message }) => `${line}:${column} ${message}`),
    [
      '4:39 no capability "memroy" is registered',
      '5:39 no version has the operation "memory/recal"',
      '6:59 no capability is in category "nots"',
      '6:77 operation "x/y": no capability "x" is registered',
      '6:95 operation "z" names no capability; the form is "<capability>/<operation>"',
    ],
  );
});
