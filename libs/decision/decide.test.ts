import assert from 'node:assert/strict';
import { FAULTS } from '../../test/support/decision-faults.js';
import { decideIn, observed, type World } from '../../test/support/decision-world.js';
import { at, digest, uuid } from '../../test/support/given.js';
import type { Probe } from '../capability/definition.js';
import type { VersionState } from '../capability/state.js';
import { targetKey, type Target } from '../directive/target.js';
import { digestOf } from '../kernel/digest.js';
import { CheckName } from '../vocabulary/words.js';
import { denyFor, expiryOf } from './decide.js';
import { test } from '../../test/support/testing.js';

const names = CheckName.options;

test('a call in which nothing is wrong is allowed, with all checks passed in their order', () => {
  const { decision, reason, rule, checks } = decideIn(() => undefined);
  assert.deepEqual([decision, reason, rule], ['allow', 'ok', 'p']);
  assert.deepEqual(
    checks.map(({ check, outcome }) => [check, outcome]),
    names.map((name) => [name, 'pass']),
  );
});

for (const [check, reason, fault] of FAULTS) {
  test(`${reason} is found by ${check}, after every check before it`, () => {
    const { decision, reason: found, checks } = decideIn(fault);
    assert.deepEqual([decision, found], ['deny', reason]);
    assert.deepEqual(
      checks.map((each) => each.check),
      names.slice(0, names.indexOf(check) + 1),
    );
    assert.equal(checks.at(-1)?.outcome, 'fail');
    assert.ok(checks.slice(0, -1).every(({ outcome }) => outcome !== 'fail'));
    assert.ok(checks.at(-1)?.evidence !== undefined);
  });
}

test('of two faults the one that an earlier check finds names the reason', () => {
  for (const [index, [first, reason, fault]] of FAULTS.entries()) {
    for (const [second, , other] of FAULTS.slice(index + 1)) {
      // Two faults of one check cannot occur together. Nor can a fault that removes the task or version that a later
      // fault needs.
      if (first === second || reason === 'task_unknown') continue;
      const { reason: found } = decideIn((made) => {
        made.call.version = '1';
        fault(made);
        other(made);
      });
      assert.equal(found, reason, `${reason} before ${second}`);
    }
  }
});

test('without a pin there is no version to review: the check is skipped, and pinned denies', () => {
  const { reason, checks } = decideIn((made) => Object.assign(made.task ?? {}, { pins: new Map() }));
  assert.equal(reason, 'capability_not_pinned');
  assert.equal(checks.find(({ check }) => check === 'reviewed')?.outcome, 'skipped');
});

test('a version that is suspended for one host is suspended for it alone', () => {
  assert.equal(decideIn((made) => (made.version = { suspendedFor: new Set(['hank']) })).reason, 'version_suspended');
  assert.equal(decideIn((made) => (made.version = { suspendedFor: new Set(['hugo']) })).reason, 'ok');
});

test('the lifecycle names the reason of a stop that a suspension brought, and the directive that of any other', () => {
  const target: Target = { type: 'version', capability: 'memory', version: '1' };
  const brought = (status: VersionState['status'], ...more: { target: Target; cause?: string }[]) =>
    decideIn((made) => {
      made.version.status = status;
      made.directives.push({ target, cause: uuid(5) }, ...more);
    }).reason;
  assert.equal(brought('suspended'), 'version_suspended');
  assert.equal(brought('revoked'), 'version_revoked');
  assert.equal(brought('suspended', { target }), 'disabled');
  assert.equal(brought('suspended', { target: { type: 'host', host: 'hank' }, cause: uuid(6) }), 'disabled');
  assert.equal(brought('approved'), 'disabled', 'it stops everything if the lifecycle would not');
});

test('every target of an allow is what a directive can stop it by', () => {
  const { targets } = decideIn(() => undefined);
  const stops: Target[] = [
    { type: 'all' },
    { type: 'capability', capability: 'memory' },
    { type: 'version', capability: 'memory', version: '1' },
    { type: 'operation', capability: 'memory', operation: 'recall' },
    { type: 'publisher', publisher: 'acme' },
    { type: 'source', source: 'npm:memory' },
    { type: 'category', category: 'notes' },
    { type: 'effect', effect: 'read' },
    { type: 'host', host: 'hank' },
    { type: 'task', taskId: uuid(1) },
  ];
  assert.deepEqual([...targets].sort(), stops.map(targetKey).sort());
  for (const target of stops) {
    const { reason, rule } = decideIn((made) => made.directives.push({ target }));
    assert.deepEqual([reason, rule], ['disabled', targetKey(target)]);
  }
});

test('a digest that differs asks for the definition, a whole definition does not', () => {
  const drifted = (whole?: true) =>
    decideIn((made) => observed(made, { definition: digest('x'), ...(whole && { whole }) })).obligations;
  assert.deepEqual([drifted(), drifted(true)], [['submit_definition'], []]);
});

