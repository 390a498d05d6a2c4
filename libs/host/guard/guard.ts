import { randomUUID } from 'node:crypto';
import { hasReservedPrefix } from '../../capability/definition.js';
import type { JsonObject } from '../../kernel/canonical-json.js';
import type { McpClient, McpTransport } from '../../mcp/client.js';
import { exchangeOver } from '../../mcp/exchange.js';
import { interceptTransport } from '../../mcp/intercept.js';
import type { DirectiveFollower } from '../directives/follower.js';
import type { Validated } from '../service/answers.js';
import type { HostClient } from '../service/client.js';
import { heldBack, performCall, type Call, type Delivered } from './call.js';
import { connectPinned } from './connect.js';
import { definitionReader, type PinnedVersion } from './definition.js';
import { isProgramming } from './failure.js';
import { flightsUnder } from './flights.js';
import { observerOf } from './observer.js';
import type { Guarded, GuardOptions } from './options.js';
import { evidenceFrom, permitFrom } from './permit.js';
import { recordsTo } from './records.js';
import { CallRefused, refusedBy } from './refusal.js';
import { NOT_FILTERED, toolRefusal, toolResult, type GuardedToolResult } from './result.js';
import { serverRequestDecider } from './server-requests.js';

export interface GuardParts {
  readonly client: HostClient;
  readonly follower: Pick<DirectiveFollower, 'stale' | 'isVoid' | 'isLeaseOver' | 'serviceMs' | 'onChange'>;
}

const LATE_MS = 5000;

/**
 * Puts a guard around an MCP client that is not connected yet, and connects it. From then on the client and its transport
 * send what the guard sends, pings and lists, and nothing else. Rejects with `CallRefused`, and the client is closed.
 * Rejects with `TypeError`, and nothing was asked, if the client is connected or the transport was guarded before.
 */
export async function guard<Transport extends McpTransport>(
  mcp: McpClient<Transport>,
  options: GuardOptions<Transport>,
  { client, follower }: GuardParts,
): Promise<Guarded> {
  const { task, capability, transport, server, credentialScope, requestMs, lateMs = LATE_MS } = options;
  const { taskId } = task;
  if (mcp.transport !== undefined) throw new TypeError('the client is connected: the guard connects it, once it may');
  const flights = flightsUnder(follower);
  const records = recordsTo(client, taskId);
  const closer = new AbortController();
  const closing = closer.signal;

  const wire = interceptTransport(transport, {
    onListChanged: () => observer.again(),
    onServerRequest: (method, params) => decideServerRequest(method, params),
  });
  const exchange = exchangeOver(mcp, transport, wire);
  const evidence = evidenceFrom(wire, server, credentialScope);
  const read = definitionReader(mcp, exchange, (traceparent) => wire.forget(traceparent));
  const observer = observerOf(read, closing, ({ definition }) => {
    const pin = task.pins.find((each) => each.capability === capability);
    if (pin !== undefined) records.later(client.observe(capability, pin.version, { ...evidence({}), definition }));
  });
  const permit = permitFrom({ client, follower, task, capability, evidence, observer, records, closing });
  const decideServerRequest = serverRequestDecider({ taskId, client, permit, flights, records });

  const close = async (): Promise<void> => {
    closer.abort();
    flights.close();
    wire.outgoing.close();
    await mcp.close().catch(() => undefined);
    await records.settled();
  };
  const handshake = (signal: AbortSignal) => wire.outgoing.connecting(() => mcp.connect(transport, { signal }));

  let pinned: PinnedVersion;
  try {
    const asking = { client, task, capability, server, permit, flights, records, observer, evidence };
    pinned = await connectPinned({ ...asking, handshake });
  } catch (error) {
    await close();
    throw isProgramming(error) ? error : refusedBy(error, randomUUID());
  }
  const calling = { taskId, client, permit, flights, records, exchange, wire, pinned, requestMs, lateMs, closing };
  const released = async (callId: string) => releasedResult(callId, () => client.response(callId, taskId));
  return { ...operationsOf(pinned, (call) => performCall(calling, call)), released, close };
}

/** A held response as its release left it. A stop since then is a refusal. */
async function releasedResult(callId: string, ask: () => Promise<Validated>): Promise<GuardedToolResult> {
  try {
    const validated = await ask();
    if (validated.content === undefined) throw heldBack(callId, validated);
    return toolResult({ callId, envelope: validated.content, isError: false, filtered: NOT_FILTERED });
  } catch (error) {
    return toolRefusal(refusedBy(error, callId).refusal);
  }
}

/** The operations of an MCP server as guarded calls. */
function operationsOf(
  pinned: PinnedVersion,
  perform: (call: Call) => Promise<Delivered>,
): Pick<Guarded, 'shown' | 'callTool' | 'getPrompt' | 'readResource'> {
  return {
    shown: pinned.shown,
    async callTool({ name, arguments: args = {} }, options = {}) {
      try {
        // The name of another kind of operation is no tool's; `$connect` least of all, which needs no scope.
        if (hasReservedPrefix(name)) {
          throw new CallRefused({ reason: 'operation_unknown', by: 'host', callId: randomUUID() });
        }
        const requestOf = (outbound: JsonObject) => ({ method: 'tools/call', params: { name, arguments: outbound } });
        return toolResult(await perform({ operation: name, arguments: args as JsonObject, requestOf, options }));
      } catch (error) {
        return toolRefusal(refusedBy(error, randomUUID()).refusal);
      }
    },
    async getPrompt({ name, arguments: args = {} }, options = {}) {
      const requestOf = (outbound: JsonObject) => ({ method: 'prompts/get', params: { name, arguments: outbound } });
      const call = { operation: `prompt:${name}`, arguments: args as JsonObject, requestOf, options };
      return (await perform(call)).envelope;
    },
    async readResource({ uri }, options = {}) {
      const operation = pinned.readerOf(uri) ?? `resource:${uri}`;
      const requestOf = (outbound: JsonObject) => ({ method: 'resources/read', params: { uri: outbound['uri'] } });
      return (await perform({ operation, arguments: { uri }, requestOf, options })).envelope;
    },
  };
}
