import { z } from 'zod';
import { Label, NameId, VersionId } from '../vocabulary/ids.js';
import { Effect } from '../vocabulary/words.js';

/**
 * One entry of a task's scope. Without `operations` it covers those whose effects are all in `effects`; with both, both
 * must hold; with neither, it covers nothing. `maxCalls` bounds the distinct calls that it may allow.
 */
export const ScopeEntry = z.strictObject({
  capability: NameId,
  version: VersionId.optional(),
  operations: z.array(Label).max(512).optional(),
  effects: z.array(Effect).max(6).optional(),
  maxCalls: z.int().min(0).max(1_000_000).optional(),
});
export type ScopeEntry = z.infer<typeof ScopeEntry>;

/** The members of an entry by which an operation is covered. A host may hold words of a newer service. */
interface Coverage {
  readonly operations?: readonly string[] | undefined;
  readonly effects?: readonly string[] | undefined;
}

export function covers(entry: Coverage, operation: string, effects: readonly Effect[]): boolean {
  if (entry.operations === undefined && entry.effects === undefined) return false;
  if (entry.operations !== undefined && !entry.operations.includes(operation)) return false;
  const allowed = entry.effects;
  return allowed === undefined || effects.every((effect) => allowed.includes(effect));
}

/** The capability whose entries ask for different versions: a task pins one version of each. */
export function contradictoryVersion(scope: readonly ScopeEntry[]): string | undefined {
  const versions = new Map<string, string>();
  for (const { capability, version } of scope) {
    if (version === undefined) continue;
    const other = versions.get(capability);
    if (other !== undefined && other !== version) return capability;
    versions.set(capability, version);
  }
  return undefined;
}
