import { makeGround, type Ground } from './ground.js';
import { shorten, STEPS, tell, type HistoryName, type Told } from './history.js';
import type { Defect } from './world.js';

export interface Found {
  readonly histories: number;
  readonly summary: string;
  /** The broken promise, and how to reproduce it. Undefined if none broke. */
  readonly broken: string | undefined;
  readonly told: Told | undefined;
}

const PROGRESS_MS = 10_000;

/**
 * Runs history after history, from one seed on. It ends when one breaks a promise, when all have run, or when the time
 * is over.
 */
export async function explore(options: {
  readonly firstSeed: number;
  readonly histories: number;
  /** Time on the clock of `performance.now()`. */
  readonly deadlineMs?: number;
  readonly defect?: Defect;
  readonly stragglers?: boolean;
  /** Whether a history that broke is shortened, which takes some hundred more runs; true by default. */
  readonly shortened?: boolean;
  readonly ground?: Ground;
  readonly onProgress?: (line: string) => void;
}): Promise<Found> {
  const { firstSeed, deadlineMs = Infinity, defect, stragglers = false } = options;
  const ground = options.ground ?? (await makeGround());
  const startedMs = performance.now();
  let saidMs = startedMs;
  let histories = 0;
  const sums = { events: 0, allowed: 0, restarts: 0, stretched: 0 };
  const summary = (): string => {
    const perS = (histories / (performance.now() - startedMs)) * 1000;
    const { events, allowed, restarts, stretched } = sums;
    return `${histories} histories from seed ${firstSeed}, ${perS.toFixed(0)}/s: ${events} events, ${allowed} allows answered, ${restarts} restarts, ${stretched} allows past their lease on a clock that was set back`;
  };
  while (histories < options.histories && performance.now() < deadlineMs) {
    const name = { seed: firstSeed + histories, steps: STEPS, stragglers };
    const told = await tell(ground, name, defect);
    histories += 1;
    sums.events += told.events;
    sums.allowed += told.allowed;
    sums.restarts += told.restarts;
    sums.stretched += told.stretched;
    if (told.breach !== undefined) {
      const shortest = options.shortened === false ? name : await shorten(ground, name, told, defect);
      const { promise, what, step } = told.breach;
      const broken = `promise ${promise}, seed ${name.seed}, step ${step}: ${what}\nagain: ${againOf(shortest)}`;
      return { histories, summary: summary(), broken, told };
    }
    if (performance.now() - saidMs > PROGRESS_MS) {
      saidMs = performance.now();
      options.onProgress?.(summary());
    }
  }
  return { histories, summary: summary(), broken: undefined, told: undefined };
}

/** `SALLYPORT_SIM_SEED=<seed>:<step>,<step>…`, followed by `:stragglers` if there were some. */
function againOf({ seed, steps, without = new Set(), stragglers = false }: HistoryName): string {
  const kept = Array.from({ length: steps }, (_, index) => index + 1).filter((step) => !without.has(step));
  const rest = stragglers ? ':stragglers' : '';
  return `SALLYPORT_SIM_SEED=${seed}:${kept.join(',')}${rest} npm test -- test/faults/simulation`;
}

/** Reads the text of `againOf`: a seed, with the steps that are taken if some are left out. */
export function nameOf(text: string): HistoryName {
  const [seed = '', steps, rest] = text.split(':');
  if (steps === undefined) return { seed: Number(seed), steps: STEPS };
  const kept = new Set(steps.split(',').map(Number));
  const last = Math.max(...kept);
  const without = new Set(Array.from({ length: last }, (_, index) => index + 1).filter((step) => !kept.has(step)));
  return { seed: Number(seed), steps: last, without, stragglers: rest === 'stragglers' };
}
