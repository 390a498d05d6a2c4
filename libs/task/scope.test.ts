import assert from 'node:assert/strict';
import type { Effect } from '../vocabulary/words.js';
import { contradictoryVersion, covers, ScopeEntry } from './scope.js';
import { test } from '../../test/support/testing.js';

/** entry | operation and its effects | covered? */
const TABLE = `
  effects read                       | recall read        | yes
  effects read                       | store write        | no
  effects read                       | copy read,write    | no
  effects read,write                 | copy read,write    | yes
  effects none                       | recall read        | no
  operations recall                  | recall read        | yes
  operations recall                  | recall read,write  | yes
  operations recall                  | store write        | no
  operations recall effects read     | recall read        | yes
  operations recall effects write    | recall read        | no
  operations store effects read      | recall read        | no
  operations none                    | recall read        | no
  nothing                            | recall read        | no
`;

for (const line of TABLE.trim().split('\n')) {
  const [left = '', right = '', covered = ''] = line.split('|').map((cell) => cell.trim());
  test(`an entry with ${left} ${covered === 'yes' ? 'covers' : 'does not cover'} ${right}`, () => {
    const entry: Record<string, unknown> = { capability: 'c' };
    for (const [, key = '', values = ''] of left.matchAll(/(effects|operations) (\S+)/g)) {
      entry[key] = values === 'none' ? [] : values.split(',');
    }
    const [operation = '', effects = ''] = right.split(' ');
    assert.equal(covers(ScopeEntry.parse(entry), operation, effects.split(',') as Effect[]), covered === 'yes');
  });
}

test('entries contradict one another by their versions alone', () => {
  const entry = (capability: string, version?: string) => ({ capability, ...(version && { version }) });
  assert.equal(contradictoryVersion([entry('a', '1'), entry('a'), entry('a', '1'), entry('b', '2')]), undefined);
  assert.equal(contradictoryVersion([entry('a', '1'), entry('b', '2'), entry('b', '3')]), 'b');
});

test('a misspelt limit does not vanish', () => {
  assert.equal(ScopeEntry.safeParse({ capability: 'c', maxcalls: 1 }).success, false);
  assert.equal(ScopeEntry.safeParse({ capability: 'c', maxCalls: -1 }).success, false);
  assert.equal(ScopeEntry.safeParse({ capability: 'c', maxCalls: 1.5 }).success, false);
});
