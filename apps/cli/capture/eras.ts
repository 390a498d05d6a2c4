import { setTimeout } from 'node:timers/promises';
import { isJsonObject, ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { CaptureFailure, LIMITS } from './failure.js';
import type { Channel, Reply } from './rpc.js';

/** The stateless revision: no `initialize`, no session; every request says its version, client and capabilities. */
export const STATELESS = '2026-07-28';
/** Revisions that begin with `initialize`, newest first. A server may answer with an older one than it was asked for. */
export const WITH_INITIALIZE = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
export const PROTOCOLS = ['auto', STATELESS, ...WITH_INITIALIZE] as const;
export type Protocol = (typeof PROTOCOLS)[number];

const META = 'io.modelcontextprotocol/';
const CLIENT = { name: 'sallyport', version: '0.1.0' };

/** A server that has said who it is and what it can do, in whichever era it speaks. */
export interface Session {
  readonly protocolVersion: string;
  readonly serverInfo: JsonObject | undefined;
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
  request(method: string, params: JsonObject, timeoutMs: number): Promise<Reply>;
}

/** What the client says of itself: a server may answer other capabilities with another definition. */
export interface Greeting {
  readonly protocol: Protocol;
  readonly clientCapabilities: JsonObject;
}

/**
 * Asks `server/discover`, which only the stateless era knows, and falls back to `initialize`. A server that stays silent
 * (some ignore what they do not know before `initialize`, some are slow to start) gets both, and whichever it answers
 * first counts. `remaining` tells the milliseconds left.
 */
export async function openSession(channel: Channel, greeting: Greeting, remaining: () => number): Promise<Session> {
  const { protocol } = greeting;
  if (protocol === STATELESS) return discovered(channel, greeting, await discover(channel, greeting, remaining()));
  if (protocol !== 'auto') return openInitialized(channel, greeting, remaining);
  const asked = discover(channel, greeting, remaining()).then((reply) => ({ era: 'stateless', reply }) as const);
  asked.catch(() => undefined);
  const patience = Math.min(LIMITS.probeMs, remaining() / 3);
  const first = await Promise.race([asked, setTimeout(patience, undefined, { ref: false })]);
  if (first !== undefined && speaksStateless(first.reply)) return discovered(channel, greeting, first.reply);
  if (first !== undefined) return openInitialized(channel, greeting, remaining);
  const begun = initialize(channel, WITH_INITIALIZE[0], greeting, remaining());
  begun.catch(() => undefined);
  const next = await Promise.race([begun.then((reply) => ({ era: 'initialize', reply }) as const), asked]);
  if (next.era === 'stateless' && speaksStateless(next.reply)) return discovered(channel, greeting, next.reply);
  return initialized(channel, greeting, await begun);
}

/** Begins with `initialize` at once. */
export async function openInitialized(channel: Channel, greeting: Greeting, remaining: () => number): Promise<Session> {
  const version = greeting.protocol === 'auto' ? WITH_INITIALIZE[0] : greeting.protocol;
  return initialized(channel, greeting, await initialize(channel, version, greeting, remaining()));
}

function discover(channel: Channel, greeting: Greeting, timeoutMs: number): Promise<Reply> {
  return channel.request('server/discover', { _meta: envelope(greeting) }, timeoutMs);
}

function initialize(channel: Channel, version: string, greeting: Greeting, timeoutMs: number): Promise<Reply> {
  const params = { protocolVersion: version, capabilities: greeting.clientCapabilities, clientInfo: CLIENT };
  return channel.request('initialize', params, timeoutMs);
}

function envelope(greeting: Greeting): JsonObject {
  return {
    [`${META}protocolVersion`]: STATELESS,
    [`${META}clientInfo`]: CLIENT,
    [`${META}clientCapabilities`]: greeting.clientCapabilities,
  };
}

function speaksStateless(reply: Reply): boolean {
  if (!reply.ok) return false;
  const versions = ownValue(reply.result, 'supportedVersions');
  return Array.isArray(versions) && versions.includes(STATELESS);
}

async function discovered(channel: Channel, greeting: Greeting, reply: Reply): Promise<Session> {
  if (!reply.ok || !speaksStateless(reply))
    throw new CaptureFailure('protocol', `the server does not speak ${STATELESS}`);
  const meta = ownValue(reply.result, '_meta');
  const serverInfo = isJsonObject(meta) ? ownValue(meta, `${META}serverInfo`) : undefined;
  return {
    protocolVersion: STATELESS,
    ...declarations(reply.result, serverInfo),
    request: (method, params, timeoutMs) => {
      const own = ownValue(params, '_meta');
      const meta = { ...(isJsonObject(own) ? own : {}), ...envelope(greeting) };
      return channel.request(method, { ...params, _meta: meta }, timeoutMs);
    },
  };
}

async function initialized(channel: Channel, greeting: Greeting, reply: Reply): Promise<Session> {
  if (!reply.ok) {
    const older = reply.code <= -400 && reply.code > -500 ? '; is this the address of streamable HTTP?' : '';
    throw new CaptureFailure('protocol', `the server refused to begin: ${reply.message} (${reply.code})${older}`);
  }
  const version = ownValue(reply.result, 'protocolVersion');
  const wanted = greeting.protocol;
  const known = WITH_INITIALIZE.find((one) => one === version);
  if (known === undefined || (wanted !== 'auto' && known !== wanted)) {
    const spoken = typeof version === 'string' ? version.slice(0, 40) : 'no protocol version';
    throw new CaptureFailure('protocol', `the server answered with ${spoken}, which was not asked for or is not known`);
  }
  channel.agreed(known);
  await channel.notify('notifications/initialized', {});
  const serverInfo = ownValue(reply.result, 'serverInfo');
  return {
    protocolVersion: known,
    ...declarations(reply.result, serverInfo),
    request: (method, params, timeoutMs) => channel.request(method, params, timeoutMs),
  };
}

function declarations(result: JsonObject, serverInfo: unknown) {
  const capabilities = ownValue(result, 'capabilities');
  const instructions = ownValue(result, 'instructions');
  return {
    serverInfo: isJsonObject(serverInfo) ? serverInfo : undefined,
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}
