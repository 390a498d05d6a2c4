import { median } from '../bench/figures.js';

/** The measurements of one interval of the run. */
export interface Sample {
  /** From the start of the run. */
  readonly atS: number;
  readonly perS: number;
  /** Of decisions, from the moment at which they were due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMiB: number;
  /** In use after a collection. */
  readonly heapMiB: number;
  readonly walMiB: number;
  /** All files of the service together, its write-ahead logs left out. */
  readonly filesMiB: number;
  /** Open files without the connections of the load. */
  readonly handles: number;
  readonly lagP99Ms: number;
  /** Processor time of the service for one request, in microseconds. */
  readonly cpuUs: number;
  /** The time of the yardstick, in microseconds: the speed of the machine. */
  readonly yardstickUs: number;
}

export interface Counts {
  readonly allows: number;
  readonly lostAllows: number;
  /** Answers that were not what they had to be. */
  readonly wrong: number;
  /** Requests that got 429 or 503. */
  readonly refused: number;
  readonly requests: number;
}

export interface Verdict {
  readonly name: string;
  readonly held: boolean;
  readonly seen: string;
  /** How it is judged, in words. */
  readonly rule: string;
}

/** Of the run that is left out: caches fill, code is compiled. */
const WARM_UP = 0.2;
const MAX_REFUSED = 0.001;
/** The two connections to the log keep this much of its file at most: until then memory grows with it. */
const PAGE_CACHES_MIB = 128;

/** How much a value may rise, from the median of the first third to that of the last: by a share, or by `slack`. */
interface Flat {
  readonly name: string;
  readonly of: (sample: Sample) => number;
  readonly share: number;
  readonly slack: number;
  readonly unit: string;
}

const FLAT: readonly Flat[] = [
  { name: 'heap after collection', of: ({ heapMiB }) => heapMiB, share: 0.1, slack: 8, unit: 'MiB' },
  {
    name: 'resident memory beside page caches',
    of: ({ rssMiB, filesMiB }) => rssMiB - Math.min(filesMiB, PAGE_CACHES_MIB),
    share: 0.15,
    slack: 32,
    unit: 'MiB',
  },
  { name: 'write-ahead log', of: ({ walMiB }) => walMiB, share: 0.25, slack: 4, unit: 'MiB' },
  { name: 'handles', of: ({ handles }) => handles, share: 0, slack: 16, unit: '' },
  {
    name: 'processor time of a request, as a part of the yardstick',
    of: ({ cpuUs, yardstickUs }) => (100 * cpuUs) / yardstickUs,
    share: 0.2,
    slack: 0,
    unit: '%',
  },
  { name: 'p50 of decisions', of: ({ p50Ms }) => p50Ms, share: 0.3, slack: 2, unit: 'ms' },
  { name: 'p99 of decisions', of: ({ p99Ms }) => p99Ms, share: 0.5, slack: 10, unit: 'ms' },
];

/** Judges that the steady values are steady, and that nothing was lost. */
export function judge(samples: readonly Sample[], counts: Counts): Verdict[] {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  return [...FLAT.map((flat) => judgeFlat(warm, flat)), ...judgeCounts(counts)];
}

function judgeFlat(samples: readonly Sample[], { name, of, share, slack, unit }: Flat): Verdict {
  const third = Math.floor(samples.length / 3);
  const first = median(samples.slice(0, third).map(of));
  const last = median(samples.slice(-third).map(of));
  const allowed = Math.max(first * share, slack);
  const half = samples.slice(Math.floor(samples.length / 2));
  const rise =
    slopePerS(
      half.map(({ atS }) => atS),
      half.map(of),
    ) * spanS(samples);
  return {
    name,
    // A comparison with what was not measured holds nothing.
    held: third > 0 && last - first <= allowed && rise <= 2 * allowed,
    seen: `${shown(first)} to ${shown(last)} ${unit}; at the slope of the second half ${rise < 0 ? '' : '+'}${shown(rise)} ${unit} in a run`,
    rule: `median of the last third at most ${shown(allowed)} ${unit} above that of the first, and the slope of the second half at most twice that in a run`,
  };
}

function judgeCounts({ allows, lostAllows, wrong, refused, requests }: Counts): Verdict[] {
  return [
    {
      name: 'allows without their record',
      held: allows > 0 && lostAllows === 0,
      seen: `${lostAllows} of ${allows}`,
      rule: 'every allow that was answered is in the log, and there are some',
    },
    { name: 'wrong answers', held: wrong === 0, seen: `${wrong} of ${requests}`, rule: 'none' },
    {
      name: 'refused for overload',
      held: refused <= requests * MAX_REFUSED,
      seen: `${refused} of ${requests}`,
      rule: `at most ${MAX_REFUSED * 100} %: it is asked less than it can do`,
    },
  ];
}

/** The median of the slopes between all pairs (Theil and Sen): a few outliers do not turn it. 0 where there are none. */
export function slopePerS(atS: readonly number[], values: readonly number[]): number {
  const slopes = atS.flatMap((from, one) =>
    atS.slice(one + 1).map((to, more) => ((values[one + 1 + more] ?? 0) - (values[one] ?? 0)) / (to - from)),
  );
  return slopes.length === 0 ? 0 : median(slopes);
}

const spanS = (samples: readonly Sample[]): number => (samples.at(-1)?.atS ?? 0) - (samples[0]?.atS ?? 0);

const shown = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));
