import assert from 'node:assert/strict';
import { judge } from './bars.js';
import { median, percentile, ratio, shown, table } from './figures.js';
import { summarised } from './profile.js';
import { QUESTIONS } from './questions.js';
import { figuresOf } from './wrk.js';
import { test } from '../support/testing.js';

test('a median is the middle value whatever the order, and of two the mean', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 100]), 3);
  assert.ok(Number.isNaN(median([])));
});

test('a percentile is a value that was measured, by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile([7], 0.99), 7);
  assert.equal(percentile([3, 1], 0), 1);
});

test('there is no ratio to what was not measured, nor to zero', () => {
  assert.equal(ratio(30, 20), 1.5);
  assert.equal(ratio(30, undefined), undefined);
  assert.equal(ratio(undefined, 20), undefined);
  assert.equal(ratio(30, 0), undefined);
});

test('what is missing is shown as missing', () => {
  assert.equal(shown(undefined), '–');
  assert.equal(shown(12_345.6, '/s'), '12,346 /s');
  assert.equal(shown(1.234), '1.23');
});

test('a table lines up its columns', () => {
  assert.equal(
    table(['who', 'n'], [['ours', '1,000']]),
    ['| who  |     n |', '| ---- | ----: |', '| ours | 1,000 |'].join('\n'),
  );
});

test('a bar is met, not met or not measured', () => {
  const bar = { name: 'b', unit: 'ms', limit: 15, best: 'low' } as const;
  assert.equal(judge(bar, 15).verdict, 'met');
  assert.equal(judge(bar, 15.1).verdict, 'not met');
  assert.equal(judge({ ...bar, best: 'high' }, 14).verdict, 'not met');
  assert.equal(judge(bar, undefined).verdict, 'not measured');
});

test('the figures of a run are read from its output, and a run without any is an error', () => {
  const line = 'FIGURES {"requests":10,"durationS":2,"p50Ms":1,"p99Ms":2,"maxMs":3,"notOk":0,"failed":0}';
  assert.equal(figuresOf(`Running 2s test\n${line}\n`).requests, 10);
  assert.throws(() => figuresOf('unable to connect'), /unable to connect/);
});

test('the questions are a mix of allows and denies', () => {
  const allows = QUESTIONS.filter(({ allowed }) => allowed).length;
  assert.ok(allows > QUESTIONS.length / 2 && allows < QUESTIONS.length, `${allows} of ${QUESTIONS.length}`);
});

test('a profile counts the last seconds alone, without the idle ones', () => {
  const node = (id: number, functionName: string, url: string) => ({ id, callFrame: { functionName, url } });
  const ours = 'file:///x/dist/libs/decision/decide.js';
  const nodes = [
    node(1, '(idle)', ''),
    node(2, 'start', 'node:net'),
    node(3, 'decide', ours),
    node(4, 'hash', 'node:crypto'),
  ];
  const profile = { nodes, samples: [2, 1, 3, 3, 4], timeDeltas: [9e6, 1e6, 5e5, 1e6, 5e5] };
  const { busy, places } = summarised(profile, 3);
  assert.equal(busy, 2 / 3);
  assert.deepEqual(places, [
    { place: 'libs/decision/decide', share: 0.75 },
    { place: 'node:crypto', share: 0.25 },
  ]);
});
