import assert from 'node:assert/strict';
import { denialOf } from './denial.js';
import { test } from '../../../test/support/testing.js';

test('a drift by nulls alone names the mistake of the client, and an unknown hint nothing', () => {
  const denied = (hint: string) => {
    const evidence = { expected: 'sha256:a', observed: 'sha256:b', hint };
    const checks = [{ check: 'definition', outcome: 'fail', evidence }];
    const decision = { decision: 'deny', reason: 'definition_drifted', checks } as unknown;
    return denialOf(decision as Parameters<typeof denialOf>[0], 'c');
  };
  const { detail = '', difference } = denied('equal_but_for_nulls');
  assert.match(detail, /was reviewed; they are equal except for nulls: .*exclude_unset=True.*omitempty/);
  assert.equal(difference?.hint, 'equal_but_for_nulls');
  for (const hint of ['toString', 'other']) assert.match(denied(hint).detail ?? '', /sha256:a was reviewed$/);
});
