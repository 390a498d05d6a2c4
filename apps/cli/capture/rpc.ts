import { isJsonObject, ownValue, type Json, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { parseStrictJson } from '../../../libs/kernel/strict-json.js';
import type { McpReply } from '../../../libs/mcp/definition.js';
import { CaptureFailure, LIMITS } from './failure.js';

export type Reply = McpReply;

/** Something that goes by while a server is read; `text` is the server's own and not yet printable. */
export interface CaptureEvent {
  readonly kind: 'stderr' | 'protocol';
  readonly text: string;
}

/**
 * A JSON-RPC connection to one MCP server. It is spoken raw on purpose: client libraries parse what they receive with
 * schemas that drop unknown fields, and a dropped field is a change that no digest sees.
 */
export interface Channel {
  /** Throws `CaptureFailure` where the server dies, floods, talks garbage or stays silent for `timeoutMs`. */
  request(method: string, params: JsonObject, timeoutMs: number): Promise<Reply>;
  notify(method: string, params: JsonObject): Promise<void>;
  /** Tells the transport which revision was agreed on; streamable HTTP repeats it in a header. */
  agreed(protocolVersion: string): void;
  /** What is known of the server's TLS certificate: `sha256:` of its SubjectPublicKeyInfo (RFC 5280) in DER. */
  spki(): string | undefined;
  /** The process that was started; absent if the server is reached at an address. */
  readonly pid: number | undefined;
  /** The end of the server's stderr, for people who debug it; attacker-controlled. */
  stderr(): string;
  close(): Promise<void>;
}

/**
 * Reads a message as it was received. A message that two readers could understand differently (a duplicate key, a
 * number that a double does not hold) is refused: its digest would mean nothing.
 */
export function parseMessage(text: string): Json | undefined {
  const parsed = parseStrictJson(text, LIMITS.jsonDepth);
  if (parsed.ok) return parsed.value;
  if (parsed.error.kind === 'syntax') return undefined;
  const place = parsed.error.path === undefined ? '' : ` at ${parsed.error.path || '/'}`;
  throw new CaptureFailure('garbage', `the server sent JSON that has no one meaning: ${parsed.error.message}${place}`);
}

/** The reply that a message is, with the id that it answers; undefined for everything else. */
export function replyOf(message: Json): { readonly id: Json | undefined; readonly reply: Reply } | undefined {
  if (!isJsonObject(message) || ownValue(message, 'method') !== undefined) return undefined;
  const id = ownValue(message, 'id');
  const error = ownValue(message, 'error');
  if (isJsonObject(error)) {
    const code = ownValue(error, 'code');
    const text = ownValue(error, 'message');
    const reply = {
      ok: false,
      code: typeof code === 'number' ? code : 0,
      message: typeof text === 'string' ? text.slice(0, 300) : '',
    } as const;
    return { id, reply };
  }
  const result = ownValue(message, 'result');
  return isJsonObject(result) ? { id, reply: { ok: true, result } } : undefined;
}

/**
 * The answer to what a server asks of its client while it is captured: it is alive, it has no roots, and nothing else
 * can be had. Undefined where the message asks nothing.
 */
export function answerTo(message: Json): JsonObject | undefined {
  if (!isJsonObject(message)) return undefined;
  const method = ownValue(message, 'method');
  const id = ownValue(message, 'id');
  if (typeof method !== 'string' || (typeof id !== 'string' && typeof id !== 'number')) return undefined;
  if (method === 'ping') return { jsonrpc: '2.0', id, result: {} };
  if (method === 'roots/list') return { jsonrpc: '2.0', id, result: { roots: [] } };
  return { jsonrpc: '2.0', id, error: { code: -32601, message: 'not available while the server is captured' } };
}
