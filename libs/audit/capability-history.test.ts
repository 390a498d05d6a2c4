import assert from 'node:assert/strict';
import type { Target } from '../directive/target.js';
import { forged, makeWorld, traceOf, historyOf, withEvents } from '../../test/support/audit-world.js';
import { test } from '../../test/support/testing.js';

test('the history of a call has every directive that could stop it, and no other', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const other = await world.open();
  const stops: Target[] = [
    { type: 'all' },
    { type: 'capability', capability: 'notes' },
    { type: 'version', capability: 'notes', version: '1.0.0' },
    { type: 'version', capability: 'notes', version: '9.9.9' },
    { type: 'operation', capability: 'notes', operation: 'write' },
    { type: 'source', source: 'npm:notes' },
    { type: 'category', category: 'storage' },
    { type: 'effect', effect: 'write' },
    { type: 'publisher', publisher: 'acme' },
    { type: 'host', host: 'host-1' },
    { type: 'task', taskId },
  ];
  const spares: Target[] = [
    { type: 'capability', capability: 'files' },
    { type: 'version', capability: 'files', version: '1.0.0' },
    { type: 'operation', capability: 'files', operation: 'read' },
    { type: 'source', source: 'npm:files' },
    { type: 'category', category: 'mail' },
    { type: 'effect', effect: 'deploy' },
    { type: 'publisher', publisher: 'other' },
    { type: 'host', host: 'host-2' },
    { type: 'task', taskId: other.taskId },
  ];
  const issued: string[] = [];
  for (const target of stops) issued.push(await world.issue(target));
  for (const target of spares) await world.issue(target);
  const [lifted = ''] = issued;
  await world.lift(lifted);
  await world.authorize(taskId);
  await world.caughtUp();
  const trace = await traceOf(world, traceId);
  const told = historyOf(trace, trace?.calls[0]).filter(({ stream }) => stream === 'directives');
  assert.deepEqual(
    told.map(({ type, data }) => [type, (data as { id: string }).id]),
    [...issued.map((id) => ['DirectiveIssued', id]), ['DirectiveLifted', lifted]],
  );
});

test('an event with a member that its schema does not have names its subjects, because it is folded', async (t) => {
  const world = await makeWorld(t);
  const { taskId, traceId } = await world.open();
  const stops: Target[] = [
    { type: 'category', category: 'storage' },
    { type: 'publisher', publisher: 'acme' },
    { type: 'source', source: 'npm:notes' },
  ];
  for (const target of stops) await world.issue(target);
  await world.authorize(taskId);
  await world.caughtUp();
  const log = withEvents(world.log, (event) =>
    event.stream === 'capability-notes' ? forged(event, (data) => ({ ...data, later: true })) : event,
  );
  const trace = await traceOf(world, traceId, log);
  const directives = historyOf(trace, trace?.calls[0]).filter(({ stream }) => stream === 'directives');
  assert.deepEqual(
    directives.map(({ data }) => (data as { target: Target }).target),
    stops,
  );
});
