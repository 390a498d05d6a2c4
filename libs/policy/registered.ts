import { findingsOf, type ExpectedName, type PolicyFinding } from './check.js';

/** The names in the registry. */
export interface RegisteredNames {
  /** The operations of all versions of a capability; undefined if there is no such capability. */
  operations(capability: string): ReadonlySet<string> | undefined;
  /** Whether any capability is in the category. */
  hasCategory(category: string): boolean;
}

/** A warning for each name that is not in the registry. It is not an error: a policy may come before its capability. */
export function unregistered(text: string, names: readonly ExpectedName[], registry: RegisteredNames): PolicyFinding[] {
  return findingsOf(
    text,
    names.flatMap(({ type, id, at }) => {
      const message = complaintOf(type, id, registry);
      return message === undefined ? [] : [{ message, at }];
    }),
  );
}

function complaintOf(type: ExpectedName['type'], id: string, registry: RegisteredNames): string | undefined {
  const quoted = JSON.stringify(id);
  if (type === 'Category') return registry.hasCategory(id) ? undefined : `no capability is in category ${quoted}`;
  if (type === 'Capability') return registry.operations(id) ? undefined : `no capability ${quoted} is registered`;
  const slash = id.indexOf('/');
  if (slash < 0) return `operation ${quoted} names no capability; the form is "<capability>/<operation>"`;
  const capability = id.slice(0, slash);
  const operations = registry.operations(capability);
  if (operations === undefined) return `operation ${quoted}: no capability ${JSON.stringify(capability)} is registered`;
  return operations.has(id.slice(slash + 1)) ? undefined : `no version has the operation ${quoted}`;
}
