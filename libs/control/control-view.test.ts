import assert from 'node:assert/strict';
import { makeWorld, newer, withEvents } from '../../test/support/audit-world.js';
import { UnreadableEvent } from '../streams/unreadable.js';
import { ControlView } from './control-view.js';
import { test } from '../../test/support/testing.js';

test('a view in which nearly all capabilities rest shows what one shows in which all are awake', async (t) => {
  const world = await makeWorld(t);
  const ids = ['zebra', 'ant', 'cat-2', 'cat', 'bee'];
  for (const id of ids) await world.register(id);
  const views = [new ControlView(world.log, 1), new ControlView(world.log)];
  for (const view of views) {
    await view.start();
    t.after(() => view.stop());
  }
  // What comes later is folded onto what rests.
  await world.register('later');
  for (const view of views) assert.ok(await view.waitFor(await world.log.end(), 2000));
  const all = ['ant', 'bee', 'cat', 'cat-2', 'later', 'notes', 'zebra'];
  const [resting, awake] = views;
  assert.ok(resting && awake);
  for (const id of [...all, ...all, 'nobody']) assert.deepEqual(resting.capability(id), awake.capability(id));
  const listed = async (view: ControlView, from?: string) => {
    const found = [];
    for await (const state of view.capabilitiesFrom(from)) found.push(state);
    return found;
  };
  const found = await listed(resting);
  assert.deepEqual(
    found.map(({ id }) => id),
    all,
  );
  assert.deepEqual(found, await listed(awake));
  assert.deepEqual(
    (await listed(resting, 'cat-2')).map(({ id }) => id),
    all.slice(3),
  );
});

test('a log that a newer version wrote is not loaded: a stop in it must not be passed over', async (t) => {
  const world = await makeWorld(t);
  await world.issue({ type: 'all' });
  const log = withEvents(world.log, (event) => (event.type === 'DirectiveIssued' ? newer(event) : event));
  const isNewer = (error: unknown) =>
    error instanceof UnreadableEvent &&
    error.message === 'DirectiveIssued version 3 at directives@1 was written by a newer version of Sallyport';
  await assert.rejects(new ControlView(log).start(), isNewer);
});
