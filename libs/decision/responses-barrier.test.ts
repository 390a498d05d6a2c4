import assert from 'node:assert/strict';
import type { CallsState } from '../calls/decider.js';
import type { Snapshot, TaskCalls } from './snapshot.js';
import type { ContentLabel, Envelope, Finding } from '../content/shapes.js';
import { test } from '../../test/support/testing.js';

/**
 * Nothing that a response says can reach a decision, but its label and the taint: the compiler shows it. A decision gets
 * a snapshot, and of the task's responses the snapshot has `TaskCalls` alone.
 */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;
type Holds<Value, Wanted> = Value extends Wanted ? true : never;
type Members = Snapshot[keyof Snapshot] | TaskCalls[keyof TaskCalls];

/** The only members of `TaskCalls` that are no question about an approval. */
type Facts = {
  [Name in keyof TaskCalls]-?: TaskCalls[Name] extends (...asked: never[]) => unknown ? never : Name;
}[keyof TaskCalls];

const noFinding: Same<Holds<Members, Finding | readonly Finding[]>, never> = true;
const noEnvelope: Same<Holds<Members, Envelope>, never> = true;
const onlyTaint: Same<Facts, 'taintedAt'> = true;
/** A taint is a time, and a label holds levels and names of kinds: neither holds a text of the server. */
const taintIsTime: Same<Exclude<TaskCalls['taintedAt'], undefined>, Exclude<CallsState['taintedAt'], undefined>> = true;
const labelMembers: Same<keyof ContentLabel, 'level' | 'categories'> = true;

test('by type, a decision sees no finding and no content of a response', () => {
  assert.ok(noFinding && noEnvelope && onlyTaint && taintIsTime && labelMembers);
});
