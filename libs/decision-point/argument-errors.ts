import { LRUCache } from 'lru-cache';
import type { Pack } from '../content/detect/packs.js';
import { declaredNames, safePointer } from '../content/safe-pointer.js';
import type { ArgumentError } from '../decision/snapshot.js';
import type { Json } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { Digest } from '../kernel/digest.js';
import { err, type Result } from '../kernel/result.js';

/** Limit of schemas of which the names are kept: the most recently used ones. */
const MAX_SCHEMAS = 500;
const kept = new LRUCache<Digest, ReadonlySet<string>>({ max: MAX_SCHEMAS });

/** Keywords whose errors name a member that the schema asks for. */
const ASKING: ReadonlySet<string> = new Set(['required', 'dependentRequired']);

const WORD = /^[A-Za-z_]{1,20}$/;

/** A word of letters in which nothing is detected: keys of some services have letters alone. */
const isPlainWord = (name: string, pack: Pack | undefined): boolean =>
  WORD.test(name) && pack?.detect(name).length === 0;

/**
 * The errors of arguments with `*` for each name that their schema lacks, unless it is a plain word without spans. The caller
 * chose such a name, so it may be content, and errors are recorded.
 */
export function withoutOwnNames(
  result: Result<void, readonly ArgumentError[]>,
  schema: Digest,
  load: () => Json,
  pack: Pack | undefined,
): Result<void, readonly ArgumentError[]> {
  if (result.ok) return result;
  const declared = kept.get(schema) ?? declaredNames(load());
  kept.set(schema, declared);
  const names = { has: (name: string) => declared.has(name) || isPlainWord(name, pack) };
  const isKnown = ({ keyword, member }: ArgumentError) =>
    member === undefined || ASKING.has(keyword) || names.has(member);
  return err(
    result.error.map((error) => {
      const member = isKnown(error) ? error.member : '*';
      return defined({ ...error, path: safePointer(error.path, names), member });
    }),
  );
}