test('errors of arguments lead to the member, the deepest first; for records of decider 1 they stand as they were', () => {
  const errorsOf = (decider?: number) =>
    decideIn((made) => {
      made.argumentsValid = false;
      made.argumentErrors = [
        { path: '', keyword: 'required', member: 'key' },
        { path: '', keyword: 'anyOf' },
        { path: '/a/b', keyword: 'type' },
        { path: '/a/b', keyword: 'type' },
      ];
    }, decider).checks.at(-1)?.evidence?.['errors'];
  assert.deepEqual(errorsOf(), [
    { path: '/a/b', keyword: 'type' },
    { path: '/key', keyword: 'required' },
    { path: '', keyword: 'anyOf' },
  ]);
  assert.deepEqual(errorsOf(1), [
    { path: '', keyword: 'required' },
    { path: '', keyword: 'anyOf' },
    { path: '/a/b', keyword: 'type' },
    { path: '/a/b', keyword: 'type' },
  ]);
});

test('an equal definition passes under any probe; for records of decider 1 another probe is a drift', () => {
  const probe = { protocolVersion: '1', clientCapabilities: {} };
  const under = (asked: Probe, decider?: number) =>
    decideIn((made) => {
      made.version = { probe };
      observed(made, { asked, probe: digestOf(asked) });
    }, decider).reason;
  const other = { ...probe, clientCapabilities: { roots: {} } };
  assert.deepEqual([under(probe), under(other)], ['ok', 'ok']);
  assert.deepEqual([under(probe, 1), under(other, 1)], ['ok', 'definition_drifted']);
});

test('another definition under another probe says in which members the probe differs', () => {
  const probe = { protocolVersion: '1', clientCapabilities: {} };
  const differing = (asked?: Probe) =>
    decideIn((made) => {
      made.version = { probe };
      observed(made, { definition: digest('x'), ...(asked && { asked, probe: digestOf(asked) }) });
    }).checks.at(-1)?.evidence?.['probe'];
  assert.deepEqual([differing(), differing(probe)], [undefined, undefined]);
  const shown = { protocolVersion: '2', credentialScope: 'notes' };
  assert.deepEqual(differing({ ...probe, ...shown }), { expected: { protocolVersion: '1' }, observed: shown });
});

test('$connect skips what a single call is asked, may lack the definition, and nothing else', () => {
  const connect = (fault: (made: World) => void) =>
    decideIn((made) => {
      fault(made);
      made.call.operation = '$connect';
    });
  const perCall: CheckName[] = [
    'capability_scope',
    'task_scope',
    'user_authority',
    'arguments',
    'approval',
    'context',
    'credential',
  ];
  for (const [check, reason, fault] of FAULTS) {
    if (reason === 'operation_unknown') continue;
    const passes = perCall.includes(check) || reason === 'definition_missing';
    assert.equal(connect(fault).reason, passes ? 'ok' : reason);
  }
  const skipped = connect((made) => observed(made, { definition: undefined })).checks;
  assert.deepEqual(
    skipped.filter(({ outcome }) => outcome === 'skipped').map(({ check }) => check),
    ['definition', ...perCall],
  );
});

test('an entry that is used up gives way to the next one, and a counted call is not counted again', () => {
  const scoped = (counted: Map<number, Set<string>>, ...maxCalls: (number | undefined)[]) =>
    decideIn((made) => {
      const scope = maxCalls.map((max) => ({
        capability: 'memory',
        effects: ['read' as const],
        ...(max !== undefined && { maxCalls: max }),
      }));
      Object.assign(made.task ?? {}, { scope, counted });
    });
  const counts = (...asked: Parameters<typeof scoped>) => {
    const { reason, counts: entry } = scoped(...asked);
    return [reason, entry];
  };
  const used = new Map([[0, new Set([uuid(7)])]]);
  assert.deepEqual(counts(new Map(), 1), ['ok', 0]);
  assert.deepEqual(counts(used, 1), ['outside_task_scope', undefined]);
  assert.deepEqual(counts(used, 2), ['ok', 0]);
  assert.deepEqual(counts(used, 1, 1), ['ok', 1]);
  assert.deepEqual(counts(used, 1, undefined), ['ok', undefined]);
  assert.deepEqual(counts(new Map([[0, new Set([uuid(2)])]]), 1), ['ok', undefined]);
  assert.deepEqual(counts(new Map(), 0), ['outside_task_scope', undefined]);
  assert.deepEqual(scoped(used, 1).checks.at(-1)?.evidence, { entry: 0, calls: 1 });
});

test('a check that throws denies as an internal error', () => {
  const { decision, reason, checks } = decideIn((made) => {
    Object.defineProperty(made, 'authority', {
      get: () => {
        throw new Error('broken');
      },
    });
  });
  assert.deepEqual([decision, reason, checks.at(-1)?.check], ['deny', 'internal_error', 'user_authority']);
});

test('a deny outside of the checks has none', () => {
  assert.deepEqual(denyFor('view_stale', '1'), {
    decision: 'deny',
    reason: 'view_stale',
    version: '1',
    checks: [],
    obligations: [],
    targets: [],
  });
});

test('an allow ends with its lease or with its task, whichever is sooner', () => {
  const { snapshot } = decideIn(() => undefined);
  assert.equal(expiryOf(snapshot, {}, at(1), 60_000), at(2));
  assert.equal(expiryOf(snapshot, {}, at(1), 3_600_000), at(60));
  assert.equal(expiryOf(snapshot, { signedUntil: at(30) }, at(1), 3_600_000), at(30));
});
