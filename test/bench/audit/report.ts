import { median, percentile, shown, table } from '../figures.js';
import type { Machine } from '../machine.js';
import type { StoreReport } from '../store.js';
import { growthOf, type CrowdSide } from './crowd.js';
import type { Rebuild } from './rebuild.js';
import type { Replays } from './replays.js';
import type { Recovered } from './sampled.js';
import type { Walk } from './walks.js';

/** The report of the auditor's trial, in Markdown. */

export interface AuditSizes {
  readonly decisions: number;
  readonly events: number;
  readonly auditors: number;
  readonly turns: number;
  readonly replays: number;
  readonly seed: number;
}

export interface AuditReport {
  readonly at: string;
  readonly machine: Machine;
  readonly sizes: AuditSizes;
  readonly trial?: {
    readonly decisions: number;
    /** Without bookkeeping. */
    readonly events: number;
    readonly fillS: number;
    readonly recovered: readonly Recovered[] | undefined;
    readonly crowd: readonly [CrowdSide, CrowdSide] | undefined;
    readonly walks: readonly Walk[] | undefined;
    readonly replays: { readonly ways: readonly Replays[]; readonly differing: readonly string[] } | undefined;
  };
  readonly store?: {
    readonly events: number;
    readonly trace: StoreReport['trace'] | undefined;
    readonly rebuild: Rebuild | undefined;
  };
}

interface Bar {
  readonly bar: string;
  readonly limit: number;
  readonly measured: number | undefined;
  readonly unit: string;
}

/** Whether something is wrong, which no slowness explains. */
export function isFaulty(report: AuditReport): boolean {
  return barsOf(report).some(({ limit, measured = 0 }) => limit === 0 && measured > 0);
}

export function printed(report: AuditReport): string {
  const { at, machine, trial, store } = report;
  const { cpu, cores, memoryGiB, node, kernel, fileSystem, loadBefore } = machine;
  const parts = [
    `Measured ${at} on ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${kernel}, ${fileSystem}; load average before: ${shown(loadBefore)}.`,
    methodOf(report),
  ];
  if (trial?.recovered !== undefined) parts.push('### Calls drawn at random', recoveredTable(trial.recovered));
  if (trial?.crowd !== undefined) parts.push('### Decisions and stops with auditors', crowdTable(trial.crowd));
  if (trial?.walks !== undefined) parts.push('### Lists to their end while events arrive', walksTable(trial.walks));
  if (trial?.replays !== undefined) parts.push('### Every call decided again', replaysTable(trial.replays));
  if (store?.trace !== undefined) parts.push('### A trace of 50 events', traceTable(store.trace));
  if (store?.rebuild !== undefined) parts.push('### The index made again', rebuildTable(store.events, store.rebuild));
  parts.push('### Bars', barsTable(barsOf(report)));
  return `${parts.join('\n\n')}\n`;
}

function methodOf({ trial, store, sizes }: AuditReport): string {
  const lines: string[] = [];
  if (trial !== undefined)
    lines.push(
      `- ${trial.decisions.toLocaleString('en-US')} mixed decisions (${trial.events.toLocaleString('en-US')} events) through the front door in ${shown(trial.fillS)} s: ` +
        'decisions by gRPC streams in messages of 48, all else over HTTP. The service is the real process.',
    );
  if (trial?.crowd !== undefined)
    lines.push(
      `- ${sizes.auditors} auditors in a process of their own (nice 15) ask in a loop; 100 decisions a second by the clock and four stops a second; ${sizes.turns} turns of 5 s with and without them, in alternating order, after one that is not counted.`,
    );
  if (store !== undefined)
    lines.push(`- Traces and rebuild: ${store.events.toLocaleString('en-US')} events, copies of the service's own.`);
  return lines.join('\n');
}

const recoveredTable = (recovered: readonly Recovered[]): string =>
  table(
    ['call', 'API ms', 'command line ms', 'faults'],
    recovered.map(({ decision, reason, apiMs, cliMs, faults }) => [
      `${decision} ${reason}`,
      shown(apiMs),
      shown(cliMs),
      faults.length === 0 ? '0' : faults.join('; '),
    ]),
  );

const crowdTable = (sides: readonly [CrowdSide, CrowdSide]): string =>
  table(
    [
      'auditors',
      'decisions',
      'p50 ms',
      'p99 ms',
      'median p99 of a turn',
      'stops',
      'p50 ms',
      'p99 ms',
      'CPU ms/s',
      'deciding ms/s',
      'answers',
      'MiB',
      'failed',
    ],
    sides.map(({ auditors, authorizeMs, p99Ms, disableMs, cpuMsPerS, decidingMsPerS, answers, mib, failed }) => [
      String(auditors),
      String(authorizeMs.length),
      shown(median(authorizeMs)),
      shown(percentile(authorizeMs, 0.99)),
      shown(median(p99Ms)),
      String(disableMs.length),
      shown(median(disableMs)),
      shown(percentile(disableMs, 0.99)),
      shown(median(cpuMsPerS)),
      shown(median(decidingMsPerS)),
      String(answers),
      shown(mib),
      String(failed),
    ]),
  );

