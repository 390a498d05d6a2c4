import type { Event } from '../event-log/event.js';
import type { EventsIn, EventTypes } from './event-types.js';
import { FoldedFamily, StreamFamily, type Description } from './family.js';

/** The folding part of a decider (`libs/kernel/decider.ts`). Property types, so that the compiler compares events. */
interface Folder<State, Events extends Event> {
  readonly initialState: () => State;
  readonly evolve: (state: State, event: Events & { readonly position?: bigint }) => State;
}

/** The arguments of the builder of stream names. None if the family has one stream. */
type Id<Described> = Described extends { readonly id: string } ? [id: string] : [];

/** A family whose streams have no state: its events are read one by one. */
export function streams<Types extends EventTypes, Described extends Description<Types>>(
  category: string,
  description: Described & Description<Types>,
): StreamFamily<EventsIn<Types>, Id<Described>> {
  return new StreamFamily(category, description);
}

/** A family whose streams are folded by a decider. */
export function foldedStreams<Types extends EventTypes, State, Described extends Description<Types>>(
  category: string,
  description: Described & Description<Types> & { readonly decider: Folder<State, EventsIn<Types>> },
): FoldedFamily<State, EventsIn<Types>, Id<Described>> {
  return new FoldedFamily(category, description, description.decider);
}
