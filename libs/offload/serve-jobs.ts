import { threadCpuUsage } from 'node:process';
import type { Transferable } from 'node:worker_threads';
import { lowerOwnPriority } from '../threads/priority.js';
import { ownPort } from '../threads/serve.js';

/** A message of a job thread about its current job. */
export type JobMessage =
  | { readonly kind: 'begun'; readonly cpuMs: number }
  | { readonly kind: 'part'; readonly value: unknown }
  | { readonly kind: 'done'; readonly value: unknown };

/** Emits a first part of the result of a job: it is kept even if the rest fails. */
export type Emit<Part> = (part: Part) => void;

/** If processors are scarce, decisions and their records go before jobs. */
const JOB_NICE_INCREMENT = 5;

/** The body of a job thread: does one job after the other. An error that a job throws ends the thread. */
export function serveJobs(doJob: (job: unknown, emit: Emit<unknown>) => unknown): void {
  const port = ownPort();
  lowerOwnPriority(JOB_NICE_INCREMENT);
  const tell = (message: JobMessage, transfer: Transferable[] = []): void => port.postMessage(message, transfer);
  port.on('message', (job: unknown) => {
    const { user, system } = threadCpuUsage();
    tell({ kind: 'begun', cpuMs: (user + system) / 1000 });
    const value = doJob(job, (part) => tell({ kind: 'part', value: part }));
    tell({ kind: 'done', value });
  });
}
