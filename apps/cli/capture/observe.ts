import { isJsonObject, ownValue, type Json, type JsonObject } from '#libs/kernel/canonical-json.js';
import { fingerprintDefinition, type DefinitionFingerprint } from '#libs/kernel/definition-digest.js';
import { openInitialized, openSession, STATELESS, type Greeting, type Session } from './eras.js';
import { CaptureFailure, LIMITS } from './failure.js';
import { openHttp } from './http.js';
import { processChain, type RunningProcess } from '../provenance/processes.js';
import { childEnvironment, openStdio } from './stdio.js';
import type { Channel, Reply } from './rpc.js';

/** Where a server is: a command that is started, or the address of streamable HTTP. */
export type Target =
  | { readonly command: readonly string[]; readonly env: readonly string[] }
  | { readonly url: URL; readonly bearer: string | undefined };

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

export interface Observation {
  readonly definition: ServerDefinition;
  readonly fingerprint: DefinitionFingerprint;
  readonly probe: { readonly protocolVersion: string; readonly clientCapabilities: JsonObject };
  readonly spki: string | undefined;
}

/** A running server whose definition was read on this very connection. Whoever opened it closes it. */
export interface OpenServer {
  readonly observation: Observation;
  request(method: string, params: JsonObject, timeoutMs: number): Promise<Reply>;
  /** The started process and those that it handed its streams to, as they are now; empty if there are none to be seen. */
  processes(): readonly RunningProcess[];
  stderr(): string;
  close(): Promise<void>;
}

export interface ObserveOptions extends Greeting {
  /** For all of it: the start, the greeting and the lists. */
  readonly timeoutMs: number;
  /** Receives the end of the server's stderr when the capture fails. */
  readonly onStderr?: (text: string) => void;
}

/** Starts or reaches a server, reads its definition and leaves the connection open. Throws `CaptureFailure`. */
export async function openServer(target: Target, options: ObserveOptions): Promise<OpenServer> {
  const end = performance.now() + options.timeoutMs;
  const remaining = () => Math.max(1, end - performance.now());
  const connect = () =>
    'url' in target
      ? openHttp(target.url, target.bearer)
      : openStdio(target.command, childEnvironment(process.env, target.env));
  const attempt = async (open: typeof openSession): Promise<OpenServer> => {
    const channel = connect();
    try {
      const session = await open(channel, options, remaining);
      return await observed(channel, session, options, remaining);
    } catch (error) {
      options.onStderr?.(channel.stderr());
      await channel.close();
      throw error;
    }
  };
  try {
    return await attempt(openSession);
  } catch (error) {
    // Some servers of the older eras die of a request that comes before `initialize`: start again without it.
    const again = error instanceof CaptureFailure && error.kind === 'gone' && options.protocol === 'auto';
    if (!again) throw error;
    return attempt(openInitialized);
  }
}

async function observed(
  channel: Channel,
  session: Session,
  options: ObserveOptions,
  remaining: () => number,
): Promise<OpenServer> {
  const list = (method: string, key: string) => listAll(session, method, key, remaining);
  const has = (capability: string) => ownValue(session.capabilities, capability) !== undefined;
  const definition: ServerDefinition = {
    ...(session.serverInfo === undefined ? {} : { serverInfo: session.serverInfo }),
    capabilities: session.capabilities,
    ...(session.instructions === undefined ? {} : { instructions: session.instructions }),
    ...(has('tools') ? await list('tools/list', 'tools') : {}),
    ...(has('prompts') ? await list('prompts/list', 'prompts') : {}),
    ...(has('resources') ? await list('resources/templates/list', 'resourceTemplates') : {}),
    ...(has('resources') ? await list('resources/list', 'resources') : {}),
  };
  const fingerprint = fingerprintDefinition(definition);
  if (!fingerprint.ok) {
    throw new CaptureFailure(
      'protocol',
      `the definition has a fault at ${fingerprint.error.path}: ${fingerprint.error.message}`,
    );
  }
  const probe = { protocolVersion: session.protocolVersion, clientCapabilities: options.clientCapabilities };
  return {
    observation: { definition, fingerprint: fingerprint.value, probe, spki: channel.spki() },
    request: (method, params, timeoutMs) => session.request(method, params, timeoutMs),
    processes: () => (channel.pid === undefined ? [] : processChain(channel.pid)),
    stderr: () => channel.stderr(),
    close: () => channel.close(),
  };
}

const METHOD_NOT_FOUND = -32601;

/** All pages of a list. Cursors are the server's word: a repeated one, or one too many, is an endless list. */
async function listAll(session: Session, method: string, key: string, remaining: () => number): Promise<JsonObject> {
  const items: JsonObject[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 1; page <= LIMITS.pages; page += 1) {
    const reply = await session.request(method, cursor === undefined ? {} : { cursor }, remaining());
    if (!reply.ok) {
      if (reply.code === METHOD_NOT_FOUND && page === 1) return {};
      throw new CaptureFailure('protocol', `the server refused ${method}: ${reply.message} (${reply.code})`);
    }
    items.push(...itemsOf(reply.result, method, key, session.protocolVersion === STATELESS));
    if (items.length > LIMITS.items) throw new CaptureFailure('flood', `${method} has over ${LIMITS.items} items`);
    const next = ownValue(reply.result, 'nextCursor');
    if (typeof next !== 'string') return { [key]: items };
    if (seen.has(next)) throw new CaptureFailure('flood', `${method} has no end: it gave the same cursor twice`);
    seen.add(next);
    cursor = next;
  }
  throw new CaptureFailure('flood', `${method} has no end: over ${LIMITS.pages} pages`);
}

function itemsOf(result: JsonObject, method: string, key: string, stateless: boolean): readonly JsonObject[] {
  const type: Json | undefined = stateless ? ownValue(result, 'resultType') : undefined;
  const items = ownValue(result, key);
  const whole = type === undefined || type === 'complete';
  if (!whole || !Array.isArray(items) || !(items as readonly Json[]).every(isJsonObject)) {
    throw new CaptureFailure('protocol', `the server's answer to ${method} holds no list of ${key}`);
  }
  return items as readonly JsonObject[];
}
