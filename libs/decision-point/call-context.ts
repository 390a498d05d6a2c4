import type { MaybeCapability } from '../capability/state.js';
import { canonicalJson, isJsonObject, ownValue, type Json } from '../kernel/canonical-json.js';
import type { Pin } from '../task/decider.js';

/** Names of operations that a response is searched for. A task that may use more is searched for the first ones. */
const MAX_OPERATIONS = 4096;

type Pins = ReadonlyMap<string, Pin>;

/** The names for the pins of a task: pins and versions never change. */
const known = new WeakMap<Pins, readonly string[]>();

/** The operations of the versions that a task is bound to, each name once. */
export function operationsOf(pins: Pins, capability: (id: string) => MaybeCapability): readonly string[] {
  const before = known.get(pins);
  if (before !== undefined) return before;
  const names = new Set<string>();
  for (const { capability: id, version } of pins.values()) {
    for (const name of Object.keys(capability(id)?.versions.get(version)?.operations ?? {})) names.add(name);
  }
  const sorted = [...names].sort().slice(0, MAX_OPERATIONS);
  known.set(pins, sorted);
  return sorted;
}

/** The request of a call as text: the purpose of its task, its arguments and its context. */
export function requestText(purpose: string, asked: Readonly<Record<string, Json>> = {}): string {
  const { arguments: values, context } = asked;
  const items = Array.isArray(context) ? (context as readonly Json[]) : [];
  const contents = items.map((item) => (isJsonObject(item) ? ownValue(item, 'content') : undefined));
  const texts = [purpose, values === undefined ? undefined : canonicalJson(values), ...contents];
  return texts.filter((text) => typeof text === 'string').join('\n');
}

/** Kinds of findings that the request of a call can explain away: it names the same operation or the same address. */
const EXPLAINED: ReadonlySet<string> = new Set(['exfiltration', 'tool_directive']);

/** Whether a finding may be none once the request is known. The request never adds a finding. */
export const dependsOnRequest = ({ kind }: { readonly kind: string }): boolean => EXPLAINED.has(kind);
