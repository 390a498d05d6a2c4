import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Heap that a route may leave behind in the long form, in MiB: records stay, in memory too. */
export const MAX_GROWTH_MIB = 64;

let collect: (() => void) | undefined;

/** The heap in use after a collection, in MiB. Slow. */
export function heapMiB(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose_gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  collect();
  return process.memoryUsage().heapUsed / 1_048_576;
}
