import { TextSlots } from './text-slots.js';

/** State of one stream and the revision that it stands for; revision 0 is a stream that does not exist. */
export interface Held<State> {
  revision: number;
  state: State;
}

/** How a state becomes a text and comes back from it. */
export interface Resting<State> {
  readonly rest: (state: State) => string;
  readonly wake: (text: string) => State;
}

/** States that are kept as objects: some 3 kB each. */
const MAX_AWAKE = 4_096;

/**
 * States by stream, however many there are: the ones that were asked for last are objects, all others rest as text
 * outside of the heap, half as large and nothing for the garbage collector to walk through or to leave room for. Waking
 * one takes some ten microseconds.
 */
export class RestingStates<State> {
  /** In order of use, the longest unused first. */
  private readonly awake = new Map<string, Held<State>>();
  private readonly asleep = new Map<string, { readonly revision: number; readonly slot: number }>();
  private readonly slots = new TextSlots();
  private latest: string | undefined;

  constructor(
    private readonly resting: Resting<State>,
    private readonly maxAwake = MAX_AWAKE,
  ) {}

  /** The state to work with: it stays the one object for its stream while it is among those used last. */
  get(stream: string): Held<State> | undefined {
    const held = this.peek(stream);
    if (held !== undefined && stream !== this.latest) this.set(stream, held);
    return held;
  }

  /** The state to look at and to let go of: who goes through all of them leaves everything as it is. */
  peek(stream: string): Held<State> | undefined {
    const held = this.awake.get(stream);
    if (held !== undefined) return held;
    const asleep = this.asleep.get(stream);
    return asleep && { revision: asleep.revision, state: this.resting.wake(this.slots.get(asleep.slot)) };
  }

  set(stream: string, held: Held<State>): void {
    const asleep = this.asleep.get(stream);
    if (asleep !== undefined) this.slots.delete(asleep.slot);
    this.asleep.delete(stream);
    this.awake.delete(stream);
    this.awake.set(stream, held);
    this.latest = stream;
    this.rest(this.maxAwake);
  }

  /** Puts the longest unused to rest until no more than these are awake. */
  rest(awake: number): void {
    for (const [stream, { revision, state }] of this.awake) {
      if (this.awake.size <= awake) return;
      this.asleep.set(stream, { revision, slot: this.slots.put(this.resting.rest(state)) });
      this.awake.delete(stream);
      if (stream === this.latest) this.latest = undefined;
    }
  }

  /**
   * Puts all of them to rest where there are more than may be awake: while many are loaded they had better go at once,
   * because what survives a few collections makes the heap grow.
   */
  settle(): void {
    if (this.awake.size + this.asleep.size > this.maxAwake) this.rest(0);
  }

  /** Names of all streams, in no order. */
  streams(): string[] {
    return [...this.awake.keys(), ...this.asleep.keys()];
  }
}
