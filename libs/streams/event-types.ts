import type { z } from 'zod';
import type { Event } from '../event-log/event.js';
import { isJsonObject } from '../kernel/canonical-json.js';
import { UnreadableEvent } from './unreadable.js';

/** Turns the data of one schema version into the data of the next. It makes a new object, and never throws on such data. */
export type Upcaster = (data: unknown) => unknown;

/** A shorter form in which data of the current version is written. Readers get the data itself. */
export interface Packing<Data = never> {
  /** The schema version of what is written: the one after the current version. */
  readonly version: number;
  readonly pack: (event: Omit<Event<string, Data>, 'id'>) => unknown;
  /** Never throws. What is no such form stays as it is. */
  readonly unpack: (event: Event) => unknown;
}

/** A shorter form in which older data was written. Its version number is no version of the data. */
export interface EarlierPacking extends Pick<Packing, 'version' | 'unpack'> {
  /** The version of the data that it holds. */
  readonly of: number;
}

/** One event type: the schema of the data that readers get today, and the upcasters for older data. */
export interface EventType<Data = unknown> {
  readonly schema: z.ZodType<Data>;
  /** In order: the first takes version 1 to version 2. The current version is one more than their number. */
  readonly upcasters: readonly Upcaster[];
  readonly packing?: Packing;
  readonly earlierPackings?: readonly EarlierPacking[];
}

/** The event types of a family by their names. */
export type EventTypes = Readonly<Record<string, EventType>>;

/** The events of a family, as a union that `type` tells apart. */
export type EventsIn<Types extends EventTypes> = {
  [Type in keyof Types & string]: Event<Type, Types[Type] extends EventType<infer Data> ? Data : never>;
}[keyof Types & string];

type Unchanged<Schemas extends Readonly<Record<string, z.ZodType>>> = {
  readonly [Type in keyof Schemas]: EventType<z.infer<Schemas[Type]>>;
};

/** Event types at version 1, whose data has never changed its shape. */
export function unchanged<Schemas extends Readonly<Record<string, z.ZodType>>>(schemas: Schemas): Unchanged<Schemas> {
  const types = Object.entries(schemas).map(([type, schema]) => [type, { schema, upcasters: [] }]);
  return Object.fromEntries(types) as Unchanged<Schemas>;
}

/** An event type whose data changed its shape: one upcaster from each older version to the next. */
export const changed = <Data>(schema: z.ZodType<Data>, ...upcasters: readonly Upcaster[]): EventType<Data> => ({
  schema,
  upcasters,
});

/** The same type, written in a shorter form. `earlierPackings` are the forms in which older events were written. */
export const packed = <Data>(
  type: EventType<Data>,
  packing: Packing<Data>,
  ...earlierPackings: readonly EarlierPacking[]
): EventType<Data> => ({ ...type, packing, earlierPackings });

/** The current schema version of an event type, which readers get. */
export const versionOf = ({ upcasters }: EventType): number => upcasters.length + 1;

/** The schema version of the text of new events. */
export const writtenVersionOf = (type: EventType): number => type.packing?.version ?? versionOf(type);

/** The event with its data as of its version, if it was written in a shorter form. */
export function unpacked(event: Event, type: EventType): Event {
  const { packing, earlierPackings = [] } = type;
  const written = event.schemaVersion;
  if (packing?.version === written) return { ...event, schemaVersion: versionOf(type), data: packing.unpack(event) };
  const earlier = earlierPackings.find(({ version }) => version === written);
  return earlier === undefined ? event : { ...event, schemaVersion: earlier.of, data: earlier.unpack(event) };
}

/** The type with a name that may come from a damaged log. */
export function ownType(types: EventTypes, type: string): EventType | undefined {
  return Object.hasOwn(types, type) ? types[type] : undefined;
}

/** Brings the data of an event to the version that is written today. Throws `UnreadableEvent`. */
export function upcast(event: Event, type: EventType): Event {
  const { schemaVersion } = event;
  const current = versionOf(type);
  if (schemaVersion > current) throw new UnreadableEvent('newer_version', event);
  if (!Number.isInteger(schemaVersion) || schemaVersion < 1) throw new UnreadableEvent('malformed', event);
  const data = type.upcasters.slice(schemaVersion - 1).reduce((older, next) => next(older), event.data);
  if (!isJsonObject(data)) throw new UnreadableEvent('malformed', event);
  return { ...event, schemaVersion: current, data };
}
