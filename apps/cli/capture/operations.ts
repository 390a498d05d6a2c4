import { isJsonObject, ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { MAX_OPERATIONS } from '../../../libs/capability/manifest.js';
import { vetSchema } from '../../../libs/content/schema/schema-vetting.js';
import type { Effect } from '../../../libs/vocabulary/words.js';
import type { ServerDefinition } from '../../../libs/mcp/definition.js';

const SCHEMAS = [
  ['input', 'inputSchema'],
  ['output', 'outputSchema'],
] as const;

/** An operation that the manifest does not name, and that therefore stays uncallable. */
export interface LeftOut {
  readonly operation: string;
  /** One clause for a person. It holds no text of the server except places in its schema. */
  readonly reason: string;
}

export interface ProposedOperations {
  readonly operations: Readonly<Record<string, { readonly effects: readonly Effect[] }>>;
  readonly leftOut: readonly LeftOut[];
}

/**
 * The operations that a manifest can name, with proposed effects. A tool is left out if the registry would refuse its
 * schemas. It stays in the definition, and the rest of the server can be used.
 */
export function proposeOperations(definition: ServerDefinition): ProposedOperations {
  // No prototype: a tool may be called `__proto__`.
  const operations = Object.create(null) as Record<string, { effects: readonly Effect[] }>;
  const leftOut: LeftOut[] = [];
  let count = 0;
  const propose = (operation: string | undefined, effects: readonly Effect[], fault?: string): void => {
    if (operation === undefined) return;
    const reason = fault ?? (count < MAX_OPERATIONS ? undefined : `a manifest names ${MAX_OPERATIONS} at most`);
    if (reason !== undefined) leftOut.push({ operation, reason });
    else operations[operation] = { effects };
    if (reason === undefined) count += 1;
  };
  for (const tool of definition.tools ?? []) propose(textOf(tool, 'name'), effectsOf(tool), faultOf(tool));
  for (const [prefix, key, items] of [
    ['prompt:', 'name', definition.prompts],
    ['template:', 'uriTemplate', definition.resourceTemplates],
    ['resource:', 'uri', definition.resources],
  ] as const) {
    for (const item of items ?? []) propose(prefixed(prefix, textOf(item, key)), ['read']);
  }
  return { operations, leftOut };
}

/** Why the registry would refuse a tool; undefined if it would not. */
function faultOf(tool: JsonObject): string | undefined {
  if (ownValue(tool, 'inputSchema') === undefined) return 'it declares no input schema';
  for (const [kind, key] of SCHEMAS) {
    const schema = ownValue(tool, key);
    const vetted = schema === undefined ? undefined : vetSchema(schema);
    if (vetted?.ok === false)
      return `its ${kind} schema is refused at ${vetted.error.path || '/'}: ${vetted.error.message}`;
  }
  return undefined;
}

/**
 * Effects that the server's own annotations suggest: a claim of the registered server, which the owner corrects. An absent
 * hint counts as MCP's default (not read-only, destructive, open world). A tool that declares itself read-only reaches out
 * only if it says so. Without any annotations the result is the cautious set.
 */
export function effectsOf(tool: JsonObject): readonly Effect[] {
  const annotations = ownValue(tool, 'annotations');
  const hint = (name: string): unknown => (isJsonObject(annotations) ? ownValue(annotations, name) : undefined);
  if (hint('readOnlyHint') === true) return hint('openWorldHint') === true ? ['read', 'send'] : ['read'];
  if (!isJsonObject(annotations)) return ['read', 'write', 'send', 'modify'];
  const effects: Effect[] = ['write'];
  if (hint('openWorldHint') !== false) effects.push('send');
  if (hint('destructiveHint') !== false) effects.push('modify');
  return effects;
}

function prefixed(prefix: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : prefix + name;
}

function textOf(value: JsonObject, key: string): string | undefined {
  const text = ownValue(value, key);
  return typeof text === 'string' && text !== '' ? text : undefined;
}
