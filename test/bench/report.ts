import type { Judged, Measured } from './bars.js';
import type { DecideResult } from './decide.js';
import type { DirectivesResult } from './directives.js';
import { ratio, shown, table } from './figures.js';
import { HTTP_WAY, type GrpcResult } from './grpc.js';
import type { HttpReport, HttpResult } from './http.js';
import type { Machine } from './machine.js';
import type { Profile } from './profile.js';
import type { StoreReport } from './store.js';

/** The report as it is printed, which is Markdown. */

export interface Report extends Measured {
  readonly at: string;
  readonly machine: Machine;
  /** How it was measured. */
  readonly method: readonly string[];
  readonly profile: Profile | undefined;
  readonly bars: readonly Judged[];
  /** Parts that were left out, and why. */
  readonly leftOut: Readonly<Record<string, string>>;
}

export function printed(report: Report): string {
  const { machine, method, http, grpc, decide, directives, store, profile } = report;
  const { cpu, cores, memoryGiB, node, kernel, fileSystem, loadBefore } = machine;
  const parts = [
    `Measured ${report.at} on ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${kernel}, ${fileSystem}; load average before: ${shown(loadBefore)}.`,
    method.map((line) => `- ${line}`).join('\n'),
  ];
  if (http !== undefined) parts.push('### Authorize over HTTP', httpTable(http), httpNotes(http));
  if (grpc !== undefined) parts.push('### Authorize over gRPC, one connection', grpcTable(grpc));
  if (decide !== undefined) parts.push('### Pure `decide`: median (p99) in µs', decideTable(decide));
  if (directives !== undefined) parts.push('### Active directives: medians in µs', directivesTable(directives));
  if (store !== undefined) parts.push('### A store that has grown', storeTable(store));
  if (profile !== undefined) parts.push('### Where the time goes, 32 connections', profileText(profile));
  parts.push('### Bars', barsTable(report.bars));
  for (const [part, why] of Object.entries(report.leftOut)) parts.push(`Left out: ${part}: ${why}`);
  return `${parts.join('\n\n')}\n`;
}

function httpTable({ results, missing }: HttpReport): string {
  const head = ['server', 'connections', 'req/s', 'we are', 'p50 ms', 'p99 ms', 'CPU µs/req', 'not 200', 'failed'];
  const rows = results.map((result) => {
    const { name, connections, perS, p50Ms, p99Ms, cpuUs, notOk, failed } = result;
    const times = ratio(oursAt(results, connections)?.perS, perS);
    return [
      name,
      String(connections),
      shown(perS),
      times === undefined || name === 'sallyport' ? '' : `${shown(times)}×`,
      shown(p50Ms),
      shown(p99Ms),
      shown(cpuUs),
      String(notOk),
      String(failed),
    ];
  });
  return table(head, [...rows, ...Object.keys(missing).map((name) => [name, 'missing'])]);
}

const oursAt = (results: readonly HttpResult[], connections: number): HttpResult | undefined =>
  results.find((result) => result.name === 'sallyport' && result.connections === connections);

function httpNotes({ notes, missing, wrong, allows, eventBytes }: HttpReport): string {
  return [
    ...Object.entries(notes).map(([name, note]) => `- ${name}: ${note}.`),
    ...Object.entries(missing).map(([name, why]) => `- ${name}: missing: ${why}`),
    `- CallDecided: median ${shown(eventBytes.median)} bytes, 95th percentile ${shown(eventBytes.p95)}, of the newest ` +
      `${count(eventBytes.events)}.`,
    `- Allows answered in a second of load: ${count(allows.answered)}; not in the log: ${allows.notRecorded}.`,
    `- Wrong answers before, after and under load: ${wrong.length}.`,
    ...wrong.slice(0, 5).map((line) => `  - ${line}`),
  ].join('\n');
}

function grpcTable(results: readonly GrpcResult[]): string {
  const http = results.find(({ way }) => way === HTTP_WAY)?.perS;
  const rows = results.map(({ way, perS, p50Ms, p99Ms, cpuUs, wrong }) => {
    const times = way === HTTP_WAY ? '' : `${shown(ratio(perS, http))}×`;
    return [way, shown(perS), times, shown(p50Ms), shown(p99Ms), shown(cpuUs), String(wrong)];
  });
  const head = ['way', 'decisions/s', 'of HTTP', 'message p50 ms', 'message p99 ms', 'CPU µs/decision', 'wrong'];
  return table(head, rows);
}

