import type { Json, JsonObject } from '../../../libs/kernel/canonical-json.js';
import { parseStrictJson } from '../../../libs/kernel/strict-json.js';
import { METHOD_NOT_FOUND, type McpMessage, type McpReply } from '../../../libs/mcp/message.js';
import { CaptureFailure, LIMITS } from './failure.js';

/** An event during a capture. `text` is attacker-controlled and not yet printable. */
export interface CaptureEvent {
  readonly kind: 'stderr' | 'protocol';
  readonly text: string;
}

/**
 * A JSON-RPC connection to one MCP server. It handles raw JSON on purpose: client libraries parse with schemas that
 * drop unknown fields. A dropped field is a change that no digest sees.
 */
export interface Channel {
  /** Rejects with `CaptureFailure` if the server dies, floods, sends garbage or stays silent for `timeoutMs`. */
  request(method: string, params: JsonObject, timeoutMs: number): Promise<McpReply>;
  notify(method: string, params: JsonObject): Promise<void>;
  /** Sets the agreed revision, which streamable HTTP repeats in a header. */
  agreed(protocolVersion: string): void;
  /** The pin of the server's TLS certificate, if known: `sha256:` of its SubjectPublicKeyInfo (RFC 5280) in DER. */
  spki(): string | undefined;
  /** The process that was started; absent if the server is reached at an address. */
  readonly pid: number | undefined;
  /** The end of the server's stderr, for debugging; attacker-controlled. */
  stderr(): string;
  close(): Promise<void>;
}

/**
 * Parses a message as received. Two readers could understand a duplicate key, or a number that a double does not hold,
 * differently. Such a message is refused: its digest would mean nothing.
 */
export function parseMessage(text: string): Json | undefined {
  const parsed = parseStrictJson(text, LIMITS.jsonDepth);
  if (parsed.ok) return parsed.value;
  if (parsed.error.kind === 'syntax') return undefined;
  const place = parsed.error.path === undefined ? '' : ` at ${parsed.error.path || '/'}`;
  throw new CaptureFailure('garbage', `the server sent ambiguous JSON: ${parsed.error.message}${place}`);
}

/**
 * The answer to a request of the server during the capture. The client is alive, has no roots and offers nothing else.
 * Undefined if the message is not a request.
 */
export function answerTo(asked: McpMessage): JsonObject | undefined {
  if (asked.kind !== 'request' || (typeof asked.id !== 'string' && typeof asked.id !== 'number')) return undefined;
  const { id, method } = asked;
  if (method === 'ping') return { jsonrpc: '2.0', id, result: {} };
  if (method === 'roots/list') return { jsonrpc: '2.0', id, result: { roots: [] } };
  const error = { code: METHOD_NOT_FOUND, message: 'not available while the server is captured' };
  return { jsonrpc: '2.0', id, error };
}
