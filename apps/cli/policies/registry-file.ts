import type { Json } from '../../../libs/kernel/canonical-json.js';
import type { RegisteredNames } from '../../../libs/policy/registered.js';
import { at, dig, list } from '../print.js';
import { UsageError } from '../world.js';

/**
 * The names in a copy of the registry: the output of `sallyport capabilities --json`, one capability of it, or a file
 * that `sallyport capture` wrote. Throws `UsageError` if it holds no capability.
 */
export function namesOfRegistry(registry: Json, file: string): RegisteredNames {
  const items = list(registry, 'items');
  const capabilities = items.length > 0 ? items : Array.isArray(registry) ? (registry as readonly Json[]) : [registry];
  const operations = new Map<string, Set<string>>();
  const categories = new Set<string>();
  for (const capability of capabilities) {
    const id = at(capability, 'id');
    if (id === '') throw new UsageError(`${file} holds no list of capabilities, as \`capabilities --json\` prints it`);
    categories.add(at(capability, 'category'));
    const known = operations.get(id) ?? new Set();
    for (const version of [...list(capability, 'versions'), dig(capability, 'version')]) {
      for (const operation of Object.keys(dig(version, 'manifest', 'operations') ?? {})) known.add(operation);
    }
    operations.set(id, known);
  }
  return { operations: (id) => operations.get(id), hasCategory: (category) => categories.has(category) };
}
