import { TextSlots } from './text-slots.js';

/** The state of a stream at a revision; revision 0 is a stream that does not exist. */
export interface Held<State> {
  revision: number;
  state: State;
}

/** Turns a state into text and back. */
export interface Resting<State> {
  readonly rest: (state: State) => string;
  readonly wake: (text: string) => State;
}

/** States that are kept as objects: some 3 kB each. */
const MAX_AWAKE = 4_096;

/**
 * States of any number of streams. The states used last are objects; all others rest as text outside of the heap, where
 * they are smaller and cost the garbage collector nothing. Waking one takes some ten microseconds.
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

  /** The state for one look, without any change to the order of use. For loops over all states. */
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

  /** Puts the least recently used states to rest until at most this many are awake. */
  rest(awake: number): void {
    for (const [stream, { revision, state }] of this.awake) {
      if (this.awake.size <= awake) return;
      this.asleep.set(stream, { revision, slot: this.slots.put(this.resting.rest(state)) });
      this.awake.delete(stream);
      if (stream === this.latest) this.latest = undefined;
    }
  }

  /**
   * Puts all states to rest if there are more than may be awake. During a load they go at once, because objects that
   * survive a few collections make the heap grow.
   */
  settle(): void {
    if (this.awake.size + this.asleep.size > this.maxAwake) this.rest(0);
  }

  /** The names of all streams, in no order. */
  streams(): string[] {
    return [...this.awake.keys(), ...this.asleep.keys()];
  }
}
