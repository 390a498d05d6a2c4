import { setTimeout } from 'node:timers/promises';
import { isJsonObject, ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { VERSION } from '../../../libs/kernel/version.js';
import { INITIALIZED, type McpReply } from '../../../libs/mcp/message.js';
import { greetingIn, META, STATELESS, WITH_INITIALIZE, type Greeting } from '../../../libs/mcp/protocol.js';
import { CaptureFailure, LIMITS } from './failure.js';
import type { Channel } from './rpc.js';

export const PROTOCOLS = ['auto', STATELESS, ...WITH_INITIALIZE] as const;
export type Protocol = (typeof PROTOCOLS)[number];

const CLIENT = { name: 'sallyport', version: VERSION };

/** A server that has greeted, in the era that it speaks. */
export interface Session extends Greeting {
  readonly protocolVersion: string;
  request(method: string, params: JsonObject, timeoutMs: number): Promise<McpReply>;
}

/** The client's introduction. A server may answer other capabilities with another definition. */
export interface Introduction {
  readonly protocol: Protocol;
  readonly clientCapabilities: JsonObject;
}

/**
 * Asks `server/discover`, which only the stateless era knows, and falls back to `initialize`. Some servers ignore
 * unknown requests before `initialize`; some are slow to start. A silent server gets both requests, and its first
 * answer counts. `remaining` returns the remaining milliseconds.
 */
export async function openSession(
  channel: Channel,
  introduction: Introduction,
  remaining: () => number,
): Promise<Session> {
  const { protocol } = introduction;
  if (protocol === STATELESS)
    return discovered(channel, introduction, await discover(channel, introduction, remaining()));
  if (protocol !== 'auto') return openInitialized(channel, introduction, remaining);
  const asked = discover(channel, introduction, remaining()).then((reply) => ({ era: 'stateless', reply }) as const);
  asked.catch(() => undefined);
  const patience = Math.min(LIMITS.probeMs, remaining() / 3);
  const first = await Promise.race([asked, setTimeout(patience, undefined, { ref: false })]);
  if (first !== undefined && speaksStateless(first.reply)) return discovered(channel, introduction, first.reply);
  if (first !== undefined) return openInitialized(channel, introduction, remaining);
  const begun = initialize(channel, WITH_INITIALIZE[0], introduction, remaining());
  begun.catch(() => undefined);
  const next = await Promise.race([begun.then((reply) => ({ era: 'initialize', reply }) as const), asked]);
  if (next.era === 'stateless' && speaksStateless(next.reply)) return discovered(channel, introduction, next.reply);
  return initialized(channel, introduction, await begun);
}

/** Begins with `initialize` immediately. */
export async function openInitialized(
  channel: Channel,
  introduction: Introduction,
  remaining: () => number,
): Promise<Session> {
  const version = introduction.protocol === 'auto' ? WITH_INITIALIZE[0] : introduction.protocol;
  return initialized(channel, introduction, await initialize(channel, version, introduction, remaining()));
}

function discover(channel: Channel, introduction: Introduction, timeoutMs: number): Promise<McpReply> {
  return channel.request('server/discover', { _meta: envelope(introduction) }, timeoutMs);
}

function initialize(
  channel: Channel,
  version: string,
  introduction: Introduction,
  timeoutMs: number,
): Promise<McpReply> {
  const params = { protocolVersion: version, capabilities: introduction.clientCapabilities, clientInfo: CLIENT };
  return channel.request('initialize', params, timeoutMs);
}

function envelope(introduction: Introduction): JsonObject {
  return {
    [META.protocolVersion]: STATELESS,
    [META.clientInfo]: CLIENT,
    [META.clientCapabilities]: introduction.clientCapabilities,
  };
}

function speaksStateless(reply: McpReply): boolean {
  if (!reply.ok) return false;
  const versions = ownValue(reply.result, 'supportedVersions');
  return Array.isArray(versions) && versions.includes(STATELESS);
}

async function discovered(channel: Channel, introduction: Introduction, reply: McpReply): Promise<Session> {
  if (!reply.ok || !speaksStateless(reply))
    throw new CaptureFailure('protocol', `the server does not speak ${STATELESS}`);
  return {
    protocolVersion: STATELESS,
    ...greetingIn(reply.result),
    request: (method, params, timeoutMs) => {
      const own = ownValue(params, '_meta');
      const meta = { ...(isJsonObject(own) ? own : {}), ...envelope(introduction) };
      return channel.request(method, { ...params, _meta: meta }, timeoutMs);
    },
  };
}

async function initialized(channel: Channel, introduction: Introduction, reply: McpReply): Promise<Session> {
  if (!reply.ok) {
    const older = reply.code <= -400 && reply.code > -500 ? '; is this the address of streamable HTTP?' : '';
    throw new CaptureFailure('protocol', `the server refused to begin: ${reply.message} (${reply.code})${older}`);
  }
  const version = ownValue(reply.result, 'protocolVersion');
  const wanted = introduction.protocol;
  const known = WITH_INITIALIZE.find((one) => one === version);
  if (known === undefined || (wanted !== 'auto' && known !== wanted)) {
    const spoken = typeof version === 'string' ? version.slice(0, 40) : 'no protocol version';
    throw new CaptureFailure('protocol', `the server answered with ${spoken}, which was not asked for or is not known`);
  }
  channel.agreed(known);
  await channel.notify(INITIALIZED, {});
  return {
    protocolVersion: known,
    ...greetingIn(reply.result),
    request: (method, params, timeoutMs) => channel.request(method, params, timeoutMs),
  };
}
