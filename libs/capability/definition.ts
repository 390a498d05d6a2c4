import { z } from 'zod';
import { isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { DigestText, FreeObject, Label } from '../vocabulary/ids.js';

const File = z.strictObject({ path: z.string().min(1).max(1024), digest: DigestText, size: z.int().min(0) });
const MAX_FILES = 10_000;

/** Everything a server declares, as it sent it; for skills, plugins and extensions the files of the package. */
export const Definition = z.strictObject({
  serverInfo: FreeObject.optional(),
  capabilities: FreeObject.optional(),
  instructions: z.string().optional(),
  tools: z.array(FreeObject).max(2000).optional(),
  prompts: z.array(FreeObject).max(2000).optional(),
  resourceTemplates: z.array(FreeObject).max(2000).optional(),
  resources: z.array(FreeObject).max(2000).optional(),
  files: z.array(File).max(MAX_FILES).optional(),
});
export type Definition = z.infer<typeof Definition>;

/** The same as it comes with a call, where unknown fields are dropped. */
export const ObservedDefinition = Definition.strip().extend({ files: z.array(File.strip()).max(MAX_FILES).optional() });

/** What the server was asked with: another probe may be answered with another definition. */
export const Probe = z.strictObject({
  protocolVersion: z.string().max(64),
  clientCapabilities: FreeObject,
  credentialScope: Label.optional(),
});
export type Probe = z.infer<typeof Probe>;

/** Prefixes that tell operations apart which are no tools. `client:` is what a server asks of its host. */
const PREFIXES = ['prompt:', 'template:', 'resource:', 'script:', 'client:'] as const;

export function hasReservedPrefix(toolName: string): boolean {
  return toolName.startsWith('$') || PREFIXES.some((prefix) => toolName.startsWith(prefix));
}

/** The reserved operation that a host asks for before the first byte to a server. */
export const CONNECT = '$connect';

/** What a definition says about an operation: the schemas of a tool, and whether a prompt has an argument `name`. */
export interface DeclaredOperation {
  readonly inputSchema?: Json | undefined;
  readonly outputSchema?: Json | undefined;
  readonly ownName?: boolean;
}

/** Every operation that a definition declares, by its operation name. */
export function declaredOperations(definition: Definition): Map<string, DeclaredOperation> {
  const operations = new Map<string, DeclaredOperation>();
  for (const tool of definition.tools ?? []) {
    const declared = { inputSchema: ownValue(tool, 'inputSchema'), outputSchema: ownValue(tool, 'outputSchema') };
    operations.set(textOf(tool, 'name'), declared);
  }
  for (const prompt of definition.prompts ?? []) {
    operations.set(`prompt:${textOf(prompt, 'name')}`, { ownName: hasArgumentName(prompt) });
  }
  for (const item of definition.resourceTemplates ?? []) operations.set(`template:${textOf(item, 'uriTemplate')}`, {});
  for (const resource of definition.resources ?? []) operations.set(`resource:${textOf(resource, 'uri')}`, {});
  for (const file of definition.files ?? []) operations.set(`script:${file.path}`, {});
  return operations;
}

/** A prompt declares its arguments as a list of objects with names. */
function hasArgumentName(prompt: JsonObject): boolean {
  const declared = ownValue(prompt, 'arguments');
  return Array.isArray(declared) && declared.some((each) => isJsonObject(each) && ownValue(each, 'name') === 'name');
}

/** Whether a manifest may name an operation: what the server declares, or what it may ask of its host. */
export function mayDeclare(declared: ReadonlyMap<string, DeclaredOperation>, operation: string): boolean {
  return declared.has(operation) || operation.startsWith('client:');
}

/** A text member of an item; empty where it has none. */
export function textOf(item: JsonObject, key: string): string {
  const value = ownValue(item, key);
  return typeof value === 'string' ? value : '';
}
