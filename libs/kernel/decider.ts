import type { Result } from './result.js';

/**
 * The rules of one stream as pure functions: no clock, no randomness, no I/O. Ids and times arrive in the command.
 * `decide` answers with the events to append (none if nothing changes) or with a refusal.
 */
export interface Decider<State, Command, Event, Refusal> {
  initialState(): State;
  decide(command: Command, state: State): Result<readonly Event[], Refusal>;
  /**
   * Takes ownership of the state: it may change it in place and return it. A caller that still needs the old state
   * folds again.
   */
  evolve(state: State, event: Event): State;
}

/** Folds a history into a fresh state. */
export function fold<State, Event>(
  decider: Pick<Decider<State, never, Event, never>, 'initialState' | 'evolve'>,
  events: Iterable<Event>,
): State {
  let state = decider.initialState();
  for (const event of events) state = decider.evolve(state, event);
  return state;
}
