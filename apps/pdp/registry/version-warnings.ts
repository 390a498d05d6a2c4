import { declaredOperations, type Definition } from '../../../libs/capability/definition.js';
import type { VersionState } from '../../../libs/capability/state.js';
import { unacceptedLocators, unneededRequired } from '../../../libs/content/filter/unaccepted.js';
import type { ManifestView, VersionWarning } from '../../../libs/contract/registry.js';
import { ownValue } from '../../../libs/kernel/canonical-json.js';
import { pointerTo } from '../../../libs/kernel/pointer.js';

const MAX_WARNINGS = 64;

/** Parts of a manifest that probably do not do what its owner means; undefined if there are none. They refuse nothing. */
export function warningsOf(
  definition: Definition,
  manifest: ManifestView,
  { operations, sensitivity }: Pick<VersionState, 'operations' | 'sensitivity'>,
): VersionWarning[] | undefined {
  const declared = declaredOperations(definition);
  const found: VersionWarning[] = [];
  for (const [name, operation] of Object.entries(manifest.operations)) {
    if (found.length >= MAX_WARNINGS) break;
    const path = `/manifest/operations${pointerTo(name)}`;
    const facts = ownValue(operations, name);
    if (operation.needs !== undefined && facts?.needs === undefined)
      found.push({ path: `${path}/needs`, message: TOO_OLD });
    const schema = declared.get(name)?.inputSchema ?? operation.argumentsSchema ?? null;
    const unneeded = facts?.needs === undefined ? [] : unneededRequired(schema, facts.needs.arguments);
    found.push(...unneeded.map((argument) => ({ path: `${path}/needs`, message: lacks(argument) })));
    // Of a restricted version no personal data is redacted.
    if (sensitivity === 'restricted' || operation.effects.every((effect) => effect === 'read')) continue;
    const locators = typeof schema === 'boolean' ? [] : unacceptedLocators(schema, facts?.needs?.arguments);
    found.push(...locators.map((argument) => ({ path, message: redacts(argument) })));
  }
  return found.length === 0 ? undefined : found.slice(0, MAX_WARNINGS);
}

const TOO_OLD = 'has no effect, because the version was proposed before needs were enforced: propose it again';

const lacks = (argument: string): string =>
  `names no ${argument}, which the schema requires: it is taken out of each call, and every call is denied`;

const redacts = (argument: string): string =>
  `${argument} names or addresses something, and accepts no type: a redaction in it changes the target or denies the call`;
