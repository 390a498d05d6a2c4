import { directiveDecider, type DirectiveEvent, type DirectivesState } from '#libs/directive/decider.js';
import { parseEvent, type Event } from '#libs/event-log/event.js';
import type { RecordedEvent } from '#libs/event-log/port.js';
import type { DatedChange } from '#libs/feed/beats.js';

/** The stream `directives` folded step by step: unlike the live view it still knows what each change looked like. */
export class DirectiveHistory {
  private state: DirectivesState = directiveDecider.initialState();

  /** The change that an event is; undefined where it is known already. Events come in order. */
  apply({ revision, json, position }: RecordedEvent): DatedChange | undefined {
    if (revision <= this.state.epoch) return undefined;
    const event = parseEvent(json) as Event & DirectiveEvent;
    this.state = directiveDecider.evolve(this.state, event);
    const { id, stateRoot } = event.data;
    const directive = this.state.all.get(id);
    if (directive === undefined) throw new Error('a directive that is not there after its own event');
    // A copy: the next event may change it in place.
    return {
      directive: { ...directive },
      epoch: revision,
      stateRoot: stateRoot as DatedChange['stateRoot'],
      position,
      time: event.time,
    };
  }

  /** Undefined where there never was such a directive. */
  stateOf(id: string): 'active' | 'lifted' | undefined {
    return this.state.all.get(id)?.state;
  }
}
