import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { callsDecider } from '../calls/decider.js';
import type { AuthorizeRequest, ContextItem } from '../calls/requests.js';
import type { TaskState } from '../task/decider.js';
import { uuid } from '../../test/support/given.js';
import { test } from '../../test/support/testing.js';
import { requestPrints } from './content-jobs.js';
import { inputsOf, needsEarlier, needsPrints, textsOfItems, type FlowSettings } from './flow-inputs.js';
import { TaskLane } from './task-lane.js';

/** Labels of a request by its settings and by earlier content of its task. */

const DETECT: FlowSettings = { mode: 'detect', contextLevel: 'internal' };
const STRICT: FlowSettings = { mode: 'strict', contextLevel: 'internal' };
const TEXT = 'the quarterly numbers of the northern division fell by eleven percent';
const key = createSecretKey(Buffer.alloc(32));

const laneOf = (): TaskLane =>
  new TaskLane(
    { taskId: uuid(9), counted: new Map(), closed: false } as unknown as TaskState,
    1,
    callsDecider.initialState(),
    { purpose: '', attributes: {} },
    key,
    1n,
    1000,
  );

type Asked = Pick<AuthorizeRequest, 'arguments' | 'context' | 'labels'>;

function flowOf(lane: TaskLane, request: Asked, settings: FlowSettings) {
  const prints = needsPrints(lane, request, settings)
    ? requestPrints({ key, arguments: request.arguments, ...textsOfItems(request.context) })
    : undefined;
  return inputsOf(lane, request, settings, prints).flow;
}

const printsOf = (content: string) => requestPrints({ key, arguments: {}, context: [content], names: [] }).context[0];

const item = (id: string, more: Partial<ContextItem> = {}): ContextItem => ({ id, source: 's', content: 'x', ...more });

test('items that are derived from many others are labelled once each', () => {
  const ids = Array.from({ length: 256 }, (_, index) => `i${index}`);
  const context = ids.map((id, index) =>
    item(id, { level: index === 0 ? 'restricted' : 'public', derivedFrom: ids.slice(Math.max(0, index - 64), index) }),
  );
  const startedMs = performance.now();
  const flow = flowOf(laneOf(), { arguments: {}, context }, DETECT) ?? [];
  assert.ok(performance.now() - startedMs < 2000);
  assert.equal(flow.length, 255);
  assert.ok(flow.every(({ level, source }) => level === 'restricted' && source === 'derived'));
});

test('a stated level lifts the high-water mark, and never the label of repeated content', () => {
  const strict = laneOf();
  strict.flow.add({ source: 'a', label: { level: 'restricted', categories: [] } }, printsOf(TEXT));
  const full = laneOf();
  full.flow.add({ source: 'a', label: { level: 'restricted', categories: [] } }, printsOf(TEXT));
  full.flow.add({ source: 'b', label: { level: 'public', categories: [] } }, undefined);
  const labels = [{ path: '/a', level: 'public' as const }];
  for (const [lane, settings] of [
    [strict, STRICT],
    [full, DETECT],
  ] as const) {
    assert.equal(needsPrints(lane, { arguments: { a: TEXT }, labels }, settings), true);
    assert.deepEqual(flowOf(lane, { arguments: { a: TEXT, b: 'short' }, labels }, settings), [
      { path: '/arguments/1', level: 'restricted', categories: [], source: 'task' },
      { path: '/arguments/0', level: 'restricted', categories: [], source: 'a' },
    ]);
    assert.equal(flowOf(lane, { arguments: { a: 'short' }, labels }, settings), undefined);
    assert.deepEqual(
      flowOf(lane, { arguments: { a: TEXT } }, settings)?.map(({ source }) => source),
      ['task'],
      'an approval may let the high-water mark pass',
    );
  }
  strict.unread = [{ stream: 's', revision: 1, callId: 'c' }];
  assert.equal(needsEarlier(strict, { arguments: { a: TEXT }, labels }, STRICT), true);
});

test('a name that repeats earlier content has its label, at the place of its member', () => {
  const lane = laneOf();
  lane.flow.add({ source: 'a', label: { level: 'confidential', categories: [] } }, printsOf(TEXT));
  const flow = flowOf(lane, { arguments: { z: { [TEXT]: 1 } } }, DETECT);
  assert.deepEqual(flow, [{ path: '/arguments/0/0', level: 'confidential', categories: [], source: 'a' }]);
});

test('categories that flow are without secrets and personal data, and bounded', () => {
  const categories = ['AKIAIOSFODNN7EXAMPLQ', 'ada.lovelace@lovelace-analytics.org', 'financial'];
  const context = [item('a', { categories }), item('b', { derivedFrom: ['a'] })];
  const text = JSON.stringify(flowOf(laneOf(), { arguments: {}, context }, DETECT));
  assert.match(text, /financial/);
  for (const canary of categories.slice(0, 2)) assert.ok(!text.includes(canary), canary);
  const many = Array.from({ length: 10 }, (_, index) =>
    item(`m${index}`, { categories: Array.from({ length: 64 }, (__, at) => `c-${index}-${at}`) }),
  );
  const [label] =
    flowOf(
      laneOf(),
      { arguments: {}, context: [...many, item('n', { derivedFrom: many.map(({ id }) => id) })] },
      DETECT,
    ) ?? [];
  assert.equal(label?.categories.length, 65);
  assert.ok(label.categories.includes('several'));
});

test('an unknown origin has at least the label of every item that was offered', () => {
  const lane = laneOf();
  for (let id = 0; id < 5000; id += 1)
    lane.flow.offer(`old${id}`, { level: id === 4500 ? 'restricted' : 'public', categories: [] });
  const context = [item('s', { derivedFrom: ['old4500'] })];
  assert.equal(flowOf(lane, { arguments: {}, context }, DETECT)?.[0]?.level, 'restricted');
});
