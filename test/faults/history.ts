import { Actors } from './actors.js';
import { chanceOf } from '../support/chance.js';
import type { Ground } from './ground.js';
import { Invariants, type SeenBreach } from './invariants.js';
import { broken } from './oracle.js';
import { weatherOf, World, type Defect } from './world.js';

export const STEPS = 120;
const MAX_IN_FLIGHT = 12;
/** Chooses the histories with content, apart from every other chance. */
const CONTENT = 0x636f;
const HOUR_MS = 3_600_000;
const MAX_QUIET_TURNS = 5_000;

/** The name of a history. The same name gives the same history. */
export interface HistoryName {
  readonly seed: number;
  readonly steps: number;
  /** Steps that do nothing. Leaving steps out makes a history shorter. */
  readonly without?: ReadonlySet<number>;
  readonly stragglers?: boolean;
}

export interface Told {
  readonly breach?: SeenBreach;
  readonly events: number;
  readonly allowed: number;
  readonly restarts: number;
  readonly stretched: number;
  /** Digest of all events in their order. */
  readonly trace: string;
}

/** Runs one history to its end or to the first broken promise. Only its name decides its course. */
export async function tell(
  ground: Ground,
  { seed, steps, without, stragglers }: HistoryName,
  defect?: Defect,
): Promise<Told> {
  const chance = chanceOf(seed);
  const world = new World(ground, weatherOf(chance, chanceOf(seed, CONTENT), stragglers), chance, defect);
  const { scheduler } = world;
  const invariants = new Invariants(world);
  const actors = new Actors(world, invariants.oracle, () => invariants.end);
  const defectAt = chance.whole(steps >> 1, steps);
  let step = 0;
  const look = async (): Promise<Told['breach']> => wanted(await invariants.check(actors.answers.splice(0), step));
  const wanted = (breaches: readonly SeenBreach[]): Told['breach'] =>
    breaches.find(({ promise }) => defect === undefined || promise === defect.breaks);
  const told = (breach: Told['breach']): Told => ({
    ...(breach === undefined ? {} : { breach }),
    events: invariants.events,
    allowed: invariants.allowed,
    restarts: world.restarts,
    stretched: invariants.stretched,
    trace: invariants.trace,
  });
  scheduler.install();
  try {
    await world.start();
    const groundless = await look();
    if (groundless !== undefined) return told(groundless);
    for (step = 1; step <= steps; step += 1) {
      if (without?.has(step) === true) continue;
      world.chance = chanceOf(seed, step);
      world.step = step;
      await act(world, actors);
      if (step === defectAt) await defect?.act?.(world);
      await scheduler.drain();
      const breach = await look();
      if (breach !== undefined) return told(breach);
    }
    return told((await quiet(world, actors)) ?? (await look()) ?? wanted(await invariants.checkAll(step)));
  } finally {
    scheduler.uninstall();
  }

  /** Without faults, every question is answered in the end. */
  async function quiet(world: World, actors: Actors): Promise<Told['breach']> {
    for (let turns = 0; actors.inFlight > 0; turns += 1) {
      const [gate] = scheduler.gates;
      if (gate !== undefined) scheduler.letGo(gate);
      else if (scheduler.idleMs !== undefined) await scheduler.pass(scheduler.idleMs);
      else return { ...broken('errors', 'a caller waits for nothing'), step };
      if (turns > MAX_QUIET_TURNS) return { ...broken('errors', 'a caller waits for ever'), step };
      await scheduler.drain();
    }
    await world.restart();
    return undefined;
  }
}

/** One step: an actor acts, an operation of the log goes on, time passes, the clock jumps, or the process dies. */
async function act(world: World, actors: Actors): Promise<void> {
  const { chance, scheduler } = world;
  const at = chance.next();
  if (at < 0.008) {
    actors.hangUp();
    await world.restart();
  } else if (at < 0.02) {
    scheduler.jump(chance.of([-HOUR_MS, HOUR_MS]));
  } else if (at < 0.07) {
    await scheduler.pass(chance.happens(0.15) ? chance.whole(100, 6_000) : chance.whole(1, 60));
  } else if (at < 0.4 && actors.inFlight < MAX_IN_FLIGHT) {
    actors.act();
  } else {
    for (let opened = chance.whole(1, 4); opened > 0; opened -= 1) {
      const gate = world.anyGate();
      if (gate === undefined) return actors.inFlight === 0 ? actors.act() : undefined;
      scheduler.letGo(gate, gate.kind === 'arrival' ? world.fate() : 'none');
      await scheduler.drain();
    }
  }
}

/** The shortest history found that still breaks the same promise: its tail is cut, then steps are left out. */
export async function shorten(ground: Ground, name: HistoryName, told: Told, defect?: Defect): Promise<HistoryName> {
  const { breach } = told;
  if (breach === undefined) return name;
  let shortest: HistoryName = { ...name, steps: Math.min(breach.step, name.steps) };
  const breaks = async (shorter: HistoryName): Promise<boolean> =>
    (await tell(ground, shorter, defect)).breach?.promise === breach.promise;
  if (!(await breaks(shortest))) return name;
  for (let size = 16; size >= 1; size >>= 1) {
    for (let from = 1; from <= shortest.steps; from += size) {
      const without = new Set(shortest.without);
      for (let step = from; step < from + size; step += 1) without.add(step);
      const shorter = { ...shortest, without };
      if (await breaks(shorter)) shortest = shorter;
    }
  }
  return shortest;
}
