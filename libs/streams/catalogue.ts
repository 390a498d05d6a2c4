import { callsDecider } from '../calls/decider.js';
import {
  CallDecided,
  callsEventSchemas,
  OutcomeRecorded,
  refusalsEventSchemas,
  ResponseValidated,
} from '../calls/events.js';
import { responseFromV1 } from '../calls/first-findings.js';
import { outcomeFromV1 } from '../calls/outcome.js';
import { packDecided, unpackDecided, unpackVersion3 } from '../calls/recorded.js';
import { capabilityDecider } from '../capability/decider.js';
import { capabilityEventSchemas, VersionProposed, VersionReviewed } from '../capability/events.js';
import { directiveDecider, directiveEventSchemas } from '../directive/decider.js';
import { categoryOf } from '../event-log/event.js';
import {
  acknowledgedFromV1,
  DirectiveAcknowledged,
  instanceDecider,
  instanceEventSchemas,
} from '../instance/decider.js';
import { policyDecider, policyEventSchemas } from '../policy/decider.js';
import { publisherDecider, publisherEventSchemas } from '../publisher/decider.js';
import { PrincipalAdded, principalDecider, principalEventSchemas } from '../principal/decider.js';
import {
  taskClosedFromV1,
  TaskClosed,
  taskDecider,
  taskEventSchemas,
  TaskOpened,
  traceEventSchemas,
} from '../task/decider.js';
import { foldedStreams, streams } from './declare.js';
import { changed, packed, unchanged, type Upcaster } from './event-types.js';
import { FoldedFamily, type Role, type StreamFamily } from './family.js';
import { logEventSchemas } from './log-events.js';
import { relayEventSchemas } from './relay-events.js';
import { sealEventSchemas } from './seal-events.js';
import { archiveEventSchemas, erasureEventSchemas, readEventSchemas } from './retention-events.js';

/** The newer version only has further optional members. */
const widened: Upcaster = (data) => data;

/** Version 3 was a short form of version 2, so no data has that version, and version 5 is the short form of version 4. */
const decidedType = packed(
  changed(CallDecided, widened, widened, widened),
  { version: 5, pack: packDecided, unpack: unpackDecided },
  { version: 3, of: 2, unpack: unpackVersion3 },
);

/**
 * Every stream and every event, one entry for each family. All lists of streams and event types are derived from it.
 * CONTRIBUTING.md has the recipe for a new one.
 */
export const families = {
  capability: foldedStreams('capability', {
    id: 'id',
    role: 'control',
    writers: ['control', 'decision-point'],
    types: {
      ...unchanged(capabilityEventSchemas),
      VersionProposed: changed(VersionProposed, widened),
      VersionReviewed: changed(VersionReviewed, widened),
    },
    decider: capabilityDecider,
  }),
  policy: foldedStreams('policy', {
    id: 'set',
    role: 'control',
    writers: ['control'],
    types: unchanged(policyEventSchemas),
    decider: policyDecider,
  }),
  publisher: foldedStreams('publisher', {
    id: 'id',
    role: 'control',
    writers: ['control'],
    types: unchanged(publisherEventSchemas),
    decider: publisherDecider,
  }),
  principal: foldedStreams('principal', {
    id: 'name',
    role: 'control',
    writers: ['control'],
    types: { ...unchanged(principalEventSchemas), PrincipalAdded: changed(PrincipalAdded, widened) },
    decider: principalDecider,
  }),
  /** One stream; its revision is the epoch. */
  directives: foldedStreams('directives', {
    role: 'control',
    writers: ['control', 'decision-point'],
    types: {
      ...unchanged(directiveEventSchemas),
      DirectiveIssued: changed(directiveEventSchemas.DirectiveIssued, widened),
    },
    decider: directiveDecider,
  }),
  task: foldedStreams('task', {
    id: 'taskId',
    role: 'task',
    writers: ['decision-point'],
    types: {
      ...unchanged(taskEventSchemas),
      TaskOpened: changed(TaskOpened, widened, widened),
      TaskClosed: changed(TaskClosed, taskClosedFromV1),
    },
    decider: taskDecider,
  }),
  trace: streams('trace', {
    id: 'traceId',
    role: 'task',
    writers: ['decision-point'],
    types: unchanged(traceEventSchemas),
  }),
  calls: foldedStreams('calls', {
    id: 'taskId',
    role: 'evidence',
    writers: ['decision-point'],
    types: {
      ...unchanged(callsEventSchemas),
      CallDecided: decidedType,
      ResponseValidated: changed(ResponseValidated, responseFromV1),
      OutcomeRecorded: changed(OutcomeRecorded, outcomeFromV1),
    },
    decider: callsDecider,
  }),
  refusals: streams('refusals', {
    id: 'host',
    role: 'evidence',
    writers: ['decision-point'],
    types: { ...unchanged(refusalsEventSchemas), CallRefused: decidedType },
  }),
  instances: foldedStreams('instances', {
    id: 'host',
    role: 'evidence',
    writers: ['fleet'],
    types: {
      ...unchanged(instanceEventSchemas),
      DirectiveAcknowledged: changed(DirectiveAcknowledged, acknowledgedFromV1),
    },
    decider: instanceDecider,
  }),
  /** Who read which evidence. */
  reads: streams('reads', {
    id: 'principal',
    role: 'evidence',
    writers: ['retention'],
    types: unchanged(readEventSchemas),
  }),
  /** One stream: users whose content and name were erased. */
  erasures: streams('erasures', { role: 'evidence', writers: ['retention'], types: unchanged(erasureEventSchemas) }),
  /** One stream: traces that were written to files outside of the log. */
  archives: streams('archives', { role: 'evidence', writers: ['retention'], types: unchanged(archiveEventSchemas) }),
  /** One stream, about the log itself. */
  log: streams('log', { role: 'evidence', writers: ['backup'], types: unchanged(logEventSchemas) }),
  relay: streams('relay', {
    id: 'lane',
    role: 'bookkeeping',
    writers: ['relay'],
    types: unchanged(relayEventSchemas),
  }),
  /** One stream: the checkpoints of the log. */
  seal: streams('seal', { role: 'bookkeeping', writers: ['seal'], types: unchanged(sealEventSchemas) }),
} as const;

