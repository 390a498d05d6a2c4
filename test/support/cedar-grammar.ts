import * as fc from 'fast-check';
import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import type { AuthorityRequest } from '../../libs/policy/cedar.js';

/** Policy sets over Cedar's whole grammar, mostly well-typed, and questions that differ in one part of what they ask. */

/** Attributes that records may have, by the type of their values. */
const FIELDS = { bool: 'force', long: 'level', string: 'branch', record: 'nested', set: 'list' } as const;
const ENTITIES = [
  'User::"alice"',
  'User::"bob"',
  'Role::"staff"',
  'Action::"read"',
  'Operation::"memory/recall"',
  'Capability::"memory"',
  'Category::"notes"',
  'Other::Type::"x"',
];
const TYPES = ['User', 'Role', 'Operation', 'Other::Type'];
const CONTEXT = ['purpose', 'agent', 'host', 'sensitivity'];
const EXTENSIONS = [
  'ip("10.0.0.1").isInRange(ip("10.0.0.0/8"))',
  'decimal("1.5").lessThan(decimal("2.0"))',
  '(datetime("2026-01-01") < datetime("2026-01-01").offset(duration("1h")))',
];

type Name = 'any' | 'bool' | 'long' | 'string' | 'entity' | 'set' | 'record';
type Sources = readonly string[];

const USUAL: Sources = ['principal', 'context'];
const ALL: Sources = [
  'principal',
  'context',
  'context.arguments',
  'context["arguments"]',
  'User::"alice"',
  'User::"bob"',
  'resource',
  'action',
  'Role::"staff"',
  '{"m": principal, "n": 1}.m',
  '{m: User::"alice"}["m"]',
  '(if principal == User::"bob" then principal else User::"alice")',
  '{m: context}.m',
];

/** Expressions by their type, with attributes of `sources`. `rare`: with forms that a reader need not understand. */
function expressions(sources: Sources, rare: boolean): fc.Arbitrary<string> {
  const source = fc.constantFrom(...sources);
  const depthIdentifier = fc.createDepthIdentifier();
  const { any, bool } = fc.letrec<Record<Name, string>>((tie) => {
    const some = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
      fc
        .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
        .map((all) => all.join(''));
    const branches = (type: Name) => some('(if ', tie('bool'), ' then ', tie(type), ' else ', tie(type), ')');
    const field = (type: keyof typeof FIELDS) => some(tie('record'), '.', FIELDS[type]);
    const pair = (left: Name, operator: string, right: Name) => some('(', tie(left), operator, tie(right), ')');
    const method = (left: Name, name: string, right: Name) => some(tie(left), `.${name}(`, tie(right), ')');
    const has = fc.constantFrom(
      'force',
      '"force"',
      'nested',
      'nested.force',
      'arguments',
      'arguments.force',
      'purpose',
    );
    const choice = (leaf: fc.Arbitrary<string>, ...others: fc.Arbitrary<string>[]) =>
      fc.oneof({ maxDepth: 3, depthIdentifier }, leaf, ...others);
    const context = fc.constantFrom(...CONTEXT).map((name) => `context.${name}`);
    return {
      record: choice(
        source,
        ...(rare
          ? [
              branches('record'),
              field('record'),
              some('{"force": ', tie('bool'), ', level: ', tie('long'), ', "__proto__": ', tie('any'), '}'),
              fc.constant('{}'),
            ]
          : []),
      ),
      bool: choice(
        fc.oneof(fc.constantFrom('true', 'false'), field('bool'), some('(', tie('record'), ' has ', has, ')')),
        some('!', tie('bool')),
        some('(', source, ' has force && ', source, '.force)'),
        ...['==', '!='].map((operator) => pair('any', ` ${operator} `, 'any')),
        ...['&&', '||'].map((operator) => pair('bool', ` ${operator} `, 'bool')),
        ...['<', '<=', '>', '>='].map((operator) => pair('long', ` ${operator} `, 'long')),
        some('(', tie('string'), ' like "*', fc.constantFrom('', 'x', '\\*'), '*")'),
        some('(', tie('entity'), ' is ', fc.constantFrom(...TYPES), ')'),
        pair('entity', ' in ', 'entity'),
        some('(', tie('entity'), ' in [', tie('entity'), ', ', tie('entity'), '])'),
        method('set', 'contains', 'any'),
        method('set', 'containsAll', 'set'),
        method('set', 'containsAny', 'set'),
        some(tie('set'), '.isEmpty()'),
        branches('bool'),
        ...(rare
          ? [
              method('entity', 'hasTag', 'string'),
              some('(', tie('entity'), ' is ', fc.constantFrom(...TYPES), ' in ', tie('entity'), ')'),
              fc.constantFrom(...EXTENSIONS),
            ]
          : []),
      ),
      long: choice(
        fc.oneof(fc.constantFrom('0', '1', '2', '-1', '9223372036854775807'), field('long')),
        ...['+', '-', '*'].map((operator) => pair('long', ` ${operator} `, 'long')),
        some('-(', tie('long'), ')'),
        branches('long'),
      ),
      string: choice(
        fc.oneof(fc.constantFrom('"x"', '"y"', '"\\u{1F600}"'), context, field('string')),
        branches('string'),
        ...(rare ? [method('entity', 'getTag', 'string')] : []),
      ),
      entity: choice(fc.constantFrom('principal', 'action', 'resource', ...ENTITIES), branches('entity')),
      set: choice(
        fc.oneof(fc.constant('[]'), field('set')),
        some('[', tie('any'), ']'),
        some('[', tie('any'), ', ', tie('any'), ']'),
      ),
      any: choice(tie('record'), ...(['bool', 'long', 'string', 'entity', 'set'] as const).map((type) => tie(type))),
    };
  });
  return fc.oneof({ arbitrary: bool, weight: 9 }, { arbitrary: any, weight: 1 });
}