const walksTable = (walks: readonly Walk[]): string =>
  table(
    ['list', 'items', 'pages', 's', 'duplicates', 'missed', 'wrong'],
    walks.map(({ path, items, pages, ms, duplicates, missed, wrong }) => [
      path,
      String(items),
      String(pages),
      shown(ms / 1000),
      String(duplicates),
      String(missed),
      String(wrong),
    ]),
  );

function replaysTable({
  ways,
  differing,
}: {
  readonly ways: readonly Replays[];
  readonly differing: readonly string[];
}) {
  const rows = ways.map(({ way, traces, identical, others, ms }) => [
    way,
    String(traces),
    String(identical.size),
    String(others.length),
    shown(ms / 1000),
    shown((ms * 1000) / identical.size),
  ]);
  const wrong = [...ways.flatMap(({ others }) => others), ...differing].slice(0, 5);
  return [
    table(['replay', 'traces', 'identical', 'others', 's', 'µs a call'], rows),
    ...wrong.map((line) => `- ${line}`),
  ].join('\n');
}

const traceTable = (trace: StoreReport['trace']): string =>
  table(
    ['trace', 'queries', 'p50 ms', 'p99 ms', 'CPU ms'],
    [
      ['warm', String(trace.warmQueries), shown(trace.warmP50Ms), shown(trace.warmP99Ms), shown(trace.warmCpuMs)],
      ['cold', String(trace.coldQueries), shown(trace.coldP50Ms), shown(trace.coldP99Ms), ''],
    ],
  );

const rebuildTable = (events: number, rebuild: Rebuild): string =>
  table(
    ['what', 'figure'],
    [
      ['events', events.toLocaleString('en-US')],
      ['start until ready, with the index', shown(rebuild.usualReadyMs, 'ms')],
      ['start until ready, without it', shown(rebuild.readyMs, 'ms')],
      ['from then until all answers are whole', shown(rebuild.rebuiltMs / 1000, 's')],
      ['whole answers, 503, wrong answers meanwhile', `${rebuild.whole}, ${rebuild.refused}, ${rebuild.wrong.length}`],
      ['decisions meanwhile: number, p99', `${rebuild.decisions}, ${shown(rebuild.authorizeP99Ms, 'ms')}`],
      ...rebuild.wrong.slice(0, 3).map((line) => [line, '']),
    ],
  );

function barsOf({ trial, store }: AuditReport): Bar[] {
  const bars: Bar[] = [];
  const add = (bar: string, limit: number, measured: number | undefined, unit: string): void =>
    void bars.push({ bar, limit, measured, unit });
  const { recovered, crowd, walks, replays } = trial ?? {};
  if (recovered !== undefined) {
    add('the slowest call by the API', 1000, Math.max(...recovered.map(({ apiMs }) => apiMs)), 'ms');
    add('the slowest call by the command line', 1000, Math.max(...recovered.map(({ cliMs }) => cliMs)), 'ms');
    add('faults in recovered calls', 0, recovered.flatMap(({ faults }) => faults).length, '');
  }
  if (crowd !== undefined) {
    add('p99 of decisions with auditors, times that without them', 1.5, growthOf(crowd), '×');
    add('p99 of stops with auditors', 50, percentile(crowd[1].disableMs, 0.99), 'ms');
  }
  for (const name of ['duplicates', 'missed', 'wrong'] as const)
    if (walks !== undefined)
      add(
        `lists: ${name}`,
        0,
        walks.reduce((sum, walk) => sum + walk[name], 0),
        '',
      );
  if (replays !== undefined) {
    add('calls that do not replay the same', 0, replays.ways.flatMap(({ others }) => others).length, '');
    add('calls that replay differently in two ways', 0, replays.differing.length, '');
  }
  if (store?.trace !== undefined) {
    add('trace of 50 events, warm p99', 5, store.trace.warmP99Ms, 'ms');
    add('trace of 50 events, cold p99', 20, store.trace.coldP99Ms, 'ms');
  }
  if (store?.rebuild !== undefined) {
    const { readyMs, usualReadyMs, wrong } = store.rebuild;
    add('start without the index, times one with it', 1.5, readyMs / usualReadyMs, '×');
    add('wrong answers during the rebuild', 0, wrong.length, '');
  }
  return bars;
}

const barsTable = (bars: readonly Bar[]): string =>
  table(
    ['bar', 'limit', 'measured', 'verdict'],
    bars.map(({ bar, limit, measured, unit }) => [
      bar,
      `≤ ${limit} ${unit}`.trim(),
      shown(measured, unit),
      measured === undefined ? '–' : measured <= limit ? 'met' : 'not met',
    ]),
  );
