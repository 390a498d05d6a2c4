import { isJsonObject, type Json } from '../kernel/canonical-json.js';
import type { JsonPointer } from '../kernel/pointer.js';
import { boundedPointer } from './bounded-pointer.js';

/** Names of members that JSON-RPC and MCP define for results and errors: no server chooses them. */
const OF_THE_PROTOCOL: ReadonlySet<string> = new Set(
  (
    'code message data content contents structuredContent messages role text type uri name title description mimeType ' +
    'blob resource resources annotations audience priority lastModified isError _meta size icons src sizes model prompts ' +
    'tools instructions'
  ).split(' '),
);

/** Names that are read out of one schema. */
const MAX_NAMES = 4096;
/** An index of a list: a longer number could be a name that a server chose. */
const INDEX = /^\d{1,6}$/;

/**
 * A pointer into a response with `*` for every name that neither the protocol nor the pinned schema has. A server chooses
 * such names, so they are content, and findings are recorded in events.
 */
export function safePointer(pointer: JsonPointer, names: Pick<ReadonlySet<string>, 'has'>): JsonPointer {
  const [root = '', ...segments] = pointer.split('/');
  const safe = segments.map((segment) => {
    const name = segment.replaceAll('~1', '/').replaceAll('~0', '~');
    return INDEX.test(name) || OF_THE_PROTOCOL.has(name) || names.has(name) ? segment : '*';
  });
  return boundedPointer([root, ...safe].join('/'));
}

/** The names of members that a schema declares, at any depth. A reviewer has approved them. */
export function declaredNames(schema: Json): ReadonlySet<string> {
  const names = new Set<string>();
  const open: Json[] = [schema];
  for (let value = open.pop(); value !== undefined && names.size < MAX_NAMES; value = open.pop()) {
    if (Array.isArray(value)) open.push(...value);
    if (!isJsonObject(value)) continue;
    for (const [key, member] of Object.entries(value)) {
      if (key === 'properties' && isJsonObject(member)) for (const name of Object.keys(member)) names.add(name);
      open.push(member);
    }
  }
  return names;
}
