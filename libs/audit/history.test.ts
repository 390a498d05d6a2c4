import assert from 'node:assert/strict';
import type { CapabilityState } from '../capability/state.js';
import { History } from './history.js';
import { Damage } from './soundness.js';
import { damaged, makeWorld, withEvents } from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';

test('gives the state of any revision, forwards and back', async (t) => {
  const world = await makeWorld(t);
  await world.suspend('notes');
  const history = new History(world.log);
  const statusAt = async (revision: number) => {
    const { state } = await history.at<CapabilityState | undefined>('capability-notes', revision);
    return state?.versions.get('1.0.0')?.status;
  };
  const asked = [2, 3, 4, 3, 1, 0, 4, 2];
  const statuses = [];
  for (const revision of asked) statuses.push(await statusAt(revision));
  assert.deepEqual(statuses, [
    'pending',
    'approved',
    'suspended',
    'approved',
    undefined,
    undefined,
    'suspended',
    'pending',
  ]);
  await assert.rejects(statusAt(5), Damage);
});

test('what came before a damaged event can be used, and nothing from it on', async (t) => {
  const world = await makeWorld(t);
  await world.suspend('notes');
  const log = withEvents(world.log, (event) =>
    event.type === 'VersionReviewed' ? damaged(event, '"read it"', '"read is"') : event,
  );
  const history = new History(log);
  const { state } = await history.at<CapabilityState | undefined>('capability-notes', 2);
  assert.equal(state?.versions.get('1.0.0')?.status, 'pending');
  await assert.rejects(history.at('capability-notes', 3), Damage);
  await assert.rejects(history.at('capability-notes', 4), Damage);
  await assert.rejects(history.at('relay-1', 0), Damage);
});

test('a view that is asked for again is of its revisions, whatever else was asked for in between', async (t) => {
  const world = await makeWorld(t);
  await world.suspend('notes');
  const history = new History(world.log);
  const statusIn = async (revision: number) => {
    const view = await history.view({ 'capability-notes': revision });
    return view.capability('notes').state?.versions.get('1.0.0')?.status;
  };
  assert.deepEqual([await statusIn(3), await statusIn(3), await statusIn(4)], ['approved', 'approved', 'suspended']);
  assert.equal(await statusIn(3), 'approved');
  await history.at('capability-notes', 4);
  assert.equal(await statusIn(3), 'approved');
});
