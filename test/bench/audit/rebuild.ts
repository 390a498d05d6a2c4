import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { INDEX_FILE } from '../../../libs/audit/index/file-reader.js';
import type { Answered } from '../../support/service.js';
import { callBody, expecting, openTask } from '../../support/world.js';
import { percentile } from '../figures.js';
import type { Service } from '../ours.js';
import { CALLS_PER_TASK } from '../fill.js';
import { during } from '../store.js';

/** The index of a store is deleted and made again while the service runs: is it ready at once, and is no answer wrong? */

export interface Rebuild {
  readonly readyMs: number;
  /** The same with the index in place. */
  readonly usualReadyMs: number;
  /** From readiness until every question had its whole answer. */
  readonly rebuiltMs: number;
  /** Answers meanwhile: 200 with everything, 503, and 200 with less than the log holds. */
  readonly whole: number;
  readonly refused: number;
  readonly wrong: readonly string[];
  /** Decisions meanwhile. */
  readonly authorizeP99Ms: number;
  readonly decisions: number;
}

type Question = readonly [path: string, isWhole: (body: Answered) => boolean];

const PACE_MS = 20;
const MAX_MS = 900_000;

export async function measureRebuild(dataDir: string, traces: readonly string[]): Promise<Rebuild> {
  const usualReadyMs = await during(dataDir, async ({ readyMs }) => readyMs);
  removeIndex(dataDir);
  return during(dataDir, async (service) => {
    const { readyMs } = service;
    const startedMs = performance.now();
    const task = await openTask(service);
    const done = new AbortController();
    const decisions = deciding(service, task, done.signal);
    const found = await asking(service, questionsOf(traces));
    const rebuiltMs = performance.now() - startedMs;
    done.abort();
    const took = await decisions;
    return {
      readyMs,
      usualReadyMs,
      rebuiltMs,
      ...found,
      authorizeP99Ms: percentile(took, 0.99),
      decisions: took.length,
    };
  });
}

/** The index and the side files of its database. */
export function removeIndex(dataDir: string): void {
  for (const file of readdirSync(dataDir)) if (file.startsWith(INDEX_FILE)) rmSync(join(dataDir, file));
}

/** Questions about traces near the beginning and near the end of the log, each by another part of the index. */
function questionsOf(traces: readonly string[]): Question[] {
  const [early = '', late = ''] = [traces[0], traces.at(-1)];
  const hasAll = ({ items }: Answered) => items.length === CALLS_PER_TASK;
  return [early, late].flatMap((trace): Question[] => [
    [`/v1/audit/traces/${trace}`, ({ calls }) => calls.length === CALLS_PER_TASK],
    [`/v1/audit/calls?trace=${trace}&limit=100`, hasAll],
    [`/v1/audit/calls?trace=${trace}&decision=allow&capability=memory&limit=100`, hasAll],
    [`/v1/audit/traces/${trace}/replay`, ({ calls, identical }) => identical && calls.length === CALLS_PER_TASK],
  ]);
}

/** Asks in turns until each question was answered whole. No answer may be short, also after that. */
async function asking(
  service: Service,
  questions: readonly Question[],
): Promise<Pick<Rebuild, 'whole' | 'refused' | 'wrong'>> {
  const answered = new Set<string>();
  const wrong: string[] = [];
  let [whole, refused] = [0, 0];
  for (const endMs = performance.now() + MAX_MS; answered.size < questions.length; await pause(PACE_MS)) {
    if (performance.now() > endMs) throw new Error('the index was not made again in time');
    for (const [path, isWhole] of questions) {
      const { status, body } = await service.call('auditor', 'GET', path);
      if (status === 503) refused += 1;
      else if (status === 200 && isWhole(body)) {
        whole += 1;
        answered.add(path);
      } else wrong.push(`${path}: ${status} ${JSON.stringify(body).slice(0, 200)}`);
    }
  }
  return { whole, refused, wrong };
}

async function deciding(service: Service, task: Answered, signal: AbortSignal): Promise<number[]> {
  const took: number[] = [];
  while (!signal.aborted) {
    const startedMs = performance.now();
    expecting(200, await service.call('host', 'POST', '/v1/calls/authorize', callBody(task)));
    took.push(performance.now() - startedMs);
    await pause(PACE_MS);
  }
  return took;
}
