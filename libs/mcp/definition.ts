import { isJsonObject, ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { fingerprintDefinition, type DefinitionFingerprint } from '../kernel/definition-digest.js';
import { METHOD_NOT_FOUND, type McpReply } from './message.js';
import type { Greeting } from './protocol.js';

/** Everything a server declares, each item whole and as it was received. */
export interface ServerDefinition {
  readonly serverInfo?: JsonObject;
  readonly capabilities?: JsonObject;
  readonly instructions?: string;
  readonly tools?: readonly JsonObject[];
  readonly prompts?: readonly JsonObject[];
  readonly resourceTemplates?: readonly JsonObject[];
  readonly resources?: readonly JsonObject[];
}

export interface DefinitionRead {
  readonly definition: ServerDefinition;
  readonly fingerprint: DefinitionFingerprint;
  /** Methods of lists that the server declares and does not answer. They count as empty. */
  readonly missing: readonly string[];
}

/** The definition cannot be read. The message holds no text of the server; `said` is the text of the server's error. */
export class DefinitionFailure extends Error {
  override readonly name = 'DefinitionFailure';

  constructor(
    readonly kind: 'protocol' | 'flood',
    message: string,
    readonly answered?: { readonly code: number; readonly said: string },
  ) {
    super(message);
  }
}

/** Bounds on the lists of a server, which is attacker-controlled. A registration may hold the same number of items. */
const [MAX_PAGES, MAX_ITEMS] = [100, 2000];

/** Sends one request. Rejects if no answer comes. The implementation bounds its time and its bytes. */
export type Request = (method: string, params: JsonObject) => Promise<McpReply>;

/**
 * Reads what a connected server declares: its tools, prompts and resource templates, and with `resources` its resources
 * too. Resources are not in the digest, so a `resources/list` that fails is a missing list. Every reader of definitions
 * calls this function, so that `sallyport capture` and a host compute the same digest. Throws `DefinitionFailure`.
 */
export async function readDefinition(
  { serverInfo, capabilities, instructions }: Greeting,
  request: Request,
  also?: 'resources',
): Promise<DefinitionRead> {
  const missing: string[] = [];
  const list = async (capability: string, method: string, key: keyof ServerDefinition): Promise<ServerDefinition> => {
    if (ownValue(capabilities, capability) === undefined) return {};
    const items = await readList(request, method, key);
    if (items === undefined) missing.push(method);
    return { [key]: items ?? [] };
  };
  const definition: ServerDefinition = {
    ...defined({ serverInfo, capabilities, instructions }),
    ...(await list('tools', 'tools/list', 'tools')),
    ...(await list('prompts', 'prompts/list', 'prompts')),
    ...(await list('resources', 'resources/templates/list', 'resourceTemplates')),
  };
  const fingerprint = fingerprintDefinition(definition);
  if (!fingerprint.ok) {
    const { path, message } = fingerprint.error;
    throw new DefinitionFailure('protocol', `the definition has a fault at ${path}: ${message}`);
  }
  const read = { definition, fingerprint: fingerprint.value, missing };
  if (also === undefined) return read;
  try {
    return { ...read, definition: { ...definition, ...(await list('resources', 'resources/list', 'resources')) } };
  } catch {
    missing.push('resources/list');
    return read;
  }
}

/** All pages of a list; undefined if the server does not have it. Cursors are attacker-controlled. */
async function readList(request: Request, method: string, key: string): Promise<readonly JsonObject[] | undefined> {
  const items: JsonObject[] = [];
  const seen = new Set<string>();
  let params: JsonObject = {};
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const reply = await request(method, params);
    if (!reply.ok) {
      if (page === 1 && isUnsupported(reply)) return undefined;
      const { code, message } = reply;
      throw new DefinitionFailure('protocol', `the server refused ${method} (${code})`, { code, said: message });
    }
    items.push(...itemsOf(reply.result, method, key));
    if (items.length > MAX_ITEMS) throw new DefinitionFailure('flood', `${method} has over ${MAX_ITEMS} items`);
    const cursor = ownValue(reply.result, 'nextCursor');
    if (typeof cursor !== 'string') return items;
    if (seen.has(cursor)) throw new DefinitionFailure('flood', `${method} has no end: it gave the same cursor twice`);
    seen.add(cursor);
    params = { cursor };
  }
  throw new DefinitionFailure('flood', `${method} has no end: over ${MAX_PAGES} pages`);
}

function itemsOf(result: JsonObject, method: string, key: string): readonly JsonObject[] {
  const type = ownValue(result, 'resultType');
  const items = ownValue(result, key);
  const isWhole = type === undefined || type === 'complete';
  if (!isWhole || !Array.isArray(items) || !items.every(isJsonObject)) {
    throw new DefinitionFailure('protocol', `the server's answer to ${method} holds no list of ${key}`);
  }
  return items;
}

const UNSUPPORTED = /\b(?:method not found|not (?:supported|implemented)|unsupported|unknown method|no such method)\b/i;

/** Whether the server does not know the method. JSON-RPC has a code for it; some servers send another code and say it in words. */
const isUnsupported = ({ code, message }: { readonly code: number; readonly message: string }): boolean =>
  code === METHOD_NOT_FOUND || UNSUPPORTED.test(message.slice(0, 300));
