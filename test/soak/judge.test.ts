import assert from 'node:assert/strict';
import { chanceOf } from '../support/chance.js';
import { judge, slopePerS, type Counts, type Sample } from './judge.js';
import { test } from '../support/testing.js';

/** Thirty intervals as they are when nothing is wrong: noise of some percent, and a start that is slower. */
function quiet(change: (sample: Sample, index: number) => Partial<Sample> = () => ({})): Sample[] {
  const { next } = chanceOf(7);
  const about = (value: number) => value * (0.95 + next() / 10);
  return Array.from({ length: 30 }, (_, index) => {
    const filesMiB = index * 4;
    const sample: Sample = {
      atS: (index + 1) * 10,
      perS: about(700),
      p50Ms: about(index < 3 ? 9 : 3),
      p99Ms: about(index < 3 ? 60 : 14),
      rssMiB: about(240) - (index < 4 ? 60 : 0) + Math.min(filesMiB, 128),
      heapMiB: about(60) - (index < 4 ? 20 : 0),
      walMiB: 4.1,
      filesMiB,
      handles: 40 + (index % 3),
      lagP99Ms: about(11),
      cpuUs: about(600),
      yardstickUs: about(1000),
    };
    return { ...sample, ...change(sample, index) };
  });
}

const COUNTS: Counts = { allows: 100_000, lostAllows: 0, wrong: 0, refused: 3, requests: 150_000 };

const broken = (samples: Sample[], counts: Counts = COUNTS): string[] =>
  judge(samples, counts)
    .filter(({ held }) => !held)
    .map(({ name }) => name);

test('a run on which nothing grows holds', () => {
  assert.deepEqual(broken(quiet()), []);
});

test('a planted leak is found, in what it leaks', () => {
  const leaks: [string, (sample: Sample, index: number) => Partial<Sample>][] = [
    ['heap after collection', ({ heapMiB }, index) => ({ heapMiB: heapMiB + index })],
    ['resident memory beside page caches', ({ rssMiB }, index) => ({ rssMiB: rssMiB + index * 9 })],
    ['write-ahead log', (_, index) => ({ walMiB: 4 + index })],
    ['handles', ({ handles }, index) => ({ handles: handles + index * 2 })],
    [
      'processor time of a request, as a part of the yardstick',
      ({ cpuUs }, index) => ({ cpuUs: cpuUs * (1 + index / 30) }),
    ],
    ['p50 of decisions', ({ p50Ms }, index) => ({ p50Ms: p50Ms + index / 3 })],
    ['p99 of decisions', ({ p99Ms }, index) => ({ p99Ms: p99Ms * (1 + index / 15) })],
  ];
  for (const [name, leak] of leaks) assert.deepEqual(broken(quiet(leak)), [name]);
});

test('a leak that begins late is found by its slope', () => {
  const late = quiet(({ heapMiB }, index) => ({ heapMiB: heapMiB + Math.max(0, index - 20) * 2 }));
  assert.deepEqual(broken(late), ['heap after collection']);
});

test('one bad interval is no drift', () => {
  assert.deepEqual(broken(quiet((_, index) => (index === 25 ? { p99Ms: 900, walMiB: 40, heapMiB: 300 } : {}))), []);
});

test('a machine that gets slower makes no request dearer', () => {
  const slower = ({ cpuUs, yardstickUs }: Sample, index: number) => ({
    cpuUs: cpuUs * (1 + index / 30),
    yardstickUs: yardstickUs * (1 + index / 30),
  });
  assert.deepEqual(broken(quiet(slower)), []);
});

test('what was not measured does not hold, nor a run that is too short', () => {
  assert.deepEqual(broken(quiet(() => ({ heapMiB: Number.NaN }))), ['heap after collection']);
  assert.equal(broken(quiet().slice(0, 2)).length, 7);
});

test('a lost allow, a wrong answer and refusals are found', () => {
  const names = ['allows without their record', 'wrong answers', 'refused for overload'];
  assert.deepEqual(broken(quiet(), { ...COUNTS, lostAllows: 1, wrong: 1, refused: 151 }), names);
  assert.deepEqual(broken(quiet(), { ...COUNTS, allows: 0 }), names.slice(0, 1));
});

test('a slope is that of most of the points', () => {
  assert.equal(slopePerS([0, 1, 2, 3, 4], [0, 2, 4, 600, 8]), 2);
  assert.equal(slopePerS([1], [5]), 0);
});
