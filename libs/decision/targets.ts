import type { Source } from '../capability/manifest.js';
import type { SignatureResult } from '../capability/signature.js';
import type { CapabilityState } from '../capability/state.js';
import { targetKey } from '../directive/target.js';
import type { Effect } from '../vocabulary/words.js';

/** The keys of all directives that would stop a call. */
export function targetsOf(subject: {
  readonly host: string;
  readonly taskId?: string | undefined;
  readonly capabilityId: string;
  readonly capability: CapabilityState | undefined;
  readonly version: string | undefined;
  readonly operation: string;
  readonly signed?: SignatureResult | undefined;
}): string[] {
  const { host, taskId, capabilityId, capability, operation } = subject;
  const version = subject.version === undefined ? undefined : capability?.versions.get(subject.version);
  const keys = [
    targetKey({ type: 'all' }),
    targetKey({ type: 'capability', capability: capabilityId }),
    targetKey({ type: 'operation', capability: capabilityId, operation }),
    targetKey({ type: 'host', host }),
  ];
  if (taskId !== undefined) keys.push(targetKey({ type: 'task', taskId }));
  if (capability !== undefined) {
    keys.push(targetKey({ type: 'category', category: capability.category }));
    for (const publisher of capability.publishers) keys.push(targetKey({ type: 'publisher', publisher }));
  }
  const { signed } = subject;
  if (signed?.result === 'verified') {
    const { publisher, keyId } = signed;
    keys.push(targetKey({ type: 'publisher-key', publisher, keyId }));
  }
  if (version !== undefined) {
    const { source } = version;
    keys.push(targetKey({ type: 'version', capability: capabilityId, version: version.version }));
    keys.push(sourceKey(source));
    for (const effect of effectsOf(version.operations, operation)) keys.push(targetKey({ type: 'effect', effect }));
  }
  return keys;
}

const sourceKeys = new WeakMap<Source, string>();

/** The directive key of a source. It is computed once for each source, because every decision needs it. */
function sourceKey(source: Source): string {
  const known = sourceKeys.get(source);
  if (known !== undefined) return known;
  const key = targetKey({ type: 'source', source: `${source.type}:${source.name}` });
  sourceKeys.set(source, key);
  return key;
}

function effectsOf(operations: Readonly<Record<string, { effects: readonly Effect[] }>>, operation: string) {
  return Object.hasOwn(operations, operation) ? [...new Set(operations[operation]?.effects)] : [];
}
