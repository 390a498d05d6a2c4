import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOurs } from './ours.js';
import { writeQuestions } from './target.js';
import { load } from './wrk.js';

/** The time of the service's main thread under load: samples, by the file or package that was running. */

export interface Profile {
  /** Share of the time in which the thread did something at all, 0 to 1. */
  readonly busy: number;
  /** Processor time by the names of the service's threads, in microseconds a request. */
  readonly threads: readonly { readonly thread: string; readonly cpuUs: number }[];
  /** Shares of the busy time, largest first. */
  readonly places: readonly { readonly place: string; readonly share: number }[];
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const PLACES = 14;
const IDLE = new Set(['(idle)', '(root)']);
const CONNECTIONS = 32;

export async function profileOurs(folder: string, durationS: number): Promise<Profile> {
  const profiles = join(folder, 'profiles');
  mkdirSync(profiles);
  const target = await startOurs(join(folder, 'profiled'), ['--cpu-prof', `--cpu-prof-dir=${profiles}`]);
  let threads: Profile['threads'];
  try {
    const questionsFile = join(folder, 'profiled.lua');
    writeQuestions(questionsFile, target);
    const before = target.running.threadsCpuS();
    const { requests } = await load({ url: target.url, questionsFile, connections: CONNECTIONS, durationS });
    threads = [...target.running.threadsCpuS()]
      .map(([thread, cpuS]) => ({ thread, cpuUs: ((cpuS - (before.get(thread) ?? 0)) * 1e6) / requests }))
      .sort((a, b) => b.cpuUs - a.cpuUs);
  } finally {
    await target.running.stop();
  }
  const all = readdirSync(profiles).map((file) => JSON.parse(readFileSync(join(profiles, file), 'utf8')) as CpuProfile);
  const main = all.find(({ nodes }) => nodes.some(({ callFrame }) => callFrame.url.endsWith('/dist/apps/pdp/main.js')));
  if (main === undefined) throw new Error('the service left no profile');
  return { ...summarised(main, durationS), threads };
}

/** Of the last `durationS` seconds of a profile alone: what came before is the start. */
export function summarised({ nodes, samples, timeDeltas }: CpuProfile, durationS: number): Omit<Profile, 'threads'> {
  const fromUs = timeDeltas.reduce((sum, tookUs) => sum + tookUs, 0) - durationS * 1e6;
  let atUs = 0;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, number>();
  let busyUs = 0;
  let allUs = 0;
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    const tookUs = timeDeltas[index] ?? 0;
    atUs += tookUs;
    if (atUs <= fromUs) continue;
    allUs += tookUs;
    if (frame === undefined || IDLE.has(frame.functionName)) continue;
    busyUs += tookUs;
    const place = placeOf(frame.url, frame.functionName);
    times.set(place, (times.get(place) ?? 0) + tookUs);
  }
  const places = [...times]
    .map(([place, tookUs]) => ({ place, share: tookUs / busyUs }))
    .sort((a, b) => b.share - a.share)
    .slice(0, PLACES);
  return { busy: busyUs / (durationS * 1e6), places };
}

/** A file of ours, a package, a part of Node, or what V8 says of itself: `(garbage collector)`, `(program)`. */
function placeOf(url: string, functionName: string): string {
  const ours = /\/dist\/((?:libs|apps)\/.+)\.js$/.exec(url)?.[1];
  if (ours !== undefined) return ours;
  const parts = url.split('/node_modules/').at(-1)?.split('/') ?? [];
  if (url.includes('/node_modules/')) return parts.slice(0, parts[0]?.startsWith('@') === true ? 2 : 1).join('/');
  if (url.startsWith('node:')) return url;
  if (url.startsWith('wasm:')) return 'cedar (wasm)';
  return functionName === '' ? 'native' : `native ${functionName}`;
}
