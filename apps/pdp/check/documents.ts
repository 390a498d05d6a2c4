import type { EventOf } from '../../../libs/streams/catalogue.js';

/** The digests of the documents that an event names: each has to be in the store. */
export function documentsOf(type: string, data: unknown): readonly string[] {
  switch (type) {
    case 'VersionProposed': {
      const { documents, operations } = data as EventOf<'VersionProposed'>['data'];
      const schemas = Object.values(operations).flatMap((each) => [each.arguments, each.output]);
      return [...Object.values(documents), ...schemas].filter((digest) => digest !== undefined);
    }
    case 'DriftObserved': {
      const { snapshot } = data as EventOf<'DriftObserved'>['data'];
      return snapshot === undefined ? [] : [snapshot];
    }
    case 'PolicyProposed':
      return [(data as EventOf<'PolicyProposed'>['data']).cedar];
    case 'TracesArchived':
      return [(data as EventOf<'TracesArchived'>['data']).digest];
    default:
      return [];
  }
}