function profileText({ busy, threads, places }: Profile): string {
  const used = threads.filter(({ cpuUs }) => cpuUs >= 1).map(({ thread, cpuUs }) => `${thread} ${shown(cpuUs, 'µs')}`);
  const shares = places.map(({ place, share }) => `${place} ${(share * 100).toFixed(1)} %`);
  return [
    `- Processor time a request, by threads: ${used.join(', ')}.`,
    `- The main thread was busy ${Math.round(busy * 100)} % of the time: ${shares.join(', ')}.`,
  ].join('\n');
}

function decideTable(results: readonly DecideResult[]): string {
  const sizes = [...new Set(results.map(({ policies }) => policies))];
  const head = [
    'Cedar is asked',
    'capabilities',
    ...sizes.map((policies) => `${count(policies)} ${policies === 1 ? 'policy' : 'policies'}`),
  ];
  const words = { hit: 'the like again', miss: 'something new', arguments: 'about arguments' } as const;
  const rows = [...new Set(results.map(({ asking, capabilities }) => `${asking} ${capabilities}`))].map((key) => {
    const own = results.filter(({ asking, capabilities }) => `${asking} ${capabilities}` === key);
    const [first] = own;
    if (first === undefined) return [];
    const cells = own.map(({ medianUs, p99Us }) => `${shown(medianUs)} (${shown(p99Us)})`);
    return [words[first.asking], count(first.capabilities), ...cells];
  });
  return table(head, rows);
}

function directivesTable(results: readonly DirectivesResult[]): string {
  const rows = results.map(({ active, ...us }) => [
    count(active),
    us.checkUs.toFixed(2),
    ...[us.heartbeatUs, us.snapshotUs, us.firstSnapshotUs, us.stateRootUs, us.issueUs].map((each) => shown(each)),
  ]);
  const head = [
    'active',
    'not_disabled',
    'heartbeat',
    'snapshot',
    'first of an epoch',
    'stateRoot',
    'deciding one more',
  ];
  return table(head, rows);
}

function storeTable({ events, controlEvents, storeMiB, restartMs, coldRestartMs, trace, memory }: StoreReport): string {
  const of = `among ${count(events)} events`;
  return table(
    ['what', 'figure'],
    [
      [`events (of them control), store`, `${count(events)} (${count(controlEvents)}), ${shown(storeMiB, 'MiB')}`],
      ['restart until ready, page cache warm', shown(restartMs, 'ms')],
      ['restart until ready, page cache dropped', shown(coldRestartMs, 'ms')],
      [
        `trace of ${trace.events} events ${of}, warm p50 / p99`,
        pair(trace.warmP50Ms, trace.warmP99Ms, trace.warmQueries),
      ],
      [`the same, warm: processor time of a query`, shown(trace.warmCpuMs, 'ms')],
      [
        `trace of ${trace.events} events ${of}, cold p50 / p99`,
        pair(trace.coldP50Ms, trace.coldP99Ms, trace.coldQueries),
      ],
      [`resident memory with ${count(memory.capabilities)} capabilities`, shown(memory.residentMiB, 'MiB')],
      ['resident memory with one', shown(memory.emptyMiB, 'MiB')],
    ],
  );
}

const count = (value: number): string => value.toLocaleString('en-US');

const pair = (p50: number | undefined, p99: number | undefined, queries: number): string =>
  `${shown(p50)} / ${shown(p99, 'ms')} (n ${queries})`;

function barsTable(bars: readonly Judged[]): string {
  const rows = bars.map(({ name, limit, unit, best, measured, verdict }) => [
    name,
    `${best === 'low' ? '≤' : '≥'} ${limit.toLocaleString('en-US')} ${unit}`.trimEnd(),
    measured === undefined ? '–' : `${unit === '' ? count(measured) : shown(measured)} ${unit}`.trimEnd(),
    verdict,
  ]);
  return table(['bar', 'limit', 'measured', 'verdict'], rows);
}
