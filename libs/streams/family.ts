import { parseEvent, type Event } from '../event-log/event.js';
import type { RecordedEvent } from '../event-log/port.js';
import { isJsonObject } from '../kernel/canonical-json.js';
import type { Decider } from '../kernel/decider.js';
import { err, ok, type Result } from '../kernel/result.js';
import { ownType, unpacked, upcast, versionOf, writtenVersionOf, type EventTypes } from './event-types.js';
import { UnreadableEvent } from './unreadable.js';

/**
 * The purpose of a family's events.
 * - `control`: decisions rest on them. Every process holds their state in memory (`libs/control/control-view.ts`).
 * - `task`: what a task may do, and which tasks a trace has.
 * - `evidence`: decisions, and their outcomes. Most events of a log are of this kind.
 * - `bookkeeping`: progress of a part of the service. Auditors do not see these events.
 */
export type Role = 'control' | 'task' | 'evidence' | 'bookkeeping';

/** The roles of all events that auditors see. */
export const EVIDENCE_ROLES = ['control', 'task', 'evidence'] as const satisfies readonly Role[];

/** The rooms of `libs` that append to a family. */
export type Writer = 'backup' | 'control' | 'decision-point' | 'fleet' | 'relay' | 'retention' | 'seal';

/** A family as the catalogue describes it. */
export interface Description<Types extends EventTypes = EventTypes> {
  readonly role: Role;
  readonly writers: readonly Writer[];
  readonly types: Types;
  /** The noun for the id in a stream's name. Absent if there is one stream, with the name `<category>`. */
  readonly id?: string;
}

/** The text of an event. It has no position before it is recorded. */
export type Stored = Pick<RecordedEvent, 'json'> & Partial<Pick<RecordedEvent, 'position'>>;

/** A family of streams: `<category>-<id>`, or one stream with the name `<category>`. `Id` is empty for one stream. */
export class StreamFamily<Events extends Event = Event, Id extends readonly string[] = readonly string[]> {
  constructor(
    readonly category: string,
    readonly description: Description,
  ) {}

  get role(): Role {
    return this.description.role;
  }

  private get isSingle(): boolean {
    return this.description.id === undefined;
  }

  /** The name of a stream. */
  stream(...[id]: Id): string {
    return this.isSingle ? this.category : `${this.category}-${id}`;
  }

  /** The id in the name of a stream. Undefined if the stream is of another family, or the family has one stream. */
  idOf(stream: string): string | undefined {
    const prefix = `${this.category}-`;
    return !this.isSingle && stream.startsWith(prefix) ? stream.slice(prefix.length) : undefined;
  }

  /** The event types by name. */
  get types(): EventTypes {
    return this.description.types;
  }

  /** Whether a stream is of this family. */
  has(stream: string): boolean {
    return this.isSingle ? stream === this.category : stream.startsWith(`${this.category}-`);
  }

  /** Whether an event that a reader returned is of this family. */
  owns(event: Event): event is Events {
    return ownType(this.types, event.type) !== undefined;
  }

  /**
   * The schema version and the data of a new event, as its text has them. Throws `RangeError` for a type of another
   * family.
   */
  written(event: Omit<Event, 'id' | 'schemaVersion'>): { readonly schemaVersion: number; readonly data: unknown } {
    const type = ownType(this.types, event.type);
    if (type === undefined) throw new RangeError(`${event.type} is not an event of the family ${this.category}`);
    const schemaVersion = writtenVersionOf(type);
    const data = type.packing?.pack({ ...event, schemaVersion, data: event.data as never }) ?? event.data;
    return { schemaVersion, data };
  }

  /**
   * Reads an event and brings its data to the current version. `id` remains that of the stored text. It makes only
   * cheap checks (family, type, version), because decisions wait for it. `readWhole` checks the whole schema of
   * evidence, and `test/golden/events.test.ts` that of every event the service writes. Throws `UnreadableEvent`.
   */
  read(json: string): Events {
    const parsed = parseEvent(json);
    const type = ownType(this.types, parsed.type);
    if (type === undefined || !this.has(parsed.stream)) throw new UnreadableEvent('unknown_type', parsed);
    const event = unpacked(parsed, type);
    const isCurrent = event.schemaVersion === versionOf(type) && isJsonObject(event.data);
    return (isCurrent ? event : upcast(event, type)) as Events;
  }

  /** The event with the data of its own version: only a shorter form is undone. Of an unknown type, as it is. */
  asOfItsVersion(event: Event): Event {
    const type = ownType(this.types, event.type);
    return type === undefined ? event : unpacked(event, type);
  }

  /**
   * Reads an event as `read` does, and checks the whole schema of its data. The returned data is as recorded, because a
   * schema may normalise its output.
   */
  readWhole(json: string): Result<Events, UnreadableEvent> {
    try {
      const event = this.read(json);
      const parsed = ownType(this.types, event.type)?.schema.safeParse(event.data);
      return parsed?.success === true ? ok(event) : err(new UnreadableEvent('malformed', event));
    } catch (error) {
      // `JSON.parse` throws `SyntaxError`.
      return err(error instanceof UnreadableEvent ? error : new UnreadableEvent('malformed'));
    }
  }
}

/** A family whose streams have a state. */
export class FoldedFamily<
  State = unknown,
  Events extends Event = Event,
  Id extends readonly string[] = readonly string[],
> extends StreamFamily<Events, Id> {
  constructor(
    category: string,
    description: Description,
    private readonly decider: Pick<Decider<State, never, Events, never>, 'initialState' | 'evolve'>,
  ) {
    super(category, description);
  }

  initialState(): State {
    return this.decider.initialState();
  }

  /** Takes ownership of the state, as deciders do. A caller that still needs the old state must fold again. */
  evolve(state: State, event: Events): State {
    return this.decider.evolve(state, event);
  }

  /** Folds a stream from its first event on. Throws `UnreadableEvent`, and what the decider throws. */
  fold(events: Iterable<Stored>): State {
    let state = this.decider.initialState();
    for (const { json, position } of events) {
      const event = this.read(json);
      // The object is fresh, so no other code sees the added member: `libs/calls` keeps the position.
      state = this.decider.evolve(state, position === undefined ? event : Object.assign(event, { position }));
    }
    return state;
  }
}