const scope = (variable: string, ...constraints: string[]) =>
  fc.constantFrom('', '', ...constraints).map((constraint) => `${variable}${constraint}`);
const PRINCIPAL = scope(
  'principal',
  ' == User::"alice"',
  ' in Role::"staff"',
  ' is User',
  ' is User in Role::"staff"',
  ' is Role',
);
const ACTION = scope('action', ' == Action::"read"', ' in [Action::"read", Action::"write"]', ' in Action::"send"');
const RESOURCE = scope(
  'resource',
  ' == Operation::"memory/recall"',
  ' in Capability::"memory"',
  ' in Category::"notes"',
  ' is Operation',
  ' is Operation in Category::"notes"',
);
const ANNOTATION = fc.constantFrom('', '', '@note("context.arguments") ', '@flag ', '@__proto__("x") ');

function policies(expression: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const condition = fc
    .tuple(fc.constantFrom('when', 'unless'), expression)
    .map(([kind, body]) => `${kind} { ${body} }`);
  return fc
    .tuple(
      ANNOTATION,
      fc.constantFrom('permit', 'forbid'),
      PRINCIPAL,
      ACTION,
      RESOURCE,
      fc.array(condition, { minLength: 1, maxLength: 2 }),
    )
    .map(
      ([note, effect, principal, action, resource, conditions]) =>
        `${note}${effect}(${principal}, ${action}, ${resource}) ${conditions.join(' ')}; // context.arguments`,
    );
}

const setsOf = (expression: fc.Arbitrary<string>, opening: fc.Arbitrary<string>) =>
  fc
    .tuple(opening, fc.array(policies(expression), { minLength: 1, maxLength: 2 }))
    .map((parts) => parts.flat().join('\n'));

const OPENING = fc.constantFrom(
  'permit(principal, action, resource);',
  '@id("all") permit(principal, action, resource);',
  '',
);

/** Texts of policy sets: most of them read no arguments, so that their answers may be remembered. */
export const policySets: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: setsOf(expressions(USUAL, false), OPENING), weight: 2 },
  { arbitrary: setsOf(expressions(ALL, true), OPENING), weight: 1 },
);

/** Sets with a template among the policies, which is refused. */
export const templateSets: fc.Arbitrary<string> = setsOf(
  expressions(ALL, true),
  fc.constantFrom(
    'permit(principal == ?principal, action, resource);',
    'permit(principal in ?principal, action, resource in ?resource);',
    'forbid(principal is User in ?principal, action, resource);',
  ),
);

type Context = AuthorityRequest['context'];

/** A question, and every question that differs from it in one part. */
export function questions(id: string, record: JsonObject): AuthorityRequest[] {
  const base: AuthorityRequest = {
    user: { id, roles: ['staff'], attributes: record },
    effect: 'read',
    capability: 'memory',
    category: 'notes',
    operation: 'recall',
    context: { purpose: 'x', agent: 'a', host: 'h', sensitivity: 'internal', arguments: record },
  };
  const contexts: Partial<Context>[] = [{ purpose: 'y' }, { agent: 'x' }, { host: 'x' }, { sensitivity: 'public' }];
  return [
    base,
    ...RECORDS.map((changed) => ({ ...base, context: { ...base.context, arguments: changed } })),
    ...RECORDS.map((attributes) => ({ ...base, user: { ...base.user, attributes } })),
    ...contexts.map((changed) => ({ ...base, context: { ...base.context, ...changed } })),
    ...['alice', 'bob', 'eve'].map((other) => ({ ...base, user: { ...base.user, id: other } })),
    ...[[], ['guest'], ['guest', 'staff']].map((roles) => ({ ...base, user: { ...base.user, roles } })),
    { ...base, effect: 'write' },
    { ...base, capability: 'other' },
    { ...base, category: 'other' },
    { ...base, operation: 'store' },
    base,
  ];
}

/** Arguments and attributes of every type, present and not, of the wrong type, null, and long. */
export const RECORDS: readonly JsonObject[] = [
  {},
  { force: true },
  { force: false },
  { force: null },
  { level: 1 },
  { level: 2 ** 53 },
  { branch: 'x' },
  { branch: 'y'.repeat(600) },
  { nested: { force: true } },
  { nested: { nested: { force: false } } },
  { list: [] },
  { list: [1, null, 'x', { force: true }] },
  { force: true, level: 0, branch: 'x', nested: { force: false, level: 2 }, list: [1] },
  { force: false, level: 1, branch: 'y', nested: { force: true, level: 1 }, list: ['x', 1] },
  JSON.parse('{"__proto__": {"force": true}, "force": 1}') as JsonObject,
];