type Families = typeof families;

/** The name of a family, which is the category of its streams. */
export type Category = keyof Families;

/** The events of a family, as a union that `type` tells apart. */
export type EventsOf<Name extends Category> =
  Families[Name] extends StreamFamily<infer Events, infer _> ? Events : never;

/** Any event of the catalogue. */
export type KnownEvent = { [Name in Category]: EventsOf<Name> }[Category];

export type KnownType = KnownEvent['type'];

/** The event of a type: `EventOf<'TaskOpened'>`. */
export type EventOf<Type extends KnownType> = Extract<KnownEvent, { readonly type: Type }>;

/** The family that a type belongs to: `FamilyOf<'TaskOpened'>` is `'task'`. */
export type FamilyOf<Type extends KnownType> = {
  [Name in Category]: Type extends EventsOf<Name>['type'] ? Name : never;
}[Category];

/** The state of a stream of a family. */
export type StateOf<Name extends Category> =
  Families[Name] extends FoldedFamily<infer State, infer _Events, infer _Id> ? State : never;

const BY_CATEGORY: ReadonlyMap<string, StreamFamily> = new Map<string, StreamFamily>(Object.entries(families));

const BY_TYPE: ReadonlyMap<string, StreamFamily> = new Map(
  [...BY_CATEGORY.values()].flatMap((family) => Object.keys(family.types).map((type) => [type, family] as const)),
);

/** The family of a stream. Undefined if the catalogue does not have the stream. */
export function familyOf(stream: string): StreamFamily | undefined {
  const family = BY_CATEGORY.get(categoryOf(stream));
  return family?.has(stream) === true ? family : undefined;
}

/** The family of a stream that has a state. Undefined for any other stream. */
export function foldedFamilyOf(stream: string): FoldedFamily | undefined {
  const family = familyOf(stream);
  return family instanceof FoldedFamily ? family : undefined;
}

/** The family of an event type. Undefined if the catalogue does not have the type. */
export function familyOfType(type: string): StreamFamily | undefined {
  return BY_TYPE.get(type);
}

/** The categories with a role. */
export function categoriesWith(role: Role): string[] {
  return [...BY_CATEGORY.values()].filter((family) => family.role === role).map(({ category }) => category);
}

/** The categories whose streams hold events of these types. Undefined if one of the types is not in the catalogue. */
export function categoriesOf(types: Iterable<string>): string[] | undefined {
  const categories = new Set<string>();
  for (const type of types) {
    const family = BY_TYPE.get(type);
    if (family === undefined) return undefined;
    categories.add(family.category);
  }
  return [...categories];
}
