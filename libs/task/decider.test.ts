import assert from 'node:assert/strict';
import { at, digest, specified, uuid } from '../../test/support/given.js';
import { taskDecider, taskEventSchemas, taskStatus, type TaskEvent } from './decider.js';
import { test } from '../../test/support/testing.js';

const given = specified(taskDecider, taskEventSchemas);
const by = { actor: 'hank', time: at(0) };
const traceId = 'a'.repeat(32);
const data: Extract<TaskEvent, { type: 'TaskOpened' }>['data'] = {
  taskId: uuid(1),
  host: 'hank',
  agent: 'assistant',
  user: { id: 'ada', roles: ['staff'], attestedBy: 'hank' },
  scope: [{ capability: 'memory', effects: ['read'], maxCalls: 2 }],
  pins: [{ capability: 'memory', version: '1', definitionDigest: digest('d') }],
  unresolved: [],
  expiresAt: at(60),
  epoch: 0,
  commitments: { purpose: digest('p'), attributes: digest('a') },
  requestDigest: digest('request'),
};
const opened: TaskEvent = { type: 'TaskOpened', data, traceId, ...by };
const counted = (call: number, entry = 0): TaskEvent => ({
  type: 'CallCounted',
  data: { taskId: uuid(1), entry, callId: uuid(call) },
  traceId,
  ...by,
});
const closed = (reason?: string): TaskEvent => ({
  type: 'TaskClosed',
  data: { taskId: uuid(1), ...(reason === undefined ? {} : { commitments: { reason: digest(reason) } }) },
  traceId,
  ...by,
});
const open = { type: 'open', opened: data, traceId, ...by } as const;
const count = (call: number, entry = 0) => ({ type: 'count', entry, callId: uuid(call), ...by }) as const;

test('a task is opened once; the same request again is nothing new, another one is refused', () => {
  given().when(open).thenEvents(opened);
  given(opened, closed()).when(open).thenNothing();
  given(opened)
    .when({ ...open, opened: { ...data, requestDigest: digest('other') } })
    .thenRefused('already_exists');
});

test('a call is counted once for each entry', () => {
  given(opened).when(count(1)).thenEvents(counted(1));
  given(opened, counted(1)).when(count(1)).thenNothing();
  given(opened, counted(1)).when(count(2)).thenEvents(counted(2));
  given(opened, counted(1)).when(count(1, 1)).thenEvents(counted(1, 1));
  given().when(count(1)).thenRefused('not_found');
  assert.equal(given(opened, counted(1), counted(2)).state?.counted.get(0)?.size, 2);
});

test('a task is closed once; closing it again is nothing new', () => {
  given(opened)
    .when({ type: 'close', ...by })
    .thenEvents(closed());
  given(opened)
    .when({ type: 'close', commitments: { reason: digest('done') }, ...by })
    .thenEvents(closed('done'));
  given(opened, closed())
    .when({ type: 'close', commitments: { reason: digest('again') }, ...by })
    .thenNothing();
  given()
    .when({ type: 'close', ...by })
    .thenRefused('not_found');
});

test('a task is open until its end, and closed is closed', () => {
  const { state } = given(opened);
  assert.ok(state !== undefined);
  assert.deepEqual([taskStatus(state, at(59)), taskStatus(state, at(60))], ['open', 'expired']);
  const after = given(opened, closed()).state;
  assert.ok(after !== undefined);
  assert.deepEqual([taskStatus(after, at(1)), taskStatus(after, at(61))], ['closed', 'closed']);
});

test('a task is shredded once: an open one is closed first, and nothing happens in it afterwards', () => {
  const shred = (time = by.time) =>
    ({ type: 'shred', cause: 'task', reason: 'asked for', actor: 'hank', time }) as const;
  const shredded = (time = by.time): TaskEvent => ({
    type: 'TaskShredded',
    data: { taskId: uuid(1), cause: 'task', reason: 'asked for' },
    traceId,
    actor: 'hank',
    time,
  });
  given(opened).when(shred()).thenEvents(closed(), shredded());
  given(opened, closed()).when(shred()).thenEvents(shredded());
  given(opened)
    .when(shred(at(60)))
    .thenEvents(shredded(at(60)));
  given(opened, closed(), shredded()).when(shred()).thenNothing();
  given(opened, shredded())
    .when({ type: 'close', ...by })
    .thenNothing();
  given().when(shred()).thenRefused('not_found');
});
