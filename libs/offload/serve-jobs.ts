import { threadCpuUsage } from 'node:process';
import type { Transferable } from 'node:worker_threads';
import { lowerOwnPriority } from '../threads/priority.js';
import { ownPort } from '../threads/serve.js';

/** What a job thread tells of the job that it was given. */
export type JobMessage =
  | { readonly kind: 'begun'; readonly cpuMs: number }
  | { readonly kind: 'part'; readonly value: unknown }
  | { readonly kind: 'done'; readonly value: unknown };

/** Tells a first part of what a job comes to: it stays known if the rest fails. */
export type Emit<Part> = (part: Part) => void;

/** If processors are scarce, decisions and their records go before jobs. */
const JOB_NICE_INCREMENT = 5;

/** The body of a job thread: does one job after the other. Whatever a job throws ends the thread. */
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
