import { constants, getPriority, setPriority } from 'node:os';
import { parentPort, type Transferable } from 'node:worker_threads';
import { threadCpuUsage } from 'node:process';

/** What a job thread tells of the job that it was given. */
export type JobMessage =
  | { readonly kind: 'begun'; readonly cpuMs: number }
  | { readonly kind: 'part'; readonly value: unknown }
  | { readonly kind: 'done'; readonly value: unknown };

/** Tells a first part of what a job comes to: it stays known if the rest fails. */
export type Emit<Part> = (part: Part) => void;

/** Decisions and their records go before this where processors are short: the threads are so much nicer. */
const NICER_BY = 5;

/** The body of a job thread: does one job after the other. Whatever a job throws ends the thread. */
export function serveJobs(doJob: (job: unknown, emit: Emit<unknown>) => unknown): void {
  const port = parentPort;
  if (port === null) throw new Error('runs as a worker thread only');
  // On Linux alone does this mean the calling thread; elsewhere it would be the whole process.
  if (process.platform === 'linux') setPriority(Math.min(getPriority() + NICER_BY, constants.priority.PRIORITY_LOW));
  const tell = (message: JobMessage, transfer: Transferable[] = []): void => port.postMessage(message, transfer);
  port.on('message', (job: unknown) => {
    const { user, system } = threadCpuUsage();
    tell({ kind: 'begun', cpuMs: (user + system) / 1000 });
    const value = doJob(job, (part) => tell({ kind: 'part', value: part }));
    tell({ kind: 'done', value });
  });
}
