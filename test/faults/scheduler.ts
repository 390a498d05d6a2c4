import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Clock } from '../../libs/kernel/time.js';
import { chanceOf, type Chance } from '../support/chance.js';

/**
 * The fate of an operation of the log when it is released. `late`: the answer is unknown, and the write happens
 * afterwards.
 */
export type Fate = 'none' | 'failed' | 'persisted' | 'refused' | 'overloaded' | 'late';

/** An operation of the log that waits to be released: on its way to the store, or its answer on the way back. */
export interface Gate {
  readonly kind: 'arrival' | 'answer' | 'read' | 'delivery';
  readonly life: Life;
  readonly open: (fate: Fate) => void;
}

/** One run of the service, from its start to its death. */
export interface Life {
  readonly number: number;
  dead: boolean;
}

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

const START_MS = Date.parse('2026-11-22T10:00:00.000Z');
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setImmediate: globalThis.setImmediate,
  pause: timersPromises.setTimeout,
  randomUUID: crypto.randomUUID,
  randomBytes: crypto.randomBytes,
  now: performance.now.bind(performance),
};
/** Everything that is ready now runs before this resolves. */
const turn = (): Promise<void> => new Promise((resolve) => real.setImmediate(resolve));

/**
 * Owns time, randomness and the order of completions while a history runs. Timers fire when the history says so.
 * Operations of the log wait at gates until they are released. Everything that is ready runs to its end in between.
 */
export class Scheduler {
  /** Monotonic. The wall clock is ahead of it by `wallAheadMs`. */
  nowMs = 0;
  wallAheadMs = 0;
  wasSetBack = false;
  /** Appends that were released so far: if the number does not grow, neither does the log. */
  arrivals = 0;
  readonly gates: Gate[] = [];
  private readonly timers = new Map<number, Timer>();
  private immediates: (() => void)[] = [];
  private lastTimer = 0;
  readonly clock: Clock = {
    wallMs: () => START_MS + this.nowMs + this.wallAheadMs,
    monotonicMs: () => this.nowMs,
  };

  /** `chance` returns the chance of the current step. */
  constructor(private readonly chance: () => Chance) {}

  /** Replaces the real timers and randomness with those of this scheduler, for every module. */
  install(): void {
    // Keys, salts and nonces come in pools that outlive a history, so they must not use up the chance of its steps.
    const noise = chanceOf(0);
    const from = (chance: Chance, length: number): Buffer =>
      Buffer.from(Array.from({ length }, () => chance.whole(0, 255)));
    const uuid = (): string => {
      const hex = from(this.chance(), 16).toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    };
    replace({
      setTimeout: (fire: () => void, ms = 0) => this.after(ms, fire),
      clearTimeout: (timer: number) => this.timers.delete(timer),
      setImmediate: (run: (value?: unknown) => void) => this.immediates.push(() => run()),
      pause: (ms: number, value: unknown, options?: { signal?: AbortSignal }) =>
        new Promise((resolve, reject) => {
          const timer = this.after(ms, () => resolve(value));
          options?.signal?.addEventListener('abort', () => {
            this.timers.delete(timer);
            reject(new Error('aborted'));
          });
        }),
      randomUUID: uuid,
      randomBytes: (length: number) => from(noise, length),
      now: () => this.nowMs,
    });
  }

  uninstall(): void {
    replace(real);
  }

  /** Waits at a gate; for ever if the service has died meanwhile. */
  gate(kind: Gate['kind'], life: Life): Promise<Fate> {
    if (life.dead) return new Promise(() => undefined);
    return new Promise((resolve) => this.gates.push({ kind, life, open: resolve }));
  }

  letGo(gate: Gate, fate: Fate = 'none'): void {
    if (gate.kind === 'arrival') this.arrivals += 1;
    this.gates.splice(this.gates.indexOf(gate), 1);
    gate.open(fate);
  }

  /** Runs everything that is ready, and what becomes ready by it, until all of it waits for a gate or for time. */
  async drain(): Promise<void> {
    for (;;) {
      await turn();
      const ready = this.immediates;
      if (ready.length === 0) return;
      this.immediates = [];
      for (const run of ready) run();
    }
  }

  /** Lets time pass. Timers that fall due fire in their order. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = this.nextTimer();
      if (due === undefined || due[1].atMs > untilMs) break;
      this.timers.delete(due[0]);
      this.nowMs = Math.max(this.nowMs, due[1].atMs);
      due[1].fire();
      await this.drain();
    }
    this.nowMs = untilMs;
  }

  /** Milliseconds until the next timer; undefined if there is none. */
  get idleMs(): number | undefined {
    const due = this.nextTimer();
    return due === undefined ? undefined : Math.max(0, due[1].atMs - this.nowMs);
  }

  jump(ms: number): void {
    this.wallAheadMs += ms;
    if (ms < 0) this.wasSetBack = true;
  }

  /** The service has died: its timers and answers are gone. Some of its appends still reach the store. */
  bury(life: Life, arrives: (gate: Gate) => boolean): void {
    life.dead = true;
    this.timers.clear();
    const kept = this.gates.filter((gate) => gate.life !== life || (gate.kind === 'arrival' && arrives(gate)));
    this.gates.splice(0, this.gates.length, ...kept);
  }

  /** Runs what is ready until a promise has settled. The observer uses it, because its reads wait for no gate. */
  async finish<Value>(promise: Promise<Value>): Promise<Value> {
    let settled = false;
    const settle = (): void => void (settled = true);
    promise.then(settle, settle);
    for (;;) {
      await this.drain();
      if (settled) return promise;
    }
  }

  /** Releases the operations of a life without faults, and lets time pass, until a promise has settled. */
  async until<Value>(life: Life, promise: Promise<Value>): Promise<Value> {
    let settled = false;
    const settle = (): void => void (settled = true);
    promise.then(settle, settle);
    for (;;) {
      await this.drain();
      if (settled) return promise;
      const gate = this.gates.find((each) => each.life === life);
      if (gate !== undefined) this.letGo(gate);
      else if (this.idleMs !== undefined) await this.pass(this.idleMs);
      else throw new Error('waits for nothing');
    }
  }

  private after(ms: number, fire: () => void): number {
    this.timers.set(++this.lastTimer, { atMs: this.nowMs + Math.max(0, ms), fire });
    return this.lastTimer;
  }

  private nextTimer(): [number, Timer] | undefined {
    let next: [number, Timer] | undefined;
    for (const entry of this.timers) if (next === undefined || entry[1].atMs < next[1].atMs) next = entry;
    return next;
  }
}

function replace({ pause, randomUUID, randomBytes, now, ...timers }: Record<keyof typeof real, unknown>): void {
  Object.assign(globalThis, timers);
  Object.assign(timersPromises, { setTimeout: pause });
  Object.assign(performance, { now });
  Object.assign(crypto, { randomUUID, randomBytes });
  syncBuiltinESMExports();
}
