import { setTimeout as pause } from 'node:timers/promises';

/** A closed load is as fast as the answers. An open load keeps to the clock, however slow they are. */

/** So many clients, one step after the other, for a while. */
export async function closed(clients: number, durationMs: number, step: (dueMs: number) => Promise<void>) {
  const endMs = performance.now() + durationMs;
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) await step(performance.now());
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const TICK_MS = 5;
/** Most steps in flight. Above this limit the load waits, and later steps are late. */
const MAX_UNDER_WAY = 512;

/** So many steps a second until `signal` is aborted; then what is under way is finished. */
export async function open(perS: number, signal: AbortSignal, step: (dueMs: number) => Promise<void>): Promise<void> {
  const startMs = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let begun = 0; !signal.aborted;) {
    const due = ((performance.now() - startMs) / 1000) * perS;
    for (; begun < due && underWay.size < MAX_UNDER_WAY; begun += 1) {
      const one = step(startMs + (begun / perS) * 1000).finally(() => underWay.delete(one));
      underWay.add(one);
    }
    await pause(TICK_MS);
  }
  await Promise.all(underWay);
}
