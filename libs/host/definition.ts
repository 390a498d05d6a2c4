import { textOf } from '../capability/definition.js';
import { operationsReading } from '../capability/resource-uri.js';
import { isJsonObject, ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { fingerprintDefinition } from '../kernel/definition-digest.js';
import { covers, type ScopeEntry } from '../task/scope.js';
import { Effects, type RegisteredVersion } from './answers.js';
import { RAW, type McpClient } from './mcp.js';
import type { Effect } from '../vocabulary/words.js';

/** Everything a server declares, as it sent it, and its digest. */
export interface ObservedDefinition {
  readonly definition: object;
  readonly digest: string;
}

const [MAX_PAGES, MAX_ITEMS] = [100, 2000];

/** Reads all lists of a connected server. Throws where one has no end, no form, or two items of one name. */
export async function observeDefinition(client: McpClient<never>, signal: AbortSignal): Promise<ObservedDefinition> {
  const capabilities = (client.getServerCapabilities() ?? {}) as JsonObject;
  const serverInfo = client.getServerVersion();
  const instructions = client.getInstructions();
  const list = async (capability: string, method: string, key: string): Promise<Record<string, JsonObject[]>> =>
    ownValue(capabilities, capability) === undefined ? {} : { [key]: await listAll(client, method, key, signal) };
  const lists = {
    ...(await list('tools', 'tools/list', 'tools')),
    ...(await list('prompts', 'prompts/list', 'prompts')),
    ...(await list('resources', 'resources/templates/list', 'resourceTemplates')),
  };
  const definition = { ...(instructions === undefined ? {} : { instructions }), ...lists };
  const fingerprint = fingerprintDefinition(definition);
  if (!fingerprint.ok) throw new Error(`the definition has a fault at ${fingerprint.error.path}`);
  const named = { capabilities, ...(serverInfo === undefined ? {} : { serverInfo }) };
  return { definition: { ...named, ...definition }, digest: fingerprint.value.digest };
}

/** All pages of a list. Cursors are the server's word: a repeated one, or one too many, is a list without an end. */
async function listAll(
  client: McpClient<never>,
  method: string,
  key: string,
  signal: AbortSignal,
): Promise<JsonObject[]> {
  const items: JsonObject[] = [];
  const cursors = new Set<string>();
  let params: Record<string, unknown> = {};
  while (items.length <= MAX_ITEMS && cursors.size < MAX_PAGES) {
    const result = await client.request({ method, params }, RAW, { signal });
    const found = isJsonObject(result) ? ownValue(result, key) : undefined;
    if (!Array.isArray(found) || !found.every(isJsonObject)) throw new Error(`no list of ${key}`);
    items.push(...found);
    const cursor = isJsonObject(result) ? ownValue(result, 'nextCursor') : undefined;
    if (typeof cursor !== 'string') return items;
    if (cursors.has(cursor)) break;
    cursors.add(cursor);
    params = { cursor };
  }
  throw new Error(`the list of ${key} has no end`);
}

/** What an agent is shown: the pinned definition, cut to what its task may do. */
export interface ShownDefinition {
  readonly instructions: string | undefined;
  readonly tools: readonly JsonObject[];
  readonly prompts: readonly JsonObject[];
  readonly resourceTemplates: readonly JsonObject[];
  /** Operations of resources that may be read one by one: their URIs. */
  readonly resources: readonly string[];
}

/** A pinned version as one task may use it. */
export interface PinnedVersion {
  readonly shown: ShownDefinition;
  /** What the operation does, where that is one thing. */
  effectOf(operation: string): Effect | undefined;
  /**
   * The operation by which a resource is read, over the whole manifest: its own, else a template that matches, one in
   * scope first. A template never stands in for an operation that is out of scope or disabled. Undefined if none reads it.
   */
  readerOf(uri: string): string | undefined;
}

/** Throws where the registered definition is not the one that the task pinned. */
export function pinnedFor(
  { definition, manifest }: RegisteredVersion,
  digest: string,
  scope: readonly ScopeEntry[],
): PinnedVersion {
  const fingerprint = fingerprintDefinition(definition);
  if (!fingerprint.ok || fingerprint.value.digest !== digest) throw new Error('the definition is not the pinned one');
  const effectsOf = (operation: string): readonly Effect[] | undefined =>
    Effects.safeParse(ownValue(manifest.operations, operation)).data?.effects;
  const isInScope = (operation: string): boolean => {
    const effects = effectsOf(operation);
    return effects !== undefined && scope.some((entry) => covers(entry, operation, effects));
  };
  const cut = (items: readonly JsonObject[] | undefined, prefix: string, key: string) =>
    (items ?? []).filter((item) => isInScope(`${prefix}${textOf(item, key)}`));
  return {
    shown: {
      instructions: definition.instructions,
      tools: cut(definition.tools, '', 'name'),
      prompts: cut(definition.prompts, 'prompt:', 'name'),
      resourceTemplates: cut(definition.resourceTemplates, 'template:', 'uriTemplate'),
      resources: Object.keys(manifest.operations)
        .filter((operation) => operation.startsWith('resource:') && isInScope(operation))
        .map((operation) => operation.slice('resource:'.length)),
    },
    effectOf(operation) {
      const effects = effectsOf(operation);
      return effects?.length === 1 ? effects[0] : undefined;
    },
    readerOf(uri) {
      const readers = operationsReading(uri, manifest.operations);
      return readers.find(isInScope) ?? readers[0];
    },
  };
}
