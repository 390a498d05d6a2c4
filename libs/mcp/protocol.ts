import { isJsonObject, ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { objectAt } from './message.js';

/** The stateless revision: no `initialize`, no session; every request names its version, client and capabilities. */
export const STATELESS = '2026-07-28';
/** Revisions that begin with `initialize`, newest first. A server may answer with an older one than it was asked for. */
export const WITH_INITIALIZE = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

const PREFIX = 'io.modelcontextprotocol/';
/** Members of `_meta` that MCP of 2026-07-28 defines. */
export const META = {
  protocolVersion: `${PREFIX}protocolVersion`,
  clientInfo: `${PREFIX}clientInfo`,
  clientCapabilities: `${PREFIX}clientCapabilities`,
  serverInfo: `${PREFIX}serverInfo`,
} as const;

/** Our members of `_meta` in a request: the labels of what is sent, and the context items that may be sent. */
export const OWN_META = { labels: 'dev.sallyport/labels', context: 'dev.sallyport/context' } as const;

/** What a server says of itself in its answer to `initialize` or `server/discover`. */
export interface Greeting {
  readonly serverInfo: JsonObject | undefined;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

/** Reads the result of `initialize` or `server/discover`; members of another type count as absent. Attacker-controlled. */
export function greetingIn(result: JsonObject): Greeting {
  const serverInfo = ownValue(result, 'serverInfo') ?? ownValue(objectAt(result, '_meta'), META.serverInfo);
  const instructions = ownValue(result, 'instructions');
  return {
    serverInfo: isJsonObject(serverInfo) ? serverInfo : undefined,
    capabilities: objectAt(result, 'capabilities'),
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}

/** The revision and the client's capabilities, as far as a request of the stateless era names them in its `_meta`. */
export function claimsIn(meta: JsonObject): { protocolVersion?: string; clientCapabilities?: JsonObject } {
  const [version, capabilities] = [ownValue(meta, META.protocolVersion), ownValue(meta, META.clientCapabilities)];
  return defined({
    protocolVersion: typeof version === 'string' ? version : undefined,
    clientCapabilities: isJsonObject(capabilities) ? capabilities : undefined,
  });
}
