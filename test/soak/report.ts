import { shown, table } from '../bench/figures.js';
import type { Machine } from '../bench/machine.js';
import type { Counts, Sample, Verdict } from './judge.js';

export interface SoakReport {
  readonly at: string;
  readonly machine: Machine;
  readonly durationS: number;
  /** Steps of the mix a second that were measured first; undefined where the rate was given. */
  readonly capacity: number | undefined;
  /** Steps a second that the service was then asked. */
  readonly rate: number;
  readonly samples: readonly Sample[];
  readonly counts: Counts;
  /** The first wrong answers, in words. */
  readonly wrong: readonly string[];
  readonly verdicts: readonly Verdict[];
}

/** The report as it is printed, which is Markdown. */
export function printed({ at, machine, durationS, capacity, rate, samples, wrong, verdicts }: SoakReport): string {
  const { cpu, cores, memoryGiB, node, kernel, fileSystem, loadBefore } = machine;
  const head = [
    'at s',
    'req/s',
    'p50 ms',
    'p99 ms',
    'lag p99 ms',
    'CPU µs/req',
    'yardstick µs',
    'heap MiB',
    'RSS MiB',
    'WAL MiB',
    'files MiB',
    'handles',
  ];
  const rows = samples.map((each) => [
    each.atS.toFixed(0),
    ...[each.perS, each.p50Ms, each.p99Ms, each.lagP99Ms, each.cpuUs, each.yardstickUs, each.heapMiB, each.rssMiB].map(
      (value) => shown(value),
    ),
    shown(each.walMiB),
    shown(each.filesMiB),
    String(each.handles),
  ]);
  return `${[
    `Measured ${at} on ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${kernel}, ${fileSystem}; load average before: ${shown(loadBefore)}.`,
    [
      `- ${shown(durationS)} s of decisions (three in four allowed), responses, outcomes, tasks, traces, replays, queries; beside it a registration with its review, or a disable, a refused call and the lifting, each second.`,
      `- ${shown(rate)} steps a second by the clock, ${capacity === undefined ? 'as asked for' : `70 % of the ${shown(capacity)} that 32 clients reached before`}; latency counts from when a step was due. The load comes from one process of Node on the same machine, which takes of the same cores.`,
      '- Yardstick: what the process that asks takes for a fixed piece of work; it tells how fast the machine was.',
      '- Heap: after a collection, which the inspector asks for at the end of each interval.',
    ].join('\n'),
    table(head, rows),
    ...wrong.map((line) => `Wrong: ${line}`),
    verdicts
      .map(({ name, held, seen, rule }) => `- ${held ? 'holds' : '**does not hold**'}: ${name}: ${seen} (${rule})`)
      .join('\n'),
  ].join('\n\n')}\n`;
}
