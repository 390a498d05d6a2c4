import { z } from 'zod';
import { unreachable } from '../kernel/result.js';
import { KeyId, Label, NameId, Uuid, VersionId } from '../vocabulary/ids.js';
import { canonicalSource } from '../vocabulary/source.js';
import { Effect } from '../vocabulary/words.js';

/** The calls that a directive stops. */
export const Target = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('all') }),
  z.strictObject({ type: z.literal('capability'), capability: NameId }),
  z.strictObject({ type: z.literal('version'), capability: NameId, version: VersionId }),
  z.strictObject({ type: z.literal('operation'), capability: NameId, operation: Label }),
  z.strictObject({ type: z.literal('publisher'), publisher: NameId }),
  z.strictObject({ type: z.literal('publisher-key'), publisher: NameId, keyId: KeyId }),
  z.strictObject({ type: z.literal('source'), source: Label }),
  z.strictObject({ type: z.literal('category'), category: NameId }),
  z.strictObject({ type: z.literal('effect'), effect: Effect }),
  z.strictObject({ type: z.literal('host'), host: NameId }),
  z.strictObject({ type: z.literal('task'), taskId: Uuid }),
]);
export type Target = z.infer<typeof Target>;

/** A target in the one spelling under which it matches: all spellings of a source are one. */
export function canonicalTarget(target: Target): Target {
  return target.type === 'source' ? { ...target, source: canonicalSource(target.source) } : target;
}

/** A target as one string, the form in which decisions name what they can be stopped by: `version:memory@1.0.0`. */
export function targetKey(target: Target): string {
  switch (target.type) {
    case 'all':
      return 'all';
    case 'capability':
      return `capability:${target.capability}`;
    case 'version':
      return `version:${target.capability}@${target.version}`;
    case 'operation':
      return `operation:${target.capability}/${target.operation}`;
    case 'publisher':
      return `publisher:${target.publisher}`;
    case 'publisher-key':
      return `publisher-key:${target.publisher}/${target.keyId}`;
    case 'source':
      return `source:${canonicalSource(target.source)}`;
    case 'category':
      return `category:${target.category}`;
    case 'effect':
      return `effect:${target.effect}`;
    case 'host':
      return `host:${target.host}`;
    case 'task':
      return `task:${target.taskId}`;
    default:
      return unreachable(target);
  }
}
