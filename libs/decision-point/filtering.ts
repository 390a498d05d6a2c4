import { LRUCache } from 'lru-cache';
import type { Pack } from '../content/detect/packs.js';
import { declaredBy, NOTHING, WHOLE, type DeclaredPlace } from '../content/filter/declared.js';
import { filterOutbound } from '../content/filter/filter.js';
import type { FilterResult } from '../content/filter/shapes.js';
import type { SchemaValidator } from '../content/schema/schema-validator.js';
import { readSchema } from '../content/schema/schema-vetting.js';
import type { FilterQuestion } from '../decision/snapshot.js';
import type { Json } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import { ok } from '../kernel/result.js';

/** Limit of schemas of which each thread keeps what they declare: the most recently used ones. */
const MAX_DECLARED = 500;
const kept = new LRUCache<Digest, DeclaredPlace>({ max: MAX_DECLARED });

/** Filters a request by a pack and its pinned schema, which is loaded when first needed. */
export function filterBy(
  { schema, ...input }: FilterQuestion,
  pack: Pack,
  validator: SchemaValidator,
  load: (schema: Digest) => Json,
): FilterResult {
  if (schema === undefined) return filterOutbound(input, { pack, declared: WHOLE, valid: () => ok(undefined) });
  return filterOutbound(input, {
    pack,
    declared: declaredOf(schema, load),
    valid: (value) => validator.validate(schema, () => load(schema), value),
  });
}

function declaredOf(digest: Digest, load: (schema: Digest) => Json): DeclaredPlace {
  const known = kept.get(digest);
  if (known !== undefined) return known;
  const vetted = readSchema(load(digest));
  // Nothing is valid against a schema that cannot be vetted, so the check of the arguments has denied.
  const place = vetted.ok ? declaredBy(vetted.value) : NOTHING;
  kept.set(digest, place);
  return place;
}
