import { canonicalJson, isJsonObject, type JsonObject } from './canonical-json.js';
import { digestOf, digestOfBytes, type Digest } from './digest.js';
import { pointerTo, type JsonPointer } from './pointer.js';
import { err, ok, type Result } from './result.js';

/**
 * Version of the set of fields that the digest covers. A change of the set gets a new number; a number never changes
 * its meaning.
 */
export const DEFINITION_FIELD_SET = 1;

/**
 * The declarations of a server, as it sent them. Other fields (serverInfo, capabilities, resources) are not digested.
 */
export interface DigestedDefinition {
  readonly instructions?: string | undefined;
  readonly tools?: readonly JsonObject[] | undefined;
  readonly prompts?: readonly JsonObject[] | undefined;
  readonly resourceTemplates?: readonly JsonObject[] | undefined;
  readonly files?: readonly { readonly path: string; readonly digest: string }[] | undefined;
}

/** A digest per item and one for the whole: `definitionDigest = sha256(JCS(fields))`. */
export interface DefinitionFingerprint {
  readonly digest: Digest;
  readonly fields: {
    readonly fieldSet: typeof DEFINITION_FIELD_SET;
    readonly instructions: Digest | null;
    readonly tools: Readonly<Record<string, Digest>>;
    readonly prompts: Readonly<Record<string, Digest>>;
    readonly resourceTemplates: Readonly<Record<string, Digest>>;
    readonly files: Readonly<Record<string, string>>;
  };
}

/** The first item without a name, or with the name of an earlier item of its list. */
export interface DefinitionFault {
  readonly path: JsonPointer;
  readonly message: string;
}

/** Fingerprints a definition. The order of the lists does not matter; two items of one name are a fault. */
export function fingerprintDefinition(definition: DigestedDefinition): Result<DefinitionFingerprint, DefinitionFault> {
  const tools = byName('tools', definition.tools, 'name', digestOf);
  if (!tools.ok) return tools;
  const prompts = byName('prompts', definition.prompts, 'name', digestOf);
  if (!prompts.ok) return prompts;
  const resourceTemplates = byName('resourceTemplates', definition.resourceTemplates, 'uriTemplate', digestOf);
  if (!resourceTemplates.ok) return resourceTemplates;
  const files = byName('files', definition.files, 'path', (file) => file.digest);
  if (!files.ok) return files;
  const fields = {
    fieldSet: DEFINITION_FIELD_SET,
    instructions: definition.instructions === undefined ? null : digestOf(definition.instructions),
    tools: tools.value,
    prompts: prompts.value,
    resourceTemplates: resourceTemplates.value,
    files: files.value,
  } as const;
  return ok({ digest: digestOfBytes(canonicalJson(fields)), fields });
}

function byName<Item extends object, Value>(
  list: string,
  items: readonly Item[] | undefined,
  key: string & keyof Item,
  valueOf: (item: Item) => Value,
): Result<Record<string, Value>, DefinitionFault> {
  // No prototype: a tool may be called `__proto__` or `constructor`.
  const named = Object.create(null) as Record<string, Value>;
  for (const [index, item] of (items ?? []).entries()) {
    const name: unknown = isJsonObject(item) ? item[key] : undefined;
    if (typeof name !== 'string') return err({ path: pointerTo(list, index, key), message: 'needs a name' });
    if (Object.hasOwn(named, name)) return err({ path: pointerTo(list, index, key), message: 'the same name twice' });
    named[name] = valueOf(item);
  }
  return ok(named);
}
