import type { ExpectedName } from '../policy/check.js';
import type { RegisteredNames } from '../policy/registered.js';
import type { ControlView } from './control-view.js';

/** The registry as policies name it. It searches for categories only if a policy set names one. */
export async function registeredNames(view: ControlView, names: readonly ExpectedName[]): Promise<RegisteredNames> {
  const known = new Map<string, ReadonlySet<string> | undefined>();
  const sought = new Set(names.filter(({ type }) => type === 'Category').map(({ id }) => id));
  const categories = new Set<string>();
  if (sought.size > 0) {
    for await (const { category } of view.capabilitiesFrom()) {
      if (sought.has(category)) categories.add(category);
      if (categories.size === sought.size) break;
    }
  }
  return {
    operations(capability) {
      if (!known.has(capability)) known.set(capability, operationsOf(view, capability));
      return known.get(capability);
    },
    hasCategory: (category) => categories.has(category),
  };
}

function operationsOf(view: ControlView, capability: string): ReadonlySet<string> | undefined {
  const state = view.capability(capability).state;
  if (state === undefined) return undefined;
  return new Set([...state.versions.values()].flatMap(({ operations }) => Object.keys(operations)));
}
