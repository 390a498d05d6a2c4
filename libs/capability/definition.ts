import { z } from 'zod';
import { isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { DigestText, FreeObject, Label } from '../vocabulary/ids.js';

const File = z.strictObject({ path: z.string().min(1).max(1024), digest: DigestText, size: z.int().min(0) });
const MAX_FILES = 10_000;

/** Everything that a server declares, as it sent it. For skills, plugins and extensions: the files of the package. */
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

/** A definition as it comes with a call; unknown fields are dropped. */
export const ObservedDefinition = Definition.strip().extend({ files: z.array(File.strip()).max(MAX_FILES).optional() });

/** The parameters of the request to the server: another probe may get another definition. */
export const Probe = z.strictObject({
  protocolVersion: z.string().max(64),
  clientCapabilities: FreeObject,
  credentialScope: Label.optional(),
});
export type Probe = z.infer<typeof Probe>;

/** Prefixes of operations that are no tools. `client:` is for requests of a server to its host. */
const PREFIXES = ['prompt:', 'template:', 'resource:', 'script:', 'client:'] as const;

export function hasReservedPrefix(toolName: string): boolean {
  return toolName.startsWith('$') || PREFIXES.some((prefix) => toolName.startsWith(prefix));
}

/** The reserved operation that a host asks for before the first byte to a server. */
export const CONNECT = '$connect';

/** An operation as its definition declares it: the schemas of a tool, and whether a prompt has an argument `name`. */
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

/** Whether a manifest may name an operation: the server declares it, or it is a request to the host. */
export function mayDeclare(declared: ReadonlyMap<string, DeclaredOperation>, operation: string): boolean {
  return declared.has(operation) || operation.startsWith('client:');
}

/** A text member of an item; empty if it has none. */
export function textOf(item: JsonObject, key: string): string {
  const value = ownValue(item, key);
  return typeof value === 'string' ? value : '';
}
