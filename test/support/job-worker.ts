import { parentPort } from 'node:worker_threads';
import { serveJobs } from '../../libs/offload/serve-jobs.js';

/** The jobs of tests: they cost the time or the memory that the test asks for. */
export type TestJob =
  | { readonly kind: 'echo'; readonly value: unknown; readonly busyMs?: number }
  | { readonly kind: 'spin'; readonly part?: unknown }
  | { readonly kind: 'stall' }
  | { readonly kind: 'grow' }
  | { readonly kind: 'throw' };

/** The module itself: a test imports it for its name, a thread runs it. */
export const jobWorker = new URL(import.meta.url);

function spin(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs;);
}

if (parentPort !== null) {
  serveJobs((message, emit) => {
    const job = message as TestJob;
    switch (job.kind) {
      case 'echo':
        spin(job.busyMs ?? 0);
        return job.value;
      case 'spin':
        emit(job.part);
        spin(Number.POSITIVE_INFINITY);
        return undefined;
      case 'stall':
        // Takes no processor time.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        return undefined;
      case 'grow': {
        const held: unknown[] = [];
        for (;;) held.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
      }
      case 'throw':
        throw new Error('a broken job');
    }
  });
}
