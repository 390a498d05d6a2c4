import { isJsonObject } from '../kernel/canonical-json.js';

/** The kinds of findings of version 1, of each detector; `*` is any other kind. Every detector but that of stops is here. */
const KINDS: Readonly<Record<string, Readonly<Record<string, readonly [kind: string, detector?: string]>>>> = {
  output_schema: { '*': ['schema'] },
  caps: { '*': ['cap'] },
  response: { late: ['cap', 'caps/late'], too_costly: ['cap', 'caps/too_costly'], '*': ['failure'] },
  envelope: { too_deep: ['cap'], '*': ['failure'] },
};

/**
 * Findings of version 1 had the exact rule as their kind. Today the detector names it: `{ output_schema, type }` is
 * `{ output_schema/type, schema }`.
 */
export function responseFromV1(data: unknown): unknown {
  if (!isJsonObject(data) || !Array.isArray(data['findings'])) return data;
  return { ...data, findings: data['findings'].map(findingFromV1) };
}

function findingFromV1(finding: unknown): unknown {
  if (!isJsonObject(finding)) return finding;
  const { detector, kind } = finding;
  if (typeof detector !== 'string' || typeof kind !== 'string' || !Object.hasOwn(KINDS, detector)) return finding;
  const kinds = KINDS[detector] ?? {};
  const [today, by = `${detector}/${kind}`] = (Object.hasOwn(kinds, kind) ? kinds[kind] : kinds['*']) ?? [kind];
  return { ...finding, detector: by, kind: today };
}
