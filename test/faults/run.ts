import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { explore, type Found } from './explore.js';

/**
 * `node dist/test/faults/run.js --histories 100000 --seconds 3600 --seed 1 --threads 2`: simulated histories until one
 * breaks a promise, all are told or the time is over. Exit code 1 where one broke. `--stragglers` lets appends of a dead
 * process reach the store while the next one runs.
 */
interface Job {
  readonly firstSeed: number;
  readonly histories: number;
  readonly seconds: number;
  readonly stragglers: boolean;
}

const MAX_SEED = 2 ** 31;

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

if (isMainThread) {
  const { values } = parseArgs({
    options: {
      histories: { type: 'string', default: '100000' },
      seconds: { type: 'string', default: '7200' },
      seed: { type: 'string', default: String(Math.trunc(Math.random() * MAX_SEED)) },
      threads: { type: 'string', default: '2' },
      stragglers: { type: 'boolean', default: false },
    },
  });
  const threads = Math.max(1, Number(values.threads));
  const histories = Math.ceil(Number(values.histories) / threads);
  const { stragglers } = values;
  const jobs = Array.from({ length: threads }, (_, index) =>
    inThread({
      firstSeed: Number(values.seed) + index * histories,
      histories,
      seconds: Number(values.seconds),
      stragglers,
    }),
  );
  for (const { summary, broken } of await Promise.all(jobs)) {
    console.log(summary);
    if (broken === undefined) continue;
    console.error(broken);
    process.exitCode = 1;
  }
} else {
  const { summary, broken, histories } = await work(workerData as Job);
  parentPort?.postMessage({ summary, broken, histories });
}
