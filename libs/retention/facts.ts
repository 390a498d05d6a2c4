import type { StreamWrite } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { families, type EventOf } from '../streams/catalogue.js';
import { writeOf } from '../streams/facts.js';

/** Who recorded a fact, and when. */
interface By {
  readonly actor: string;
  readonly time: Instant;
}

type DataOf<Type extends 'UserErased' | 'EvidenceRead' | 'TracesArchived'> = EventOf<Type>['data'];

/** The write that records an erasure, after revision `expected` of its stream. */
export const erasureWrite = (expected: number, data: DataOf<'UserErased'>, by: By): StreamWrite =>
  writeOf(families.erasures.stream(), expected, [{ type: 'UserErased', data, ...by }]);

/** The write that records what principal `name` read, after revision `expected` of its stream. */
export const readsWrite = (
  name: string,
  expected: number,
  reads: readonly DataOf<'EvidenceRead'>[],
  by: By,
): StreamWrite =>
  writeOf(
    families.reads.stream(name),
    expected,
    reads.map((data) => ({ type: 'EvidenceRead', data, ...by })),
  );

/** The write that records an archive, after revision `expected` of its stream. */
export const archiveWrite = (expected: number, data: DataOf<'TracesArchived'>, by: By): StreamWrite =>
  writeOf(families.archives.stream(), expected, [{ type: 'TracesArchived', data, ...by }]);
