import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { explore, type Found } from './explore.js';

/** Simulated histories that run concurrently, in their own threads. */
export interface Job {
  readonly firstSeed: number;
  readonly histories: number;
  readonly seconds: number;
  /** Appends of a dead process may reach the store while the next one runs. */
  readonly stragglers: boolean;
}

async function work({ firstSeed, histories, seconds, stragglers }: Job): Promise<Found> {
  const onProgress = (line: string): void => console.log(line);
  return explore({ firstSeed, histories, stragglers, onProgress, deadlineMs: performance.now() + seconds * 1000 });
}

function inThread(job: Job): Promise<Found> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Runs histories until one breaks a promise, all have run, or the time is over. True if none broke. */
export async function simulate(job: Job, threads: number): Promise<boolean> {
  const histories = Math.ceil(job.histories / threads);
  const jobs = Array.from({ length: threads }, (_, index) =>
    inThread({ ...job, histories, firstSeed: job.firstSeed + index * histories }),
  );
  let held = true;
  for (const { summary, broken } of await Promise.all(jobs)) {
    console.log(summary);
    if (broken === undefined) continue;
    console.error(broken);
    held = false;
  }
  return held;
}

if (!isMainThread) {
  const { summary, broken, histories } = await work(workerData as Job);
  parentPort?.postMessage({ summary, broken, histories });
}
