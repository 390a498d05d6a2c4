import { percentile } from '../bench/figures.js';
import type { Answer, Answered, Callable } from '../support/service.js';
import { callBody } from '../support/world.js';

/** Clients that ask again and again until they are stopped, and the results. */
export interface Offered {
  readonly answers: readonly { readonly answer: Answer; readonly tookMs: number; readonly body: Answered }[];
  /** Of the answers with this status. */
  with(status: number): { readonly answer: Answer; readonly tookMs: number; readonly body: Answered }[];
  p99Ms(status: number): number;
}

export async function offer(
  service: Callable,
  tasks: readonly Answered[],
  clients: number,
  durationMs: number,
): Promise<Offered> {
  const answers: { answer: Answer; tookMs: number; body: Answered }[] = [];
  const endMs = performance.now() + durationMs;
  const client = async (_: unknown, index: number): Promise<void> => {
    const task = tasks[index % tasks.length];
    while (performance.now() < endMs) {
      const body = callBody(task);
      const startedMs = performance.now();
      const answer = await service.call('host', 'POST', '/v1/calls/authorize', body);
      answers.push({ answer, tookMs: performance.now() - startedMs, body });
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const having = (status: number) => answers.filter(({ answer }) => answer.status === status);
  return {
    answers,
    with: having,
    p99Ms: (status) =>
      percentile(
        having(status).map(({ tookMs }) => tookMs),
        0.99,
      ),
  };
}

/** The values of gauges or counters of ours, as one answer of `/metrics` tells them. */
export async function metrics(service: Callable, names: readonly string[]): Promise<number[]> {
  const { body } = await service.call('nobody', 'GET', '/metrics');
  const lines = String(body).split('\n');
  return names.map((name) => {
    const line = lines.find((each) => each.startsWith(`${name} `));
    if (line === undefined) throw new Error(`${name} is not told`);
    return Number(line.slice(name.length + 1));
  });
}

export const metric = async (service: Callable, name: string): Promise<number> =>
  (await metrics(service, [name]))[0] ?? Number.NaN;
